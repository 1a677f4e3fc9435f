"""What can go wrong with a store, in one sentence each."""

from __future__ import annotations

import errno

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Of an OSError: there is no room, on the disk or in one's share of it."""


class StoreError(Exception):
    """A sentence for the user: what was found, and what to do. What was there stays."""


class DiskFullError(StoreError):
    """Nothing more can be kept until there is room."""


PATIENCE = 3600.0
"""Seconds that a full disk is waited for."""
PAUSE = 2.0
"""Seconds between two tries to write to it."""
