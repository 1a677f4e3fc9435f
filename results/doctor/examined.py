"""An examined run, as rules read it, and the findings that they make."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeGuard

from results.doctor.health import Health
from results.record import Record

SURE, LIKELY = "certain", "likely"
TOLERANCE = 1e-3
"""Relative difference up to which two numbers count as equal; rounding in fp32 stays far below."""
LOW_PRECISION_TOLERANCE = 0.1
"""The same with bf16 and fp16, which keep two to three digits."""
STALLED = 0.95
"""A run has stalled if more than this share of the loss half-way is left at the end."""
LEARNED = 0.6
"""A run has learned something if its loss is below this share of the loss of guessing."""

CurveKey = Literal[
    "epoch",
    "loss",
    "valid_loss",
    "update_ratio",
    "gradient_norm",
    "forced_accuracy",
    "token_accuracy",
]
"""Keys of a curve's points that rules read."""


@dataclass(frozen=True)
class Finding:
    """Names one thing that is wrong with a run.

    cause: its name. sure: certain or likely. evidence: what was measured. change: what to do.
    remedy: axes to change for a run that tests the advice; empty where code is wrong. others:
    further remedies, each tried where those before it did not help.
    place: the line of the user's code, as train.py:12. why: why it keeps a model from learning.
    """

    cause: str
    sure: str
    evidence: str
    change: str
    remedy: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""
    why: str = ""
    others: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class ExaminedRun:
    """Holds everything that rules read of one run.

    health: what its examination measured. curve: its points along training. variant: its axes.
    status: as in its record. tagging: whether its model is a tagger, which has no decoder.
    """

    health: Health
    curve: Sequence[Mapping[str, Any]]
    variant: Mapping[str, Any]
    status: str
    tagging: bool

    @property
    def solved(self) -> bool:
        """Return whether the run reached its target, so that nothing can be much wrong."""
        return self.status == "solved"

    @property
    def tolerance(self) -> float:
        """Return the relative difference up to which two numbers of this run count as equal."""
        full = self.variant.get("precision", "fp32") in ("fp32", "tf32")
        return TOLERANCE if full else LOW_PRECISION_TOLERANCE

    @property
    def carries_state(self) -> bool:
        """Return whether outputs depend on the batch before.

        Where a batch gives the same to the bit when it is repeated at once, low precision explains
        no difference either: the passes were of one shape and rounded alike.
        """
        again = self.health.again
        return above(again.after_another, TOLERANCE if again.at_once == 0 else self.tolerance)

    @property
    def stalled(self) -> bool:
        """Return whether the loss hardly fell in the second half, after all data was seen."""
        losses = self.values("loss")
        seen = (self.last("epoch") or 0) >= 1
        return seen and len(losses) >= 3 and losses[-1] > STALLED * losses[len(losses) // 2]

    @property
    def learned(self) -> bool:
        """Return whether the loss is well below guessing though the task is not solved."""
        loss, even = self.health.source.loss, self.health.loss.even
        return not self.solved and even is not None and below(loss, LEARNED * even)

    def last(self, key: CurveKey) -> float | None:
        """Return a value of the last point of the curve; None if it was not measured."""
        value = self.curve[-1].get(key) if self.curve else None
        return None if value is None else float(value)

    def values(self, key: CurveKey) -> list[float]:
        """Return the values along the curve, without those that were not measured."""
        return [float(point[key]) for point in self.curve if point.get(key) is not None]


def examined_run(record: Record) -> ExaminedRun | None:
    """Return what rules read of a run; None if it was not examined."""
    health = record.outcome.get("health")
    if not health or "error" in health:
        return None
    return ExaminedRun(
        Health.from_plain(health),
        record.outcome.get("curve", []),
        record.variant,
        record.status,
        # only a tagger is not asked whether its reference leaks
        tagging=health.get("leak") is None,
    )


def above(value: float | None, limit: float) -> TypeGuard[float]:
    """Return whether a number was measured and is above a limit."""
    return value is not None and value > limit


def below(value: float | None, limit: float) -> TypeGuard[float]:
    """Return whether a number was measured and is below a limit."""
    return value is not None and value < limit


def or_zero(value: float | None) -> float:
    """Return the number, or 0 if it was not measured or is not finite."""
    return 0.0 if value is None or math.isnan(value) else value


def shown(value: float | None, form: str) -> str:
    """Return a number as text in a format such as .3g, or `unknown` if it was not measured."""
    return "unknown" if value is None or math.isnan(value) else format(value, form)
