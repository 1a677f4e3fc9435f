"""Opens a store, for reading or for writing."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from results.errors import StoreError
from results.store.database import Store
from results.store.failures import store_errors
from results.store.lock import locked
from results.store.schema import check_version, database_file, migrate


def exists(folder: Path) -> bool:
    """Return whether there is a store in a folder."""
    return database_file(folder).is_file()


@contextmanager
def writing(folder: Path) -> Iterator[Store]:
    """Open a store for writing, and create it if it does not exist.

    Raises:
        StoreError: another process is writing to it, or it cannot be written.
    """
    with store_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        with store_errors(folder):
            connection = sqlite3.connect(database_file(folder), timeout=30)
        store = Store(folder, connection)
        try:
            with store_errors(folder):
                migrate(connection, folder)
            # a driver that was killed may have left records in journals alone
            store.insert_journals()
            yield store
        finally:
            store.close()


@contextmanager
def reading(folder: Path) -> Iterator[Store]:
    """Open a store for reading; a driver may write to it at the same time.

    Raises:
        StoreError: there is no store, or it cannot be read.
    """
    path = database_file(folder)
    with store_errors(folder):
        exists = path.is_file()
    if not exists:
        raise StoreError(
            f"there is no store in {folder}; make one with bench run, or name another with --store"
        )
    with store_errors(folder):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{_mode(path)}", uri=True, timeout=30
        )
    store = Store(folder, connection)
    try:
        with store_errors(folder):
            check_version(connection, folder)
        yield store
    finally:
        store.close()


def _mode(path: Path) -> str:
    """Return SQLite's options for reading.

    To read a database with a write-ahead log, SQLite needs to write files beside it. In a folder
    that cannot be written it works only if the file is declared `immutable`. That declaration
    makes SQLite ignore a log that still holds rows, so it must not be given while there is one.
    """
    writable = os.access(path.parent, os.W_OK) or Path(f"{path}-wal").exists()
    return "mode=ro" if writable else "mode=ro&immutable=1"
