"""Says how often Python searches for garbage: seldom while much is imported, else as usual.

What is imported stays, yet the search goes through all of it again and again: it takes a third of
the time in which torch is loaded. Training needs the usual search, or garbage could hold much
memory.
"""

from __future__ import annotations

import gc

SELDOM = 100_000
"""New objects after which the youngest are searched; Python 3.11 takes 700 unless told."""

_usual: list[tuple[int, int, int]] = []


def search_seldom() -> None:
    """Search for garbage seldom, until `search_as_usual`."""
    if not _usual:
        _usual.append(gc.get_threshold())
    gc.set_threshold(SELDOM, *_usual[0][1:])


def search_as_usual() -> None:
    """Search for garbage as often as before `search_seldom`; without that, nothing changes."""
    if _usual:
        gc.set_threshold(*_usual[0])
        _usual.clear()
