"""Judges the data as the training shows it: ends, repeated batches, order, unknown words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from results.doctor.examined import LIKELY, SURE, Finding
from results.doctor.watched.losses import ENOUGH, MOSTLY_RIGHT

MANY_UNKNOWN = 0.35
"""Share of one symbol among those of the sources above which it may stand for unknown words."""
COMMON_END = 0.5
"""An end symbol ends more than this share of the examples."""
FULL_BATCH = 100
"""A batch of so many examples may be all the data that there is."""


@dataclass(frozen=True)
class DataSeen:
    """The data of the rounds that could be read."""

    examples: int
    """Examples of one batch."""
    rounds: int
    """Rounds that were read."""
    last_round: int
    place: str
    """The line where the source enters."""
    common_end: float | None = None
    """Share of examples whose last symbol is the commonest last one; None if all targets are of
    one length, or if too few were seen."""
    as_long_as_source: float = 0.0
    """Share of examples whose target is as long as its source."""
    repeated: bool = False
    """Whether all rounds had the same examples."""
    order_lost: bool | None = None
    """Whether exchanging two source symbols leaves all predictions as they are; None if unknown."""
    commonest: tuple[int, float] | None = None
    """The commonest source symbol, without padding and ends, and its share."""
    accuracy: float = 0.0


def order_lost(seen: DataSeen) -> Iterator[Finding]:
    """Find a model that does not see the order of its source."""
    if seen.order_lost and seen.accuracy < MOSTLY_RIGHT:
        yield Finding(
            "source-order-lost",
            SURE,
            "exchanging two different source symbols of each example changes no prediction",
            "give the embedded symbols to a recurrent layer one after another, before anything "
            "sums or averages them",
            place=seen.place,
            why="the model knows which symbols the source has, and not where they stand.",
        )


def no_end(seen: DataSeen) -> Iterator[Finding]:
    """Find targets that have no end symbol, or a loss that ignores it."""
    if seen.common_end is None or seen.as_long_as_source > MOSTLY_RIGHT:
        return
    if seen.common_end < COMMON_END:
        yield Finding(
            "no-eos-in-loss",
            LIKELY,
            "targets have several lengths, and no symbol ends them: the commonest of the last "
            f"symbols that the loss asks for ends {seen.common_end:.0%} of the examples",
            "append the end symbol to every target, and do not let the loss ignore it (padding "
            "needs an id of its own)",
            place=seen.place,
            why="the model never learns to stop, so free outputs run on to the limit.",
        )


def same_batch(seen: DataSeen) -> Iterator[Finding]:
    """Find a training that sees one small batch again and again."""
    if seen.repeated and seen.rounds > 2 and seen.last_round > 0 and seen.examples < FULL_BATCH:
        yield Finding(
            "same-batch-only",
            LIKELY,
            f"all {seen.rounds} rounds that were looked at, up to step {seen.last_round:,}, train "
            f"on the same {seen.examples} examples",
            "take the next batch inside the loop: for source, target in loader: ...",
            place=seen.place,
            why="the model memorises these examples and learns nothing about others.",
        )


def unknown(seen: DataSeen) -> Iterator[Finding]:
    """Find sources of which most are one symbol."""
    if seen.commonest is None or seen.accuracy > MOSTLY_RIGHT or seen.last_round < ENOUGH:
        return
    symbol, share = seen.commonest
    if share > MANY_UNKNOWN:
        yield Finding(
            "too-many-unknown",
            LIKELY,
            f"{share:.0%} of all source symbols are symbol {symbol}, without padding and ends",
            "build the vocabulary from all training data, and look at how many words it lacks",
            place=seen.place,
            why="words that are one and the same symbol cannot be told apart.",
        )


DATA_RULES = (order_lost, no_end, same_batch, unknown)
