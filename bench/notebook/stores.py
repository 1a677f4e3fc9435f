"""Finds the store that a caller means, and says the command line's errors as ValueError."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.engines.contract import EngineError
from results.errors import StoreError

Names = str | Sequence[str] | None
"""One name, several, or None for all."""
RunName = str | int
"""A run's id or its first digits, the number of a row of `bench table`, or a variant."""


def folder_of(store: str | Path | None) -> Path:
    """Return the folder of a store: the one given, else BENCH_STORE, else `.bench`."""
    return Path(store or os.environ.get("BENCH_STORE") or ".bench")


def names(given: Names) -> list[str] | None:
    """Return names as a list; None for all. ValueError for what are no names."""
    if given is None:
        return None
    found = [given] if isinstance(given, str) else given
    if not isinstance(found, Iterable) or not all(isinstance(name, str) for name in found):
        raise ValueError(f"{given!r} is neither a name nor several; give texts")
    return list(found)


def run_of(given: RunName) -> str:
    """Return what a caller calls a run as text. ValueError for what calls none."""
    if isinstance(given, str | int) and not isinstance(given, bool):
        return str(given)
    raise ValueError(
        f"{given!r} calls no run; give its id, the number of its row in bench table, or a variant"
    )


@contextmanager
def sentences() -> Iterator[None]:
    """Turn errors of a store or an engine into a ValueError with the same sentence.

    Also usable as a decorator.
    """
    try:
        yield
    except (StoreError, EngineError) as error:
        raise ValueError(str(error)) from error
