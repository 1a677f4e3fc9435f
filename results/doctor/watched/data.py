"""Judges the data as the training shows it: ends, repeated batches, order, unknown words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from results.doctor.examined import LIKELY, SURE, Finding
from results.doctor.watched.evaluation_facts import EvaluationsSeen
from results.doctor.watched.losses import ENOUGH, MOSTLY_RIGHT

MANY_UNKNOWN = 0.35
"""Share of one symbol among those of the sources above which it may stand for unknown words."""
KNOWN_UNKNOWN = 0.15
"""Share of a symbol among those of the targets whose text says that it stands for unknown words."""
FEW_KNOWN = 0.1
"""The same among those of the sources, in a model that has not learned."""
SOME_UNKNOWN = 0.05
"""The same where examples with more of it are predicted worse."""
CLEARLY_WORSE = 0.15
"""Difference between shares of right predictions that is no chance."""
COMMON_END = 0.5
"""An end symbol ends more than this share of the examples."""
NEARLY_COMMON_END = 0.9
"""The same where some examples are cut off."""
ENOUGH_TO_PAIR = 90
"""Training steps after which a model uses its source if that says anything of the target."""
NEEDS_PADDING = 0.05
"""Share of predictions that padding makes right which says that the model needs it."""
CANNOT_WITHOUT = 0.2
"""Share of predictions that padding makes right which alone explains a poor evaluation."""
FEWEST_PASSES = 3
"""Fewer passes without padding may have none by chance."""
FULL_BATCH = 100
"""A batch of so many examples may be all the data that there is."""


MANY_CUT = 0.05
"""Share of examples that are cut off which costs more than it saves."""
INSIDE = 0.05
"""Share of targets in whose middle a special symbol must stand."""
SPECIAL = 4
"""Ids below this are mostly those of padding, start, end and unknown words."""
UNRELATED = 3.0
"""Below so many standard deviations of random orders, targets have nothing to do with sources."""
UNUSED = 0.05
"""A model does not use its source if another source costs less than this share of the loss."""


@dataclass(frozen=True)
class PairsSeen:
    """The dependence of targets on sources, in the data and in the model."""

    pairs: int
    """Different pairs that were compared."""
    relation: float
    """Likeness of targets whose sources are alike, in standard deviations of random orders."""
    loss: float
    """Cross-entropy of the last round that was read."""
    exchanged_loss: float
    """The same when each example is given the source of another one."""
    restored: float | None = None
    """The relation if sources are put back to where they stood before the script changed their
    order; None if it did not."""


@dataclass(frozen=True)
class PaddingSeen:
    """The padding that layers read, or that attention sees, in the last round, and its effect."""

    symbol: int
    share: float
    """Share of the source positions that is padding, or of the attention that is on it."""
    right: float
    """Share of the predictions of padded examples that are right; of attention, share of these
    examples in which all are."""
    right_without: float
    """The same if layers stop at each example's end, or if attention cannot see padding."""
    passes_without: int
    """Passes of evaluations whose sources have no padding."""
    place: str
    """The line of the layer, or of the weights."""


@dataclass(frozen=True)
class UnknownSeen:
    """The symbol that stands for unknown words, on one side."""

    side: str
    """source or target."""
    symbol: int
    share: float
    """Its share among the symbols of that side, without starts, ends and padding."""
    text: str
    vocabulary: str
    """What the vocabulary is called that has it."""
    other: str | None
    """Another vocabulary, of a size that fits neither side of the model."""
    right_with: float | None = None
    """Share of predictions that are right, in the last round read, of examples whose source has the
    symbol more than `most` times; None if there are few of these or of the others."""
    right_without: float | None = None
    """The same of the other examples."""
    most: int = 0
    spelled: bool = False
    """Whether something else of the source enters the model, such as letters of its words."""

    @property
    def harms(self) -> bool:
        """Return whether examples with more of the symbol go wrong more often."""
        if self.right_with is None or self.right_without is None or self.share < SOME_UNKNOWN:
            return False
        return self.right_with < self.right_without - CLEARLY_WORSE


@dataclass(frozen=True)
class CollisionSeen:
    """The start and the end symbol, and how often they stand in the middle of targets."""

    start: int | None
    """The symbol that every decoder input begins with, if there is one."""
    end: int
    """The symbol that every target ends with."""
    with_start: float
    """Share of the targets that ask for the start symbol before their end."""
    with_end: float
    """Share of the targets that ask for the end symbol before their end."""


@dataclass(frozen=True)
class CutOff:
    """Targets or sources whose end was cut off: the longest ones lack what all others end with."""

    side: str
    """target or source."""
    end: int
    share: float
    """Share of all examples that lack it."""
    longest: int
    """Symbols of those that lack it."""


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
    pairs: PairsSeen | None = None
    padding: PaddingSeen | None = None
    attended: PaddingSeen | None = None
    unknown: UnknownSeen | None = None
    longest: int = 0
    """Symbols of the longest target that the loss asks for."""
    unasked_end: int | None = None
    """The symbol that ends every target, and that no loss asks for; None if there is none."""
    collision: CollisionSeen | None = None
    cut: CutOff | None = None


