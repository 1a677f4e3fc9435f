"""Opposites: six word pairs, letter by letter. Probes pure memorisation: test = train.

From one of the lessons on seq2seq that the project started from. As there, words are filled up to
five letters with a filler that is learned like any letter:

    source   m a n P P
    target   w o m a n

The lesson ends by asking its model for "mans" and "ups", which it has never seen. These are probes:
they are decoded and shown, but there is no right answer to score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.ragged import Ids, Ragged
from tasks.scoring import Statistics, sequence_scores, sequence_statistics
from tasks.task import Facts, Outputs, Split, Task
from tasks.vocabulary import Vocabulary

PAIRS = (
    ("man", "woman"),
    ("black", "white"),
    ("king", "queen"),
    ("girl", "boy"),
    ("up", "down"),
    ("high", "low"),
)
WIDTH = 5
"""Number of letters that every word is filled up to."""
FILLER = "P"


@dataclass(frozen=True)
class Settings:
    """The task has no settings: there are always six pairs."""


class Opposites(Task):
    """The opposites task; the head of this file describes it."""

    metric = "exact_match"
    solved_at = 1.0
    probes = ("mans", "ups", "kings", "girls")

    def __init__(self, settings: Settings, data: Path | None = None) -> None:
        self.source = self.target = Vocabulary.closed((FILLER, *"abcdefghijklmnopqrstuvwxyz"))
        train = Split(
            Ragged.of(self.encode(left) for left, _ in PAIRS),
            (Ragged.of(self.encode(right) for _, right in PAIRS),),
        )
        self.splits = {"train": train, "valid": train, "test": train}
        size = len(self.source)
        self.facts = Facts(
            source_size=size, target_sizes=(size,), length_limit=2 * WIDTH, memorisation=True
        )

    def tokenize(self, text: str) -> list[str]:
        """Return at most five lower-case letters, filled up to five."""
        letters = list(text.strip())
        if len(letters) > WIDTH:
            raise ValueError(f"{text.strip()!r} has {len(letters)} letters; give at most {WIDTH}")
        return letters + [FILLER] * (WIDTH - len(letters))

    def source_text(self, ids: Ids) -> str:
        return "".join(self.source.decode(ids)).rstrip(FILLER)

    def target_text(self, streams: Sequence[Ids], source: Ids) -> str:
        return "".join(self.target.decode(streams[0])).rstrip(FILLER)

    def score(self, outputs: Outputs, split: Split) -> dict[str, float]:
        return sequence_scores(outputs[0], split.targets[0])

    def statistics(self, outputs: Outputs, split: Split) -> dict[str, Statistics]:
        return sequence_statistics(outputs[0], split.targets[0])
