"""Parallel text on disk and its division into splits that share no sentence."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

PAIRS_FILE = "pairs.tsv"
HELD_OUT = 1_000
GENERATED = ("grammar", "generated")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_INESSENTIAL = re.compile(r"[\W_]+")


class TextPair(NamedTuple):
    """A sentence and its translation."""

    english: str
    chinese: str


def check_name(name: str) -> str:
    """Give a corpus's name back; ValueError for one that could not be a folder of its own."""
    if not _NAME.fullmatch(name) or name in GENERATED:
        raise ValueError(
            f"{name!r} cannot name a corpus; take lower-case letters, digits, - and _, a letter "
            f"or digit first, and neither of {' and '.join(GENERATED)}"
        )
    return name


def read(name: str, data: Path | None) -> list[TextPair]:
    """The pairs of a prepared corpus; FileNotFoundError says how to fetch it."""
    check_name(name)
    if data is None or not (file := data / name / PAIRS_FILE).is_file():
        where = "here, for no data folder was given" if data is None else f"in {data}"
        # Only `bench data` knows what can be fetched; another name is answered there.
        raise FileNotFoundError(
            f"the corpus {name!r} is not {where}; fetch it with: bench data get {name}, "
            f"or import FILE with: bench data add {name} FILE"
        )
    lines = file.read_text(encoding="utf-8").split("\n")  # splitlines() parts at more than \n
    return [TextPair(*line.split("\t")[:2]) for line in lines if line]


def key(text: str) -> str:
    """What makes two sentences the same: NFKC, letter case ignored, letters and digits only."""
    bare = _INESSENTIAL.sub("", unicodedata.normalize("NFKC", text).casefold())
    return bare or text


def components(pairs: Iterable[TextPair]) -> list[list[int]]:
    """Places of the pairs, grouped: pairs that share an English or Chinese key, directly or
    through others, stand together. In order of their first pairs."""
    parent: list[int] = []
    first: dict[tuple[str, str], int] = {}

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for place, (english, chinese) in enumerate(pairs):
        parent.append(place)
        for side in (("en", key(english)), ("zh", key(chinese))):
            one, other = root(first.setdefault(side, place)), root(place)
            parent[max(one, other)] = min(one, other)  # the root is the first of its group
    groups: dict[int, list[int]] = {}
    for place in range(len(parent)):
        groups.setdefault(root(place), []).append(place)
    return list(groups.values())


def divide(pairs: Sequence[TextPair], random: np.random.Generator) -> dict[str, list[TextPair]]:
    """Train, valid and test, such that no sentence of either language stands in two of them.

    The components (above) are shuffled and go, whole and in that order, to valid while they
    fit, then to test, else to train. Valid and test hold 1,000 pairs each, at most a twentieth.
    """
    size = min(HELD_OUT, len(pairs) // 20)
    if not size:
        raise ValueError(f"a corpus of {len(pairs)} pairs cannot be split; give at least 20")
    splits: dict[str, list[TextPair]] = {"train": [], "valid": [], "test": []}
    groups = components(pairs)
    for group in random.permutation(len(groups)):
        places = groups[int(group)]
        fitting = (n for n in ("valid", "test") if len(splits[n]) + len(places) <= size)
        splits[next(fitting, "train")] += [pairs[place] for place in places]
    if not all(splits.values()):
        raise ValueError(
            f"{len(pairs)} pairs share so many sentences that they cannot be split; give more"
        )
    return splits
