"""Increment: add one to every id. Probes whether a model can copy and shift at all.

From a question on a forum about a model that would not learn it: ids 0, 1 and 2 are pad, bos and
eos, the vocabulary has 101 ids, and lengths are 5 to 9.

    source   4  8  9 57 12
    target   5  9 10 58 13  (bos before and eos after it are added with the batch)

mode=memorise is that question's setting: 50 pairs, and test = train. mode=fresh draws disjoint
splits, and a split `longer` whose sources are longer than any in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.choices import at_least, between, one_of
from tasks.ragged import Ids, Ragged
from tasks.scoring import Statistics, sequence_scores, sequence_statistics
from tasks.task import Facts, Outputs, Split, Task
from tasks.vocabulary import SPECIALS, Vocabulary

VOCABULARY_SIZE = 101
FIRST_ID = len(SPECIALS)
"""The least id that is a number, after pad, bos and eos."""
LAST_SOURCE_ID = VOCABULARY_SIZE - 2
"""The greatest id in a source; its successor is the last id of the vocabulary."""


LONGEST_SOURCE = 1_000
"""Largest number of symbols of a source that can be asked for."""


@dataclass(frozen=True)
class Settings:
    """Settings of the task, with their defaults.

    mode: memorise or fresh. pairs: training pairs; 0 means the mode's own number (50 or 20,000).
    shortest, longest: source lengths; 5 to 14 is the wide setting. data_seed: seed of the drawn
    pairs.
    """

    mode: str = "memorise"
    pairs: int = 0
    shortest: int = 5
    longest: int = 9
    data_seed: int = 0

    def __post_init__(self) -> None:
        one_of("mode", self.mode, ("memorise", "fresh"))
        between("pairs", self.pairs, 0)
        at_least("data_seed", self.data_seed, 0)
        if not 1 <= self.shortest <= self.longest:
            raise ValueError(
                f"shortest={self.shortest} and longest={self.longest} are not "
                "1 <= shortest <= longest; give lengths in that order"
            )
        between("longest", self.longest, 1, LONGEST_SOURCE)


class Increment(Task):
    """The increment task; the head of this file describes it."""

    metric = "exact_match"

    def __init__(self, settings: Settings, data: Path | None = None) -> None:
        random = np.random.default_rng([settings.data_seed, 3])
        short, long = settings.shortest, settings.longest
        fresh = settings.mode == "fresh"
        held_out = 500 if fresh else 0
        pairs = settings.pairs or (20_000 if fresh else 50)
        pool = _distinct(random, pairs + 2 * held_out, short, long)
        train = _split(pool[2 * held_out :])
        if fresh:
            longer = _distinct(random, held_out, long + 1, long + 5)
            self.splits = {
                "train": train,
                "valid": _split(pool[:held_out]),
                "test": _split(pool[held_out : 2 * held_out]),
                "longer": _split(longer),
            }
        else:
            self.splits = {"train": train, "valid": train, "test": train}
        self.source = self.target = Vocabulary.closed(map(str, range(FIRST_ID, VOCABULARY_SIZE)))
        self.solved_at = 0.99 if fresh else 1.0
        self.facts = Facts(
            source_size=VOCABULARY_SIZE,
            target_sizes=(VOCABULARY_SIZE,),
            length_limit=long + 10,
            memorisation=not fresh,
        )

    def tokenize(self, text: str) -> list[str]:
        """Return numbers from 3 to 99 that are separated by spaces."""
        symbols = text.split()
        for symbol in symbols:
            if symbol not in self.source or symbol == self.source.symbols[-1]:
                raise ValueError(
                    f"{symbol!r} is not a number from {FIRST_ID} to {LAST_SOURCE_ID}; give "
                    "numbers with spaces between them"
                )
        return symbols

    def source_text(self, ids: Ids) -> str:
        return " ".join(self.source.decode(ids))

    def target_text(self, streams: Sequence[Ids], source: Ids) -> str:
        return " ".join(self.target.decode(streams[0]))

    def score(self, outputs: Outputs, split: Split) -> dict[str, float]:
        return sequence_scores(outputs[0], split.targets[0])

    def statistics(self, outputs: Outputs, split: Split) -> dict[str, Statistics]:
        return sequence_statistics(outputs[0], split.targets[0])


def _distinct(random: np.random.Generator, count: int, short: int, long: int) -> list[Ids]:
    """Draw `count` distinct sources, in the order drawn."""
    possible = sum((LAST_SOURCE_ID - FIRST_ID + 1) ** length for length in range(short, long + 1))
    # beyond half of all sources, too many draws would be repetitions
    if count > possible // 2:
        raise ValueError(
            f"{count} different sources of length {short} to {long} do not exist "
            f"in half of the {possible} there are; ask for fewer pairs or longer ones"
        )
    seen: dict[bytes, Ids] = {}
    while len(seen) < count:
        length = int(random.integers(short, long + 1))
        ids = random.integers(FIRST_ID, LAST_SOURCE_ID + 1, size=length, dtype=np.int32)
        seen.setdefault(ids.tobytes(), ids)
    return list(seen.values())


def _split(sources: list[Ids]) -> Split:
    """Return the sources with their targets, each id plus one."""
    source = Ragged.of(sources)
    return Split(source, (Ragged(source.ids + np.int32(1), source.offsets),))
