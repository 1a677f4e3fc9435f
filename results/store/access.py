"""Opens a store, for reading or for writing."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from results.errors import StoreError, StoreLockedError
from results.store.database import Store
from results.store.failures import store_errors
from results.store.lock import locked
from results.store.schema import (
    add_missing_tables,
    check_version,
    database_file,
    database_files,
    migrate,
)

SUBFOLDERS = ("journal", "weights", "outputs", "checkpoints", "dropped", "data")
"""Subfolders of a store's folder; each is made when it is needed."""


def exists(folder: Path) -> bool:
    """Return whether there is a store in a folder."""
    return database_file(folder).is_file()


@contextmanager
def writing(folder: Path) -> Iterator[Store]:
    """Open a store for writing, and create it if it does not exist.

    Raises:
        StoreError: another process is writing to it, or it cannot be written.
    """
    # the lock is taken within _all_or_nothing and must outlive it
    with ExitStack() as stack:
        with _all_or_nothing(folder):
            with store_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(folder))
            store = _opened(folder)
        stack.callback(store.close)
        yield store


@contextmanager
def _all_or_nothing(folder: Path) -> Iterator[None]:
    """Remove the files and folders that the body created, if it could not open the store."""
    places = (folder, *folder.parents)  # innermost first, as they have to be removed
    folders = [place for place in places if not os.path.lexists(place)]
    files = [path for path in database_files(folder) if not os.path.lexists(path)]
    try:
        yield
    except StoreLockedError:  # another process has the store, so nothing here is ours to remove
        raise
    except StoreError:
        for remove in (*(path.unlink for path in files), *(place.rmdir for place in folders)):
            with suppress(OSError):  # some were never created
                remove()
        raise


def _opened(folder: Path) -> Store:
    """Open a store whose lock we hold; update its tables and insert journals that were left."""
    for name in SUBFOLDERS:
        if (folder / name).exists() and not (folder / name).is_dir():
            raise StoreError(
                f"{folder / name} is not a folder, and the store needs it as one; move it away"
            )
    with store_errors(folder):
        store = Store(folder, sqlite3.connect(database_file(folder), timeout=30))
    try:
        with store_errors(folder):
            migrate(store.connection, folder)
        # a driver that was killed may have left records that are in its journal files only
        store.insert_journals()
    except BaseException:
        store.close()
        raise
    return store


@contextmanager
def reading(folder: Path) -> Iterator[Store]:
    """Open a store for reading; a driver may write to it at the same time.

    Raises:
        StoreError: there is no store, or it cannot be read.
    """
    path = database_file(folder)
    with store_errors(folder):
        found = exists(folder)
    if not found:
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
            version = check_version(connection, folder)
            add_missing_tables(connection, version)
        yield store
    finally:
        store.close()


def _mode(path: Path) -> str:
    """Return SQLite's options for reading.

    To read a database with a write-ahead log, SQLite needs to write files beside it. In a folder
    that cannot be written it works only if the file is declared `immutable`. SQLite then ignores
    the log, whose rows would be missing, so the file must not be declared so while there is a log:
    SQLite then reads the log as well, or raises an error if it cannot.
    """
    has_log = Path(f"{path}-wal").exists()
    return "mode=ro" if has_log or os.access(path.parent, os.W_OK) else "mode=ro&immutable=1"
