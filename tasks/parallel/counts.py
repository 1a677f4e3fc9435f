"""Counts what a corpus holds: pairs kept and dropped, lengths, and unknown symbols."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tasks.ragged import Ragged
from tasks.tagged import REPEATS
from tasks.vocabulary import UNK


class SideCounts(NamedTuple):
    """Counts of one side of a split.

    symbols: tokens in all. unknown: share of them that are unknown. mean, most, longest: lengths:
    the mean, the one that 99 % do not exceed, and the greatest.
    """

    symbols: int
    unknown: float
    mean: float
    most: int
    longest: int

    @classmethod
    def of(cls, side: Ragged) -> SideCounts:
        """Count the sequences of a side; its ids may be on disk."""
        lengths = side.lengths
        symbols = int(lengths.sum())
        if not symbols:
            return cls(0, 0.0, 0.0, 0, 0)
        return cls(
            symbols,
            float(np.count_nonzero(side.ids == UNK)) / symbols,
            float(lengths.mean()),
            int(np.quantile(lengths, 0.99, method="higher")),
            int(lengths.max()),
        )


class SplitCounts(NamedTuple):
    """Counts of a split.

    pairs: kept. dropped: left out, by reason. unreachable: references longer than any output.
    """

    pairs: int
    dropped: Mapping[str, int]
    source: SideCounts
    target: SideCounts
    unreachable: int

    def row(self, split: str) -> dict[str, Any]:
        """Return the counts as a row of plain values."""
        return {
            "split": split,
            "pairs": self.pairs,
            "dropped": dict(self.dropped),
            "source": self.source._asdict(),
            "target": self.target._asdict(),
            "unreachable": self.unreachable,
        }


class TextCounts(NamedTuple):
    """Counts of a split of tagged texts: those kept, those left out, and their tokens."""

    texts: int
    dropped: int
    source: SideCounts

    def row(self, split: str) -> dict[str, Any]:
        """Return the counts as a row of plain values."""
        dropped = {REPEATS: self.dropped} if self.dropped else {}
        return {
            "split": split,
            "texts": self.texts,
            "dropped": dropped,
            "source": self.source._asdict(),
        }


def one_line_of_texts(name: str, counts: Mapping[str, TextCounts]) -> str:
    """Return the counts of tagged texts in one line."""
    sizes = ", ".join(f"{split} {found.texts:,}" for split, found in counts.items())
    dropped = [
        f"left out of {split}: {REPEATS} {found.dropped:,}"
        for split, found in counts.items()
        if found.dropped
    ]
    unknown = f"unknown in test: {counts['test'].source.unknown:.1%}"
    return "; ".join((f"{name}: {sizes}", *dropped, unknown))


def one_line(name: str, counts: Mapping[str, SplitCounts]) -> str:
    """Return the counts that people should see before a run, in one line."""
    sizes = ", ".join(f"{split} {found.pairs:,}" for split, found in counts.items())
    parts = [f"{name}: {sizes}"]
    dropped = {
        f"{split}: {why}": number
        for split, found in counts.items()
        for why, number in found.dropped.items()
    }
    parts += [f"left out of {why} {number:,}" for why, number in dropped.items()]
    test = counts["test"]
    parts.append(
        f"unknown in test: source {test.source.unknown:.1%}, target {test.target.unknown:.1%}"
    )
    parts += [
        f"{found.unreachable} references of {split} are longer than any output"
        for split, found in counts.items()
        if found.unreachable
    ]
    return "; ".join(parts)
