"""Makes a corpus: distinct sentences in four splits, one with unseen word combinations.

A twentieth of the pairs of content words, such as "buy" and "book" or "old" and "house", is held
out of training. A hash of the words decides which. The split `unseen` tests these pairs, using
only words that occur in training.
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

HELD_OUT_ONE_IN = 20
"""One combination of content words in so many is held out of training."""
# With 1,000 or more training sentences, one in 20 to 35 drawn sentences can be unseen; with 200,
# one in 174; with 30, none. If more draws than these are needed, training is too small: refused.
FIRST_DRAWS = 10_000
DRAWS_EACH = 200
"""Further draws for every unseen sentence that is wanted."""
ENOUGH = 1_000
"""Training sentences that are enough for 1,000 unseen ones."""


@cache
def held_out(combination: Combination) -> bool:
    """Return whether a word combination is held out of training.

    A hash decides, so the answer does not depend on the order in which sentences are drawn.
    """
    digest = hashlib.blake2b(" ".join(combination).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % HELD_OUT_ONE_IN == 0


def word_types(english: str) -> set[str]:
    """Return the lower-cased words of a sentence."""
    return {word.strip(",.?").lower() for word in english.split()}


def corpus(
    random: np.random.Generator, train: int, valid: int, test: int, unseen: int = 1_000
) -> dict[str, list[Pair]]:
    """Draw splits of sentences that are distinct in both languages.

    train, valid and test come from one distribution and hold no combination that is `held_out`.
    Each sentence of unseen has one, while all its words and characters occur in train.

    Raises ValueError if train is too small for that.
    """
    draw = Draw(random)
    used: set[str] = set()
    drawn: list[Pair] = []
    while len(drawn) < train + valid + test:
        pair = draw_pair(draw)
        if not _novel(pair) and used.isdisjoint(pair[:2]):
            used.update(pair[:2])
            drawn.append(pair)
    return {
        "train": drawn[:train],
        "valid": drawn[train : train + valid],
        "test": drawn[train + valid :],
        "unseen": _unseen(draw, drawn[:train], used, unseen),
    }


def _unseen(draw: Draw, train: Sequence[Pair], used: set[str], wanted: int) -> list[Pair]:
    """Draw sentences that combine the words of train in a way that train does not.

    Adds them to `used`.
    """
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
