"""What of a run is compared, and how: as a difference or as a ratio, and how much of it matters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from results import metrics
from results.record import Record

RATIO_MARGIN = math.log(1.05)
"""Speed and memory that differ by less do not matter."""
TARGET_MARGIN = math.log(1.1)
"""Nor does a target reached with so little more."""


class Measure(NamedTuple):
    """ratio: compared by logarithms. timed: only between runs of one machine."""

    key: str
    title: str
    higher: bool
    ratio: bool
    timed: bool
    margin: float

    def write(self, estimate: float) -> str:
        """An estimate of a minus b, as a person reads it: `+0.120`, or `×1.31` of a ratio."""
        if math.isinf(estimate):
            return "?"
        if self.ratio:
            return f"×{math.exp(estimate):.2f}"
        text = metrics.score(self.key).write(abs(estimate))
        return ("-" if estimate < 0 else "+") + text

    def write_value(self, value: float) -> str:
        """One side's."""
        known = metrics.COSTS.get(self.key) or metrics.score(self.key)
        return known.write(math.exp(value) if self.ratio else value)


class Reading(NamedTuple):
    """value: a logarithm, of a ratio. censored: the target was not reached, or there is no score;
    the value is then the least bad that it could be."""

    value: float
    censored: bool


def measures(metric: str) -> list[Measure]:
    """All that two variants are compared by, what matters most first. metric: of the task."""
    return [measure(key) for key in (metric, *COMPARED_COSTS)]


COMPARED_COSTS = ("tokens_to_target", "seconds_to_target", "tokens_per_second", "peak_bytes")


def measure(key: str) -> Measure:
    """One of COSTS, or a score."""
    if key not in COMPARED_COSTS:
        score = metrics.score(key)
        return Measure(key, score.title, score.higher, False, False, metrics.margin(key))
    known = metrics.COSTS[key]
    margin = TARGET_MARGIN if key.endswith("to_target") else RATIO_MARGIN
    return Measure(key, known.title, known.higher, True, key != "tokens_to_target", margin)


class MeasureReader:
    """Reads a measure of runs that stand in one table, whose budgets are alike.

    A run that never reached the target counts as one that reached it when the most that any run
    of the table spent was spent, so that none of them looks better than one that got there. A run
    without a score, as it diverged or failed, counts as 0. metric: what decides.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        known = (str(r.outcome["metric"]) for r in records if "metric" in r.outcome)
        self.metric = next(known, "score")
        self._most = {
            "tokens_to_target": max((_tokens(record) for record in records), default=1.0),
            "seconds_to_target": max((_seconds(record) for record in records), default=1.0),
        }

    def read(self, record: Record, measure: Measure) -> Reading | None:
        """None where nothing was measured: speed and memory of a failed run."""
        if measure.key in self._most:
            reached = _reached(record, measure.key)
            took = self._most[measure.key] if reached is None else reached
            return Reading(math.log(max(took, 1e-9)), reached is None)
        if not measure.ratio:
            return _score(record, measure)
        value = record.measured.get(measure.key)
        return Reading(math.log(value), False) if value else None


def _score(record: Record, measure: Measure) -> Reading | None:
    """Of test, or of the last point of the curve."""
    outcome = record.outcome
    tested = outcome.get("scores", {}).get("test", {})
    if measure.key == "loss":
        curve = outcome.get("curve") or [{}]
        loss = curve[-1].get("loss")
        return None if loss is None else Reading(float(loss), False)
    if measure.key == "exposure_gap":
        both = tested.get("forced_accuracy"), tested.get("token_accuracy")
        return None if None in both else Reading(both[0] - both[1], False)
    score = tested.get(measure.key)
    return Reading(0.0, True) if score is None else Reading(float(score), False)


def _reached(record: Record, key: str) -> float | None:
    if key == "seconds_to_target":
        seconds = record.measured.get("seconds_to_target")
        return None if seconds is None else float(seconds)
    reached = record.outcome.get("to_target")
    return float(reached["tokens"]) if reached else None


def _tokens(record: Record) -> float:
    return float(record.outcome.get("tokens") or 1.0)


def _seconds(record: Record) -> float:
    return float(record.measured.get("train_seconds") or 1e-9)


def machine(record: Record) -> tuple[str, str] | None:
    """What a run was timed on; None for one that was not timed."""
    told = record.measured.get("machine")
    if not told:
        return None
    where = f"{told.get('processor')}, {told.get('device', 'cpu')}, {told.get('threads')} threads"
    return str(record.measured.get("host")), where
