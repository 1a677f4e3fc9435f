"""Defines the tables of the database, and brings an older one up to date."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from results.errors import StoreError

MIGRATIONS = (
    """
    CREATE TABLE runs (
        id TEXT PRIMARY KEY, task TEXT NOT NULL, seed INTEGER NOT NULL, status TEXT NOT NULL,
        finished REAL NOT NULL, spec TEXT NOT NULL, outcome TEXT NOT NULL, measured TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX runs_by_task ON runs (task);
    CREATE TABLE details (
        id TEXT PRIMARY KEY, outcome TEXT NOT NULL, measured TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE plan (
        place INTEGER PRIMARY KEY, id TEXT, task TEXT NOT NULL, variant TEXT NOT NULL,
        seed INTEGER, reason TEXT NOT NULL
    );
    CREATE TABLE base (axis TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    """,
)
"""SQL scripts; entry i brings a database from version i to version i + 1."""


def database_file(folder: Path) -> Path:
    """Return the path of a store's database."""
    return folder / "store.sqlite3"


def migrate(connection: sqlite3.Connection, folder: Path) -> None:
    """Create the tables, or bring those of an older version up to date.

    Raises:
        StoreError: the database is of a newer version.
    """
    version = check_version(connection, folder)
    # readers see a consistent state while the driver writes
    connection.execute("PRAGMA journal_mode=WAL")
    # a commit waits for the disk, so that it survives a power cut
    connection.execute("PRAGMA synchronous=FULL")
    for number in range(version, len(MIGRATIONS)):
        # one transaction each: a kill in between leaves a version that is named correctly
        connection.executescript(
            f"BEGIN; {MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT;"
        )


def check_version(connection: sqlite3.Connection, folder: Path) -> int:
    """Return the version of a database; StoreError if it is newer than this code."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StoreError(
            f"the store in {folder} has version {version} and this bench knows up to "
            f"{len(MIGRATIONS)}; update seq2seq-bench, or use another --store"
        )
    return int(version)
