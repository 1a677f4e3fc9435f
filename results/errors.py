"""What can go wrong with a store, in one sentence each."""

from __future__ import annotations


class StoreError(Exception):
    """A sentence for the user: what was found, and what to do. What was there stays."""


class DiskFullError(StoreError):
    """Nothing more can be kept until there is room."""
