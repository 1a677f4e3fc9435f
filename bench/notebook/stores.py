"""Finds the store that a caller means, and says the command line's errors as ValueError."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.engines.contract import EngineError
from results.errors import StoreError

Names = str | Sequence[str] | None
"""One name, several, or None for all."""


def folder_of(store: str | Path | None) -> Path:
    """Return the folder of a store: the one given, else BENCH_STORE, else `.bench`."""
    return Path(store or os.environ.get("BENCH_STORE") or ".bench")


def names(given: Names) -> list[str] | None:
    """Return names as a list; None for all."""
    if given is None:
        return None
    return [given] if isinstance(given, str) else list(given)


@contextmanager
def sentences() -> Iterator[None]:
    """Turn errors of a store or an engine into a ValueError with the same sentence.

    Also usable as a decorator.
    """
    try:
        yield
    except (StoreError, EngineError) as error:
        raise ValueError(str(error)) from error
