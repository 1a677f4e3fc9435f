"""Adds corpora and word vectors of the user's own, and lists those that are there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.corpora import catalogue
from bench.corpora.catalogue import Prepared


def add_vectors(name: str, files: Sequence[Path], folder: Path) -> Prepared:
    """Prepare word vectors from one file; ValueError if several are given."""
    if len(files) != 1:
        raise ValueError(f"{len(files)} files of vectors were given; give one")
    return catalogue.add_vectors(name, files[0], folder)


def add_streamed(
    name: str, files: Sequence[Path], folder: Path, tokens: str, longest: int, symbols: int
) -> Prepared:
    """Prepare a corpus larger than memory from one file; ValueError if several are given."""
    if len(files) != 1:
        raise ValueError("--streamed takes one file of English TAB Chinese lines")
    return catalogue.add_streamed(name, files[0], folder, tokens, longest, symbols)


def corpora(folder: Path) -> list[dict[str, Any]]:
    """Return a row per corpus and per file of word vectors in a folder."""
    return [{"name": found.name, **found.about} for found in catalogue.listing(folder)]
