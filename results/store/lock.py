"""Locks a store, so that only one process at a time writes to it.

The lock is the operating system's, on an open file: it is released when its holder ends, however
it ends.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from results.errors import StoreLockedError
from results.store.failures import store_errors

LOOKED_AT = 20
"""Times that a lock which is held is tried, as whoever asks for a driver holds it for a moment."""
LOOK_AGAIN = 0.025
"""Seconds between two tries."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a store's lock; StoreLockedError if another process holds it."""
    with store_errors(folder):
        file = _acquired(folder / "lock")
    if file is None:
        raise StoreLockedError(
            f"another bench is writing to {folder}; wait for it, or use another --store"
        )
    with file:
        yield


def _acquired(path: Path) -> TextIO | None:
    """Return the lock's file when it is held; None if another process holds it."""
    for _ in range(LOOKED_AT):
        # opened for appending: a lock file must never be emptied or replaced while others hold it
        file = path.open("a+")
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(file, path):
                return file
        except BlockingIOError:
            time.sleep(LOOK_AGAIN)
        except BaseException:
            file.close()
            raise
        file.close()
    return None


def _is_at(file: TextIO, path: Path) -> bool:
    """Return whether a file is still there: whoever made no store removes its lock."""
    return path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat())


def has_driver(folder: Path) -> bool:
    """Return True if a driver is active: a process that may write to this store.

    The lock can only be tested by taking it. It is taken as a shared one, so that two readers who
    ask at the same time do not take each other for a driver; a driver that begins at that moment
    tries again.
    """
    try:
        # a pipe of that name would wait for a writer
        handle = os.open(folder / "lock", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    with os.fdopen(handle) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False
