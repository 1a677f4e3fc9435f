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
    """
    CREATE TABLE digests (
        id TEXT PRIMARY KEY, run TEXT NOT NULL, details TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE again (id TEXT PRIMARY KEY) WITHOUT ROWID;
    """,
)
"""SQL scripts; entry i brings a database from version i to version i + 1.

digests: of the texts of a row of runs, and of details; rows of version 1 have none. again: runs
that are to be done again, although there is an outcome of theirs.
"""


def database_file(folder: Path) -> Path:
    """Return the path of a store's database."""
    return folder / "store.sqlite3"


def database_files(folder: Path) -> list[Path]:
    """Return the paths of all files that opening a store for writing may make."""
    path = database_file(folder)
    return [path, *(Path(f"{path}-{log}") for log in ("wal", "shm", "journal")), folder / "lock"]


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


def add_missing_tables(connection: sqlite3.Connection, version: int) -> None:
    """Give an older database, which is opened for reading, the tables that it lacks, empty."""
    for script in MIGRATIONS[version:] if version else ():
        for statement in filter(str.strip, script.split(";")):
            connection.execute(statement.replace("CREATE TABLE", "CREATE TEMP TABLE"))


def check_version(connection: sqlite3.Connection, folder: Path) -> int:
    """Return the version of a database; StoreError if it is newer than this code."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StoreError(
            f"the store in {folder} has version {version} and this bench knows up to "
            f"{len(MIGRATIONS)}; update seq2seq-bench, or use another --store"
        )
    return int(version)
