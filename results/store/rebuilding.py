"""Makes the database of a store again, from its journals."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from results.errors import StoreError
from results.record import Record
from results.store.access import reading
from results.store.database import Planned, Store
from results.store.failures import store_errors
from results.store.lock import locked
from results.store.schema import database_file, migrate


def rebuild(folder: Path, base: Mapping[str, Any]) -> int:
    """Make the database again from the journals, and return the number of runs in it.

    As far as the old database can be read, the new one gets from it what journals lack: the last
    plan, and runs whose journals were lost in a power cut. The old file is kept as `.old`.

    Args:
        folder: the store.
        base: the suite's base variant.

    Raises:
        StoreError: there are no journals, or another process is writing to the store.
    """
    if not (folder / "journal").is_dir():
        raise StoreError(f"{folder} has no journal to rebuild from; name a store with --store")
    with locked(folder), store_errors(folder):
        path = database_file(folder)
        # made under another name: the old database stays in place until the new one is complete
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        connection = sqlite3.connect(fresh)
        with closing(Store(folder, connection)) as store:
            migrate(connection, folder)
            count = store.insert_journals() + _insert_from_old(folder, store)
            store.set_plan(_old_plan(folder), base)
            # the file is about to be renamed, and a log beside it would not be
            connection.execute("PRAGMA journal_mode=DELETE")
        # SQLite would take a log of the old database for one of the new, which gets its name
        for ending in ("-wal", "-shm"):
            Path(f"{path}{ending}").unlink(missing_ok=True)
        if path.exists():
            path.replace(path.with_suffix(".old"))
        fresh.replace(path)
    return count


def _insert_from_old(folder: Path, fresh: Store) -> int:
    """Insert the runs that only the old database has, and return how many there were."""
    known = fresh.ids()

    def only_in_old() -> Iterator[Record]:
        # rows before the damaged part are still good
        with contextlib.suppress(StoreError), reading(folder) as old:
            for record in old.sound_records():
                if isinstance(record, Record) and record.id not in known:
                    fresh.journal.finish(record)  # its journal is gone or damaged
                    yield record

    return fresh.insert_missing(only_in_old())


def _old_plan(folder: Path) -> list[Planned]:
    """Return the last plan; empty if it cannot be read."""
    try:
        with reading(folder) as old:
            return old.plan()
    except StoreError:
        return []
