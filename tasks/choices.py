"""Checks settings; the error for an unknown value lists the allowed ones."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches


def at_least(what: str, given: int, least: int) -> int:
    """Return a whole number if it is not below the least; else raise ValueError."""
    if given < least:
        raise ValueError(f"{what}={given} is below {least}; give {least} or more")
    return given


MOST_EXAMPLES = 2_000_000
"""Largest number of examples that a task draws: more would not fit the memory of most machines."""


def between(what: str, given: int, least: int, most: int = MOST_EXAMPLES) -> int:
    """Return a whole number if it is within bounds; else raise ValueError."""
    if given > most:
        raise ValueError(f"{what}={given} is above {most}; give {most} or less")
    return at_least(what, given, least)


def one_of(what: str, given: str, allowed: Sequence[str]) -> str:
    """Return `given` if it is allowed; else raise ValueError.

    The error lists the allowed values, and similar ones.
    """
    if given in allowed:
        return given
    near = get_close_matches(given, allowed, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "choose one of those"
    raise ValueError(f"{what} {given!r} is not one of {', '.join(allowed)}; {hint}")
