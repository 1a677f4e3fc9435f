"""Defines the errors of a store, and how long a full disk is waited for."""

from __future__ import annotations

import errno

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Error numbers of an OSError that mean: the disk, or the user's quota on it, is full."""


class StoreError(Exception):
    """Tells the user, in one sentence, what is wrong with a store and what to do.

    Whatever the store held before the error is still there.
    """


class StoreLockedError(StoreError):
    """Says that another process is writing to the store."""


class DiskFullError(StoreError):
    """Says that nothing more can be written until space is freed."""


PATIENCE = 3600.0
"""Seconds to wait for space on a full disk before giving up."""
PAUSE = 2.0
"""Seconds between two attempts to write to a full disk."""
