"""A corpus: different sentences in four splits, of which one combines words anew.

A twentieth of the pairs of content words, such as buy and book or old and house, is held out of
training by a hash of the words; `unseen` tests these, in words that training knows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache

import numpy as np

from tasks.grammar.clauses import Pair
from tasks.grammar.constructions import draw_pair
from tasks.grammar.drawing import Draw
from tasks.grammar.phrases import Combination

HELD_OUT = 20  # one combination of content words in so many is kept out of training
# Beside 1,000 or more training sentences one in 20 to 35 drawn can be unseen, beside 200 one in
# 174, beside 30 none. Training so small that more draws than these would be needed is refused.
FIRST_DRAWS = 10_000
DRAWS_EACH = 200  # for every unseen sentence that is wanted
ENOUGH = 1_000


@cache
def held_out(combination: Combination) -> bool:
    """Whether a combination is kept for the split of unseen ones: a hash decides, not the order."""
    digest = hashlib.blake2b(" ".join(combination).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % HELD_OUT == 0


def word_types(english: str) -> set[str]:
    """The lower-case words of a sentence."""
    return {word.strip(",.?").lower() for word in english.split()}


def corpus(
    random: np.random.Generator, train: int, valid: int, test: int, unseen: int = 1_000
) -> dict[str, list[Pair]]:
    """Splits of different sentences, different in either language.

    train, valid and test are drawn alike and hold no combination that is `held_out`; each of
    unseen has one, while all its words and characters occur in train. ValueError where train is
    too small for that.
    """
    draw = Draw(random)
    used: set[str] = set()
    heard: list[Pair] = []
    while len(heard) < train + valid + test:
        pair = draw_pair(draw)
        if not _novel(pair) and used.isdisjoint(pair[:2]):
            used.update(pair[:2])
            heard.append(pair)
    return {
        "train": heard[:train],
        "valid": heard[train : train + valid],
        "test": heard[train + valid :],
        "unseen": _unseen(draw, heard[:train], used, unseen),
    }


def _unseen(draw: Draw, train: Sequence[Pair], used: set[str], wanted: int) -> list[Pair]:
    """Sentences that combine the words of train as none in it does; adds them to used."""
    words = set().union(*(word_types(pair.english) for pair in train))
    characters = set().union(*(pair.chinese for pair in train))
    found: list[Pair] = []
    draws, limit = 0, FIRST_DRAWS + DRAWS_EACH * wanted
    while len(found) < wanted:
        if draws == limit:
            raise ValueError(
                f"train={len(train)} is too small for unseen={wanted}: of {limit} sentences drawn, "
                f"{len(found)} were new combinations of words that all stand in train; give a "
                f"larger train ({ENOUGH} is enough for 1000 unseen sentences) or a smaller unseen"
            )
        draws += 1
        pair = draw_pair(draw)
        if not _novel(pair) or not used.isdisjoint(pair[:2]):
            continue
        if characters.issuperset(pair.chinese) and words >= word_types(pair.english):
            used.update(pair[:2])
            found.append(pair)
    return found


def _novel(pair: Pair) -> bool:
    return any(map(held_out, pair.combinations))