class HasData(Protocol):
    """Offers what the rule about ends reads of all that was seen."""

    @property
    def data(self) -> DataSeen | None:
        """Return what was seen of the data."""

    @property
    def evaluations(self) -> EvaluationsSeen | None:
        """Return what was seen of the evaluations."""


def misaligned(seen: DataSeen) -> Iterator[Finding]:
    """Find targets that do not depend on their sources."""
    pairs = seen.pairs
    if pairs is None or seen.accuracy > MOSTLY_RIGHT or seen.last_round < ENOUGH_TO_PAIR:
        return
    unused = pairs.exchanged_loss < (1 + UNUSED) * pairs.loss
    alike_before = pairs.restored is not None and pairs.restored > UNRELATED
    if unused and alike_before and pairs.relation < UNRELATED:
        yield Finding(
            "rows-not-restored",
            SURE,
            f"the sources of {pairs.pairs} pairs were put in another order before they are looked "
            f"up: targets of similar sources are no more alike than any ({pairs.relation:.1f} "
            "standard deviations of random orders), and in the order of before they are "
            f"({pairs.restored:.1f})",
            "put the encoder's outputs and state back in order: outputs[order.argsort()], or use "
            "pack_padded_sequence(..., enforce_sorted=False)",
            place=seen.place,
            why="each example is trained to give the target of another one.",
        )
        return
    if unused and pairs.relation < UNRELATED:
        yield Finding(
            "pairs-misaligned",
            LIKELY,
            f"in {pairs.pairs} pairs of source and target, targets of similar sources are no more "
            f"alike than any (by {pairs.relation:.1f} standard deviations of random orders); each "
            "example given the source of another one, the loss goes from "
            f"{pairs.loss:.3g} to {pairs.exchanged_loss:.3g}",
            "print some pairs of source and target as the model is given them: do they belong "
            "together? Sort, shuffle and filter both by one and the same order",
            place=seen.place,
            why="the model can learn, but what it is asked for has nothing to do with its source.",
        )


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


def collides(seen: DataSeen) -> Iterator[Finding]:
    """Find start and end symbols whose ids other symbols have too."""
    one = seen.collision
    if one is None or one.with_end < INSIDE:
        return
    if seen.as_long_as_source > MOSTLY_RIGHT:  # labels may all end with the commonest one
        return
    # texts may all end in a stop that stands in their middle too, but special ids are small
    if one.with_start < INSIDE and one.end >= SPECIAL and one.start != one.end:
        return
    started = f", and the start symbol, {one.start}, in {one.with_start:.0%}" * (one.with_start > 0)
    yield Finding(
        "ids-collide",
        LIKELY,
        f"every target ends with symbol {one.end}; in {one.with_end:.0%} of them it is also asked "
        f"for before the end{started}",
        "number real symbols behind the special ones: id = index + number of special symbols",
        place=seen.place,
        why="the model cannot tell the end from a symbol of the same id, and stops in the middle.",
    )


def cut_off(seen: DataSeen) -> Iterator[Finding]:
    """Find targets or sources that were cut off at a number of symbols."""
    one = seen.cut
    if one is None or one.share < MANY_CUT:
        return
    yield Finding(
        "sequences-cut-off",
        LIKELY,
        f"all {one.side}s of fewer than {one.longest} symbols end with symbol {one.end}, and "
        f"{one.share:.0%} of all examples have {one.longest} symbols and no end",
        f"raise the limit of {one.longest} symbols, or leave longer examples out",
        place=seen.place,
        why="the model is asked for answers without their end, or told only the beginning of its "
        "source.",
    )


def no_end(watched: HasData) -> Iterator[Finding]:
    """Find targets that have no end symbol, or a loss that ignores it."""
    seen = watched.data
    evidence = None if seen is None else _without_end(seen, watched.evaluations)
    if seen is None or evidence is None:
        return
    yield Finding(
        "no-eos-in-loss",
        LIKELY,
        evidence,
        "append the end symbol to every target, and do not let the loss ignore it (padding needs "
        "an id of its own)",
        place=seen.place,
        why="the model never learns to stop, so free outputs run on to the limit.",
    )


