"""Locks a store, so that only one process at a time writes to it.

The lock is the operating system's, on an open file: it is released when its holder ends, however
it ends.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from results.errors import StoreError
from results.store.failures import store_errors


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a store's lock; StoreError if another process holds it."""
    # opened for appending: a lock file must never be emptied or replaced while others hold it
    with store_errors(folder):
        file = (folder / "lock").open("a+")
    with file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                f"another bench is writing to {folder}; wait for it, or use another --store"
            ) from None
        yield


def has_driver(folder: Path) -> bool:
    """Return True if a driver is active: a process that may write to this store."""
    try:
        with (folder / "lock").open("r") as lock:
            # shared: two readers who ask at the same time must not take each other for a driver
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
