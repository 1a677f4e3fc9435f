"""Reads parallel text from disk and divides it into splits that share no sentence."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

PAIRS_FILE = "pairs.tsv"
"""File of a prepared corpus: English, Chinese and attribution, separated by TABs."""
ABOUT_FILE = "about.json"
"""File of every prepared corpus: where it comes from and how it was prepared."""
HELD_OUT_PAIRS = 1_000
"""Largest number of pairs in valid and in test."""
RESERVED_NAMES = ("grammar", "generated")
"""Names by which tasks call generated corpora."""
FETCHED = re.compile(r"tatoeba|[a-z]{3}-eng")
"""Names that `bench data get` knows: Tatoeba as prepared here, and files of manythings.org."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_INESSENTIAL = re.compile(r"[\W_]+")


class TextPair(NamedTuple):
    """A sentence and its translation."""

    english: str
    chinese: str


def check_name(name: str) -> str:
    """Return the name of a corpus; ValueError if it cannot be the name of a folder of its own."""
    if not _NAME.fullmatch(name) or name in RESERVED_NAMES:
        raise ValueError(
            f"{name!r} cannot name a corpus; take lower-case letters, digits, - and _, a letter "
            f"or digit first, and neither of {' and '.join(RESERVED_NAMES)}"
        )
    return name


def read(name: str, data: Path | None) -> list[TextPair]:
    """Read the pairs of a prepared corpus; FileNotFoundError says how to fetch it."""
    check_name(name)
    if data is None or not (file := data / name / PAIRS_FILE).is_file():
        raise FileNotFoundError(missing(name, data))
    return read_pairs(file)


def read_pairs(file: Path) -> list[TextPair]:
    """Read a file of English TAB Chinese lines; ValueError for a line without a TAB."""
    lines = file.read_text(encoding="utf-8").split("\n")  # splitlines() splits at more than \n
    pairs = []
    for number, line in enumerate(lines, start=1):
        columns = line.split("\t")
        if len(columns) > 1:
            pairs.append(TextPair(columns[0], columns[1]))
        elif line:
            raise ValueError(
                f"{file}, line {number}: {line[:40]!r} holds no TAB; {add_again(file.parent.name)}"
            )
    return pairs


def missing(name: str, data: Path | None) -> str:
    """Return the sentence for a corpus that is not there: fetched where it can be, or added."""
    where = "here, for no data folder was given" if data is None else f"in {data}"
    get = f"fetch it with: bench data get {name}, or " if FETCHED.fullmatch(name) else ""
    return f"the corpus {name!r} is not {where}; {get}add FILES with: bench data add {name} FILES"


def add_again(name: str) -> str:
    """Return what to do with a corpus that is damaged."""
    return f"remove the corpus with: bench data remove {name}, and add it again"


def key(text: str) -> str:
    """Return the key by which two sentences count as the same.

    It is the NFKC form without letter case, with letters and digits only; the text itself if that
    leaves nothing.
    """
    bare = _INESSENTIAL.sub("", unicodedata.normalize("NFKC", text).casefold())
    return bare or text


def components(pairs: Iterable[TextPair]) -> list[list[int]]:
    """Group the positions of pairs that share a sentence.

    Pairs with the same English or Chinese key, directly or through other pairs, are in one group.
    Groups are in the order of their first pairs.
    """
    # a disjoint-set forest: each pair points towards the first pair of its group
    parent: list[int] = []
    first: dict[tuple[str, str], int] = {}

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]  # halve the path, so that later walks are short
            index = parent[index]
        return index

    for index, (english, chinese) in enumerate(pairs):
        parent.append(index)
        for side in (("en", key(english)), ("zh", key(chinese))):
            earlier, present = root(first.setdefault(side, index)), root(index)
            parent[max(earlier, present)] = min(earlier, present)
    groups: dict[int, list[int]] = {}
    for index in range(len(parent)):
        groups.setdefault(root(index), []).append(index)
    return list(groups.values())


def divide(pairs: Sequence[TextPair], random: np.random.Generator) -> dict[str, list[TextPair]]:
    """Divide pairs into train, valid and test so that no sentence is in two of them.

    The groups of `components` are shuffled. In that order, each goes whole to valid if it still
    fits, else to test, else to train. Valid and test hold 1,000 pairs each, at most a twentieth of
    all.

    Raises ValueError for too few pairs, or pairs that share too many sentences.
    """
    size = min(HELD_OUT_PAIRS, len(pairs) // 20)
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
