"""Defines the measures by which runs are compared, and reads their values from records.

Scores are compared as differences; costs (tokens, seconds, speed, memory) as ratios, whose
logarithms are treated like differences.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from results import metrics
from results.record import Record, deciding_metric

RATIO_MARGIN = math.log(1.05)
"""Smallest ratio of speed or memory that matters, as a logarithm."""
TARGET_MARGIN = math.log(1.1)
"""Smallest ratio of tokens or seconds to the target that matters, as a logarithm."""
COMPARED_COSTS = ("tokens_to_target", "seconds_to_target", "tokens_per_second", "peak_bytes")
"""Costs that are compared, the most important first."""
FORCED = {
    "exposure_gap": "forced_token_accuracy",
    "exposure_gap_with_ends": "forced_accuracy",
}
"""Forced accuracy of which each exposure gap is the fall."""
LEAST_SECONDS = 1e-9
"""Replaces a time of zero, which has no logarithm."""


class Measure(NamedTuple):
    """Describes a measure of a run.

    Attributes:
        key: its key in records and rows.
        title: heading of its column.
        higher: True if a higher value is better.
        ratio: True if values are compared as a ratio, by their logarithms.
        timed: True if values compare only between runs on one machine.
        margin: the smallest effect that matters, a logarithm for a ratio.
        of_end: True if it is what training ended with, so that it compares at equal work alone.
    """

    key: str
    title: str
    higher: bool
    ratio: bool
    timed: bool
    margin: float
    of_end: bool

    def write(self, estimate: float) -> str:
        """Format an effect of a against b: `+0.120`, or `×1.31` for a ratio."""
        if math.isinf(estimate):
            return "?"
        if self.ratio:
            return f"×{math.exp(estimate):.2f}"
        text = metrics.score(self.key).write(abs(estimate))
        return ("-" if estimate < 0 else "+") + text

    def write_value(self, value: float) -> str:
        """Format the value of one side, which is a logarithm for a ratio."""
        known = metrics.COSTS.get(self.key) or metrics.score(self.key)
        return known.write(math.exp(value) if self.ratio else value)


class Reading(NamedTuple):
    """Holds the value of a measure of one run.

    Attributes:
        value: the value, as a logarithm for a ratio.
        censored: True if the target was not reached or there is no score; the value is then the
            best that the run could have had.
    """

    value: float
    censored: bool


def measures(metric: str) -> list[Measure]:
    """Return all measures by which two variants are compared: a task's metric, then the costs."""
    return [measure(key) for key in (metric, *COMPARED_COSTS)]


def measure(key: str) -> Measure:
    """Return the measure with this key: a cost, or else a score."""
    if key not in COMPARED_COSTS:
        score = metrics.score(key)
        return Measure(key, score.title, score.higher, False, False, metrics.margin(key), True)
    known = metrics.COSTS[key]
    # the target is only looked at when the run is evaluated, so its costs are less exact
    margin = TARGET_MARGIN if key.endswith("to_target") else RATIO_MARGIN
    return Measure(key, known.title, known.higher, True, key != "tokens_to_target", margin, False)


def readable(key: str, records: Iterable[Record]) -> str:
    """Return the key under which all these runs have a measure.

    Older runs have one forced accuracy, which counts end symbols: where one of the runs is such,
    `exposure_gap` is read as `exposure_gap_with_ends` of all of them, and so named.
    """
    if key != "exposure_gap":
        return key
    tested = filter(None, map(_tested, records))
    return key if all(FORCED[key] in scores for scores in tested) else "exposure_gap_with_ends"


def _tested(record: Record) -> Mapping[str, Any]:
    """Return the scores of a run on test; none if it diverged or failed."""
    scores: Mapping[str, Any] = record.outcome.get("scores", {}).get("test", {})
    return scores


class MeasureReader:
    """Reads measures of the runs of one table, which share a budget.

    A run that never reached the target counts as having reached it at the largest cost that any
    run of the table had, so that it never looks better than one that did. A run without a score,
    because it diverged or failed, counts as the worst one, 0 (of an error rate: 1).

    Attributes:
        metric: key of the score that decides.
    """

    def __init__(self, records: Sequence[Record], metric: str = "") -> None:
        """Read runs of one table, whose own metric decides unless another is given."""
        self.metric = metric or deciding_metric(records)
        # what a run that never reached the target counts as: the largest cost of the table
        self._largest = {
            "tokens_to_target": max(map(_tokens, records), default=1.0),
            "seconds_to_target": max(map(_seconds, records), default=1.0),
        }

    def read(self, record: Record, measure: Measure) -> Reading | None:
        """Return a run's value; None if it was not measured, as the speed of a failed run."""
        if measure.key in self._largest:
            reached = _reached(record, measure.key)
            cost = self._largest[measure.key] if reached is None else reached
            return Reading(math.log(max(cost, LEAST_SECONDS)), reached is None)
        # scores are differences, which need no logarithm
        if not measure.ratio:
            return _score(record, measure.key)
        value = record.measured.get(measure.key)
        return Reading(math.log(value), False) if value else None


def _score(record: Record, key: str) -> Reading | None:
    """Return a score on test, or a value that is derived from the curve or from two scores."""
    tested = _tested(record)
    if key == "loss":
        return _last_loss(record)
    if key in FORCED:
        return _exposure_gap(tested, FORCED[key])
    score = tested.get(key)
    if score is not None:
        return Reading(float(score), False)
    worst = metrics.worst(key)
    return None if worst is None else Reading(worst, True)


def _last_loss(record: Record) -> Reading | None:
    curve = record.outcome.get("curve") or [{}]
    loss = curve[-1].get("loss")
    return None if loss is None else Reading(float(loss), False)


def _exposure_gap(tested: Mapping[str, Any], key: str) -> Reading | None:
    """Return how much accuracy falls from that of this key when the model is fed its own output."""
    forced, free = tested.get(key), tested.get("token_accuracy")
    return None if forced is None or free is None else Reading(forced - free, False)


def _reached(record: Record, key: str) -> float | None:
    """Return the cost at which a run reached the target; None if it never did."""
    if key == "seconds_to_target":
        seconds = record.measured.get("seconds_to_target")
        return None if seconds is None else float(seconds)
    reached = record.outcome.get("to_target")
    return float(reached["tokens"]) if reached else None


def _tokens(record: Record) -> float:
    return float(record.outcome.get("tokens") or 1.0)


def _seconds(record: Record) -> float:
    return float(record.measured.get("train_seconds") or LEAST_SECONDS)


def unlike_machines(records: Iterable[Record]) -> bool:
    """Return True if these runs were timed on several hosts or kinds of hardware."""
    return len({known for record in records if (known := _machine(record))}) > 1


def _machine(record: Record) -> tuple[str, str] | None:
    """Return the host and hardware a run was timed on; None if it was not timed."""
    described = record.measured.get("machine")
    if not described:
        return None
    hardware = (
        f"{described.get('processor')}, {described.get('device', 'cpu')}, "
        f"{described.get('threads')} threads"
    )
    return str(record.measured.get("host")), hardware