def _without_end(seen: DataSeen, evaluated: EvaluationsSeen | None) -> str | None:
    """Return what shows that no end symbol is asked for, or None."""
    if seen.unasked_end is not None:
        return (
            f"symbol {seen.unasked_end} follows the last symbol that the loss asks for, in every "
            "example and before any padding: an end symbol without weight in the loss"
        )
    if seen.common_end is None or seen.common_end > NEARLY_COMMON_END:
        return None
    several = (
        "targets have several lengths, and no symbol ends them: the commonest of the last "
        f"symbols that the loss asks for ends {seen.common_end:.0%} of the examples"
    )
    # where each target is as long as its source, the source may say when to stop
    if seen.common_end < COMMON_END and seen.as_long_as_source <= MOSTLY_RIGHT:
        return several
    # a full stop may end half of them; then evaluation says whether the model stops there
    steps = None if evaluated is None else evaluated.fewest_steps
    if steps is None or steps <= seen.longest + 1:
        return None
    return (
        f"{several}; evaluation goes on for {steps} steps or more, and the longest target has "
        f"{seen.longest} symbols"
    )


def padding_in_state(seen: DataSeen) -> Iterator[Finding]:
    """Find an encoder that reads padding in training and none in evaluation."""
    one = seen.padding
    if one is None or one.passes_without < FEWEST_PASSES:
        return
    needed = one.right - one.right_without
    if needed > NEEDS_PADDING:
        yield Finding(
            "padding-in-state",
            SURE if needed > CANNOT_WITHOUT else LIKELY,
            f"in training the encoder reads on through padding (symbol {one.symbol}, "
            f"{one.share:.0%} of the source positions), and in {one.passes_without} passes of "
            "evaluation there is none; of the training's "
            f"predictions of padded examples {one.right:.0%} are right, and {one.right_without:.0%}"
            " if the layer stops at each example's end, as it does there",
            "pack the sources: pack_padded_sequence(embedded, lengths, enforce_sorted=False)",
            place=one.place,
            why="the model has learned from states after padding, and does not know those without.",
        )


def padding_needed(seen: DataSeen) -> Iterator[Finding]:
    """Find attention that leans on padding in training, where evaluation has none."""
    one = seen.attended
    if one is None or one.passes_without < FEWEST_PASSES:
        return
    if one.right - one.right_without > CANNOT_WITHOUT:
        yield Finding(
            "padding-attended",
            SURE,
            f"in training {one.share:.0%} of the attention of examples with padding is on it "
            f"(symbol {one.symbol}), and in {one.passes_without} passes of evaluation there is "
            f"none; in the last batch looked at {one.right:.0%} of the padded examples are all "
            f"right, and {one.right_without:.0%} if attention cannot see padding",
            "mask padding before the softmax: scores.masked_fill(source == pad, float('-inf'))",
            place=one.place,
            why="the model has learned to look at padding, and does not know sources without.",
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
    """Find sources or targets of which most symbols stand for unknown words."""
    one = seen.unknown
    learned = seen.accuracy > MOSTLY_RIGHT or seen.last_round < ENOUGH
    harms = one is not None and one.harms and not learned
    if one is None or (not harms and one.share < _tolerated(one, learned)):
        return
    evidence = (
        f"{one.share:.0%} of all {one.side} symbols are {one.symbol}, {one.text!r} in "
        f"{one.vocabulary}, without padding and ends"
    )
    if harms:
        evidence += (
            f"; for sources with more than {one.most} of them {one.right_with:.0%} of the "
            f"predictions are right, for others {one.right_without:.0%}"
        )
    if one.side == "target" and one.other is not None:
        yield Finding(
            "other-vocabulary",
            LIKELY,
            f"{evidence}; {one.other} is another vocabulary, and its size fits neither side of the "
            "model",
            f"look the targets up in their own vocabulary: {one.other}",
            place=seen.place,
            why="most target words are not in the vocabulary of the source.",
        )
        return
    yield Finding(
        "too-many-unknown",
        LIKELY,
        evidence,
        "build the vocabulary from all training data, and look at how many words it lacks",
        place=seen.place,
        why="words that are one and the same symbol cannot be told apart.",
    )


def _tolerated(one: UnknownSeen, learned: bool) -> float:
    """Return the share of unknown words that is no finding."""
    if one.side == "target":
        return KNOWN_UNKNOWN if learned else FEW_KNOWN
    return MANY_UNKNOWN if learned or one.spelled else FEW_KNOWN


def mostly_one(seen: DataSeen) -> Iterator[Finding]:
    """Find sources of which most are one symbol, of a vocabulary that was not found."""
    if seen.commonest is None or seen.accuracy > MOSTLY_RIGHT or seen.last_round < ENOUGH:
        return
    symbol, share = seen.commonest
    if share > MANY_UNKNOWN and seen.unknown is None:
        yield Finding(
            "too-many-unknown",
            LIKELY,
            f"{share:.0%} of all source symbols are symbol {symbol}, without padding and ends",
            "build the vocabulary from all training data, and look at how many words it lacks",
            place=seen.place,
            why="words that are one and the same symbol cannot be told apart.",
        )


DATA_RULES = (
    misaligned,
    order_lost,
    same_batch,
    collides,
    unknown,
    mostly_one,
    padding_needed,
    padding_in_state,
    cut_off,
)
