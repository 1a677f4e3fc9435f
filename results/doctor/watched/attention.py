"""Judges attention: along which axis it is normalised, and whether it looks anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from results.doctor.examined import LIKELY, SURE, Finding
from results.doctor.watched.losses import ENOUGH, MOSTLY_RIGHT

INVERTED = 0.99
"""Mean weight on padding above which a mask hides the symbols instead of the padding."""
MOSTLY_HIDDEN = 0.5
"""Share of rows with every position hidden above which a mask hides the symbols."""
MUCH_COVERED = 0.1
"""Share of the source's symbols that a mask of padding may hide without a finding."""
MOST_MARKS = 2
"""Different symbols that a mask may hide on purpose: the start and the end of a source."""
MUCH = 0.3
"""Mean weight on padding above which padding is attended to."""


@dataclass(frozen=True)
class WeightsSeen:
    """The weights of the softmaxes at one line of the code, in one round."""

    place: str
    shape: tuple[int, ...]
    axis: int
    positions: int
    """Number of source positions."""
    over: str
    """What lies along the normalised axis: source, batch, one (it has one element), other."""
    even: bool
    """Whether all weights are exactly equal."""
    hidden: float
    """Share of the rows of scores in which a mask hides every position."""
    steps: int
    same_each_step: bool
    """Whether the weights of all decoder steps are exactly the same."""
    padding: float | None
    """Mean weight on padding in examples that have some."""
    covered: float = 0.0
    """Share of the symbols of the sources that a mask hides at every step."""
    covered_symbols: int = 0
    """Number of different symbols among these."""
    without_effect: bool = False
    """Whether no prediction changes where the weights are turned round along the source."""


@dataclass(frozen=True)
class AttentionSeen:
    """The attention that was seen in the first round read and in the last."""

    first: tuple[WeightsSeen, ...]
    last: tuple[WeightsSeen, ...]
    accuracy: float
    """Share of predictions that are right in the last round read."""
    steps: int = 0
    """Training steps before the last round read."""


def wrong_axis(seen: AttentionSeen) -> Iterator[Finding]:
    """Find attention that is normalised over another axis than the source positions."""
    for weights in seen.first:
        if weights.over not in ("batch", "other", "one"):
            continue
        if weights.over == "one":
            yield Finding(
                "attention-constant",
                SURE,
                f"softmax is given scores of shape {weights.shape} and normalises axis "
                f"{weights.axis}, which has one element: every weight is 1, whatever the scores",
                f"normalise the axis of the {weights.positions} source positions",
                place=weights.place,
                why="attention adds up all positions and cannot choose one.",
            )
            continue
        batch = weights.over == "batch"
        lies = "the examples of the batch lie" if batch else "no source positions lie"
        yield Finding(
            "attention-over-batch" if batch else "attention-over-wrong-axis",
            SURE if batch else LIKELY,
            f"softmax is given scores of shape {weights.shape} and normalises axis {weights.axis}, "
            f"along which {lies}; the source has {weights.positions} positions",
            "normalise over the source positions: F.softmax(scores, dim=...) with their axis",
            place=weights.place,
            why="the weights of one example do not sum to 1 over its source.",
        )


def constant(seen: AttentionSeen) -> Iterator[Finding]:
    """Find attention whose weights never differ, or never change from step to step."""
    last = {weights.place: weights for weights in seen.last}
    for weights in seen.first:
        later = last.get(weights.place)
        if later is None or weights.over in ("batch", "one"):
            continue
        if min(weights.hidden, later.hidden) > MOSTLY_HIDDEN:
            yield _all_hidden(weights)
        elif weights.even and later.even:
            yield Finding(
                "attention-constant",
                SURE,
                f"all weights over {weights.positions} source positions are exactly equal, in the "
                "first round and in the last that were looked at",
                "let the scores depend on the decoder's state and on the encoder's outputs, and "
                "do not start their weights at 0",
                place=weights.place,
                why="attention gives the mean of the source at every step.",
            )
        elif weights.without_effect and later.without_effect:
            yield Finding(
                "attention-constant",
                SURE,
                f"with the weights over {weights.positions} source positions turned round, from "
                "the last to the first, no prediction changes",
                "let each weight multiply the encoder's output of its own position: "
                'torch.einsum("bs,bsh->bh", weights, outputs), or weights.unsqueeze(1) @ outputs',
                place=weights.place,
                why="the sum over the source does not depend on where attention looks.",
            )
        elif weights.same_each_step and later.same_each_step:
            yield Finding(
                "query-constant",
                SURE,
                f"the weights are exactly the same at all {weights.steps} steps of the decoder",
                "compute the scores from the decoder's present state, inside the loop",
                place=weights.place,
                why="attention looks at the same place of the source at every step.",
            )


def _all_hidden(weights: WeightsSeen) -> Finding:
    return Finding(
        "mask-inverted",
        # that it hides the rest as well would be another slip of the mask
        SURE if (weights.padding or 0.0) > INVERTED else LIKELY,
        f"in {weights.hidden:.0%} of the rows of scores given to softmax, the mask hides all "
        f"{weights.positions} positions; beside what it adds the scores are lost",
        "hide padding, not symbols: scores.masked_fill(mask == 0, float('-inf')) where mask is 1 "
        "at real symbols",
        place=weights.place,
        why="attention sees the symbols evenly, whatever their scores, or padding alone.",
    )


def padding(seen: AttentionSeen) -> Iterator[Finding]:
    """Find attention to padding: all of it, or much of it in a model that has not learned."""
    for weights in seen.last:
        share = weights.padding
        if share is None or weights.hidden > MOSTLY_HIDDEN:
            continue
        if share > INVERTED:
            yield Finding(
                "mask-inverted",
                SURE,
                f"{share:.0%} of the attention of examples with padding is on their padding",
                "invert the mask: scores.masked_fill(mask == 0, float('-inf')) where mask is 1 at "
                "real symbols",
                place=weights.place,
                why="attention sees nothing of the source but its padding.",
            )
        elif share > MUCH and seen.accuracy < MOSTLY_RIGHT and seen.steps >= ENOUGH:
            yield Finding(
                "padding-attended",
                LIKELY,
                f"{share:.0%} of the attention of examples with padding is on their padding, and "
                f"{seen.accuracy:.0%} of the predictions are right",
                "mask padding before the softmax: scores.masked_fill(source == pad, float('-inf'))",
                place=weights.place,
                why="padding says nothing and takes weight from the symbols.",
            )


def covered(seen: AttentionSeen) -> Iterator[Finding]:
    """Find a mask that hides symbols of the source from all steps."""
    last = {weights.place: weights for weights in seen.last}
    for weights in seen.first:
        later = last.get(weights.place, weights)
        hides = min(weights.covered, later.covered) > MUCH_COVERED
        if hides and min(weights.covered_symbols, later.covered_symbols) > MOST_MARKS:
            yield Finding(
                "mask-inverted",
                LIKELY,  # a mask may hide a part of the source on purpose
                f"the mask hides {later.covered:.0%} of the symbols of the sources, of "
                f"{later.covered_symbols} kinds, from attention at every step",
                "make the mask of the padding symbol: mask = source == pad, and hide what it marks",
                place=weights.place,
                why="attention cannot see these symbols, whatever the step asks for.",
            )


ATTENTION_RULES = (wrong_axis, constant, padding, covered)
