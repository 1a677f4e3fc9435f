"""Judges dropout and batch norm in training: where they act, and whether they act at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from results.doctor.examined import LIKELY, SURE, Finding
from results.doctor.watched.losses import ENOUGH, MOSTLY_RIGHT

LOST = 0.1
"""Share of predictions that a change must make right, or wrong, to be a cause."""
NOTABLE_RATE = 0.2
"""Less dropout on a state does little harm."""


STRONG = 0.65
"""Dropout that leaves less than a third of what it is given."""


@dataclass(frozen=True)
class SwitchedInTraining:
    """The last round read, with something in it and without."""

    right: float
    """Share of right predictions as the script trains."""
    right_without: float
    rate: float
    """The largest probability of dropout; 0 for batch norm."""
    examples: int
    place: str


@dataclass(frozen=True)
class StoppedDropout:
    """Dropout that is switched off in training."""

    since: int
    """Training steps before the first of the rounds in which it is."""
    last: int
    rate: float
    place: str


@dataclass(frozen=True)
class ModesSeen:
    """Dropout and batch norm in training."""

    accuracy: float
    on_state: SwitchedInTraining | None = None
    """Dropout on a state that is carried from step to step."""
    batch_norm: SwitchedInTraining | None = None
    """Batch norm by the batch's statistics, and by the running ones of evaluation."""
    stopped: StoppedDropout | None = None
    strong: SwitchedInTraining | None = None
    """The strongest dropout."""


def dropout_on_state(seen: ModesSeen) -> Iterator[Finding]:
    """Find dropout on the state that a loop carries from step to step."""
    one = seen.on_state
    if one is None or one.rate < NOTABLE_RATE or seen.accuracy > MOSTLY_RIGHT:
        return
    sure = one.right_without - one.right > LOST
    yield Finding(
        "dropout-on-state",
        SURE if sure else LIKELY,
        f"dropout of {one.rate:g} acts on the state that is passed to the next step, in each step "
        f"anew: in the last round that was looked at {one.right:.0%} of the predictions are right, "
        f"and {one.right_without:.0%} if it is switched off",
        "drop values of the output only, not of the state: logits = out(dropout(hidden)), and pass "
        "hidden on as it is",
        place=one.place,
        why="what is dropped is lost for all later steps, so that nothing is remembered for long.",
    )


def batch_statistics(seen: ModesSeen) -> Iterator[Finding]:
    """Find batch norm whose running statistics are not those that it trains with."""
    one = seen.batch_norm
    if one is None or one.right - one.right_without < LOST:
        return
    yield Finding(
        "batch-norm-statistics",
        SURE,
        f"batch norm trains with the statistics of batches of {one.examples} examples: "
        f"{one.right:.0%} of the predictions of the last round looked at are right, and "
        f"{one.right_without:.0%} with the running statistics that evaluation uses",
        "use nn.LayerNorm in its place, or larger batches without padding among the rows",
        place=one.place,
        why="the running statistics are not those of the batches, so the model that is evaluated "
        "is another one than the model that was trained.",
    )


def stopped_dropout(seen: ModesSeen) -> Iterator[Finding]:
    """Find training that goes on in evaluation mode."""
    one = seen.stopped
    if one is None or one.last < ENOUGH or one.rate < NOTABLE_RATE:
        return
    yield Finding(
        "eval-mode-in-training",
        LIKELY,
        f"dropout of {one.rate:g} is switched off in all rounds that were looked at from step "
        f"{one.since:,} to step {one.last:,}: the model trains in evaluation mode",
        "call model.train() at the beginning of each epoch, after model.eval()",
        place=one.place,
        why="without dropout the model fits its training data more closely than others.",
    )


def too_strong(seen: ModesSeen) -> Iterator[Finding]:
    """Find dropout that leaves next to nothing, as with the probability to keep given for it."""
    one = seen.strong
    if one is None or one.rate < STRONG or one.right > MOSTLY_RIGHT:
        return
    yield Finding(
        "dropout-too-strong",
        LIKELY,
        f"dropout sets {one.rate:.0%} of its input to 0; in the last round that was looked at "
        f"{one.right:.0%} of the predictions are right with it, {one.right_without:.0%} without",
        f"p is the probability to drop, not to keep: p={1 - one.rate:.2g}, or 0.1 to 0.3",
        place=one.place,
        why="what is left says too little of the symbols to learn from.",
    )


MODES_RULES = (dropout_on_state, too_strong, batch_statistics, stopped_dropout)
