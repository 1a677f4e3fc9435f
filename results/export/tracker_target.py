"""Checks where runs are to be sent, before anything is sent: a tracker that is not there would take
minutes to say so, or none would."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from results.escapes import without_passwords

DATABASES = ("postgresql", "mysql", "mssql")
"""Schemes of database servers, to which a driver may be added after a +."""
SCHEMES = ("sqlite", "file", "http", "https", *DATABASES)
"""Schemes of a tracking URI."""
WORDS = ("databricks", "databricks-uc", "uc")
"""Words that MLflow takes for a service of its own."""
SQLITE_HEAD = b"SQLite format 3\0"
"""First bytes of an SQLite file."""
ANSWERS_WITHIN = 5.0
"""Seconds within which a server must take a connection."""
REQUEST_LIMITS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""Environment variables that keep MLflow from trying for minutes; those that are set stay."""


class TrackerError(Exception):
    """Says in one sentence what a tracker did not accept."""


def tracking_uri(target: str) -> str:
    """Return the tracking URI that a user means: a URI, or the name of an SQLite file.

    Raises:
        TrackerError: Runs would go nowhere: the file is none of SQLite, or no server answers.
    """
    if "://" not in target:
        _check_file(target)
        return f"sqlite:///{target}"
    shown = without_passwords(target)
    try:
        parts = urlsplit(target)
        port = parts.port
    except ValueError as error:
        raise TrackerError(f"{shown} is no tracking URI ({error}); correct it") from None
    scheme = parts.scheme.partition("+")[0]
    if scheme not in SCHEMES:
        raise TrackerError(f"{shown} is no tracking URI; give one of {', '.join(SCHEMES)}")
    if scheme == "sqlite":
        _check_file(target.partition(":///")[2])
    elif scheme in ("http", "https"):
        _check_server(parts.hostname, port or (443 if scheme == "https" else 80), shown)
    return target


def check_folder(target: str) -> None:
    """Raise a TrackerError for a URI, where a tracker reads a folder."""
    if "://" in target:
        raise TrackerError(
            f"{without_passwords(target)} is a URI, and this tracker reads a folder; name one"
        )


def _check_file(name: str) -> None:
    """Raise a TrackerError for a name that is not that of an SQLite file, new or old."""
    path = Path(name)
    if name in ("", ":memory:", *WORDS) or path.is_dir():
        raise TrackerError(f"{name!r} is not the name of a file; give one such as runs.db")
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(len(SQLITE_HEAD))
        if head not in (b"", SQLITE_HEAD):
            raise TrackerError(f"{name} is not a file of SQLite; name another, or a new one")


def _check_server(host: str | None, port: int, shown: str) -> None:
    """Raise a TrackerError if no server takes a connection; behind a proxy nobody can tell."""
    if not host:
        raise TrackerError(f"{shown} names no host; give one such as http://localhost:5000")
    if getproxies():
        return
    try:
        socket.create_connection((host, port), ANSWERS_WITHIN).close()
    except OSError as error:
        raise TrackerError(
            f"nobody answers at {shown} ({error.strerror or error}); start the server, or name "
            "another"
        ) from None


def limit_requests() -> None:
    """Keep MLflow from trying for minutes, and from telling of it in lines of its own."""
    for name, value in REQUEST_LIMITS.items():
        os.environ.setdefault(name, value)
    for name in ("mlflow", "alembic", "urllib3"):
        logging.getLogger(name).setLevel(logging.ERROR)
