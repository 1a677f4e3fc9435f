"""Reversal: the same symbols in reverse order. Probes memory across the whole source.

mode=words reverses the letters of pronounceable words. mode=symbols reverses strings of up to 25
symbols out of fifty, the shape of JoeyNMT's reverse task.

    source   p l o t e n
    target   n e t o l p
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.choices import at_least, between, one_of
from tasks.ragged import Ids, Ragged
from tasks.scoring import Statistics, sequence_scores, sequence_statistics
from tasks.task import Facts, Outputs, Split, Task
from tasks.vocabulary import Vocabulary

# parts of a syllable; repeated parts are drawn more often
ONSETS = tuple(
    "b c d f g h j k l m n p r s t v w z bl br ch cl cr dr fl fr gl gr pl pr sh sk sl "
    "sm sn sp st sw th tr qu x y".split()
)
NUCLEI = tuple("a e i o u ai ea ee ie oa oo ou au ei".split())
CODAS = ("", "", "", *"n r s t l m d k p g ck ll nd ng nt rd rk rn rt sh ss st x lf".split())
LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")
SYMBOLS = tuple(str(number) for number in range(50))
LONGEST_WORD = 12
LONGEST_STRING = 25
MOST_WORDS = 100_000
"""Largest number of training words that may be asked for."""


@dataclass(frozen=True)
class Settings:
    """Settings of the task, with their defaults.

    mode: words or symbols. pairs: training pairs; 0 means the mode's own number (8,000 words, as in
    a small dictionary, or 50,000 strings, as in JoeyNMT). data_seed: seed of the drawn sources.
    """

    mode: str = "words"
    pairs: int = 0
    data_seed: int = 0

    def __post_init__(self) -> None:
        one_of("mode", self.mode, ("words", "symbols"))
        between("pairs", self.pairs, 0)
        at_least("data_seed", self.data_seed, 0)
        if self.mode == "words" and self.pairs > MOST_WORDS:
            raise ValueError(
                f"pairs={self.pairs} is above the maximum of {MOST_WORDS} for words; ask for fewer"
            )


class Reversal(Task):
    """The reversal task; the head of this file describes it."""

    metric = "exact_match"
    solved_at = 0.99

    def __init__(self, settings: Settings, data: Path | None = None) -> None:
        words = settings.mode == "words"
        self._joiner = "" if words else " "
        self.source = self.target = Vocabulary.closed(LETTERS if words else SYMBOLS)
        random = np.random.default_rng([settings.data_seed, 1])
        train = settings.pairs or (8_000 if words else 50_000)
        held_out = 500 if words else 1_000
        sources = self._draw(word if words else string, random, train + 2 * held_out)
        self.splits = {
            "train": _split(sources[2 * held_out :]),
            "valid": _split(sources[:held_out]),
            "test": _split(sources[held_out : 2 * held_out]),
        }
        size = len(self.source)
        longest = LONGEST_WORD if words else LONGEST_STRING
        self.facts = Facts(source_size=size, target_sizes=(size,), length_limit=longest + 10)

    def _draw(
        self,
        source: Callable[[np.random.Generator], list[str]],
        random: np.random.Generator,
        count: int,
    ) -> list[Ids]:
        """Draw `count` distinct sources, in the order drawn."""
        seen: dict[tuple[str, ...], None] = {}
        while len(seen) < count:
            seen.setdefault(tuple(source(random)))
        return [self.source.encode(symbols) for symbols in seen]

    def tokenize(self, text: str) -> list[str]:
        """Return the letters of a lower-case word, or in mode=symbols numbers from 0 to 49."""
        return text.split() if self._joiner else list(text.strip())

    def source_text(self, ids: Ids) -> str:
        return self._joiner.join(self.source.decode(ids))

    def target_text(self, streams: Sequence[Ids], source: Ids) -> str:
        return self._joiner.join(self.target.decode(streams[0]))

    def score(self, outputs: Outputs, split: Split) -> dict[str, float]:
        return sequence_scores(outputs[0], split.targets[0])

    def statistics(self, outputs: Outputs, split: Split) -> dict[str, Statistics]:
        return sequence_statistics(outputs[0], split.targets[0])


def word(random: np.random.Generator) -> list[str]:
    """Draw the letters of a word of one to three syllables, 3 to 12 letters long."""
    while True:
        letters: list[str] = []
        for _ in range(random.integers(1, 4)):
            for part in (ONSETS, NUCLEI, CODAS):
                letters += part[random.integers(len(part))]
        if 3 <= len(letters) <= LONGEST_WORD:
            return letters


def string(random: np.random.Generator) -> list[str]:
    """Draw 1 to 25 of the fifty symbols, with repetition."""
    length = int(random.integers(1, LONGEST_STRING + 1))
    return [SYMBOLS[index] for index in random.integers(len(SYMBOLS), size=length)]


def _split(sources: list[Ids]) -> Split:
    """Return the sources with their targets, the same ids in reverse order."""
    return Split(Ragged.of(sources), (Ragged.of(source[::-1] for source in sources),))
