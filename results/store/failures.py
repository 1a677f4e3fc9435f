"""Turns errors of the disk and the database into a StoreError of one sentence."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from results.errors import FULL, DiskFullError, StoreError

TRIAL_BYTES = 2**16
"""Bytes written as a trial, where SQLite does not say why it could not write."""
UNUSABLE = ("file exists", "not a directory", "no such file", "name too long")
"""Parts of messages of a path that cannot be a folder."""
UNWRITABLE = ("readonly", "read-only", "permission", "not permitted", "unable to open")
"""Parts of messages of a folder or file that cannot be written."""
LIMITED = ("i/o error", "file too large", "too many open")
"""Parts of messages of a disk that fails, or of a limit of the shell that was reached."""
DAMAGED = ("malformed", "not a database", "no such table", "no such column", "decode")
"""Parts of messages of a database whose content is wrong."""


@contextmanager
def store_errors(folder: Path) -> Iterator[None]:
    """Raise failures of disk and database as a StoreError, or as a DiskFullError."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        cause = str(error)
        # if a quota is exceeded, SQLite only says that it could not write
        full = "i/o error" in cause.lower() and not _has_room(folder)
        raise _failure("full" if full else cause, folder) from error
    except UnicodeDecodeError as error:
        raise _failure("malformed text", folder) from error
    except OSError as error:
        cause = "full" if error.errno in FULL else os.strerror(error.errno or 0)
        raise _failure(cause, folder) from error


def _has_room(folder: Path) -> bool:
    """Return False if a trial shows that the disk is full."""
    try:
        with tempfile.TemporaryFile(dir=folder) as trial:
            trial.write(bytes(TRIAL_BYTES))
            trial.flush()
            # some file systems only check a quota when data reach the disk
            os.fsync(trial.fileno())
    except OSError as error:
        return error.errno not in FULL
    return True


def _failure(cause: str, folder: Path) -> StoreError:
    """Return the error for a cause: a message of SQLite or of the operating system."""
    message = cause.lower()
    if _contains(message, ("full", "no space")):
        return DiskFullError(
            f"the disk under {folder} is full; free some space and give the same command again: "
            "finished runs are kept"
        )
    if _contains(message, UNUSABLE):
        return StoreError(f"{folder} cannot hold a store ({cause}); name a folder with --store")
    if _contains(message, UNWRITABLE):
        return StoreError(
            f"{folder} cannot be written ({cause}); give a folder that can with --store"
        )
    if _contains(message, DAMAGED):
        return StoreError(
            f"the database in {folder} is damaged ({cause}); mend it with: bench rebuild"
        )
    if _contains(message, LIMITED):
        return StoreError(
            f"{folder} cannot be written ({cause}); see that the disk works and that the shell's "
            "limits (ulimit -f, ulimit -n) allow it"
        )
    return StoreError(f"the store in {folder} does not answer: {cause}")


def _contains(message: str, parts: tuple[str, ...]) -> bool:
    return any(part in message for part in parts)
