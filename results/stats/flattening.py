"""Says of a curve whether it had flattened when training ended, or whether it still rose.

A run has flattened if over the last third of its evaluations, and at least FEWEST_EVALUATIONS,
neither its best score improved by what matters (`metrics.margin`) nor its best validation loss by
LEAST_FALL; or if its score is as good as it can be. It is read from the curve alone, so that it can
be said of every stored run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from results import metrics
from results.record import Record, Trend

FEWEST_EVALUATIONS = 4
"""Evaluations without improvement after which a run counts as flat, if it had others before."""
LEAST_FALL = 0.01
"""Share by which the best validation loss must fall to count as an improvement."""
ROUNDING = 1e-9
"""Difference that does not count: shares of as many examples differ by exactly what matters."""
STOPS_FROM = 3 * FEWEST_EVALUATIONS
"""Evaluations before which no run ends as it has flattened: then the last third is long enough."""
FLATTENED: Trend = "flattened"
RISING: Trend = "still rising"
UNCLEAR: Trend = "cannot tell"

Curve = Sequence[Mapping[str, Any]]
"""Evaluations on validation, each with `valid_loss` in nats and the scores."""


def trend(curve: Curve, metric: str) -> Trend:
    """Return whether a curve had flattened at its end.

    Of fewer than STOPS_FROM evaluations the last third is less than FEWEST_EVALUATIONS. Then a run
    has flattened if nothing improved over FEWEST_EVALUATIONS, it still rises if something did over
    the last third, and else nothing can be said.

    Args:
        curve: the evaluations, in their order; a value may be None where it was not finite.
        metric: key of the deciding score.
    """
    if _at_its_best(curve, metric):
        return FLATTENED
    if len(curve) <= FEWEST_EVALUATIONS:
        return UNCLEAR
    third = last_third(curve)
    if not _improved(curve, metric, max(third, FEWEST_EVALUATIONS)):
        return FLATTENED
    return RISING if _improved(curve, metric, third) else UNCLEAR


def trend_of(record: Record) -> Trend | None:
    """Return whether a run had flattened; None if it broke off, or if its curve was not read."""
    curve = record.outcome.get("curve")
    if record.status in ("diverged", "failed") or not (curve or record.trend):
        return None
    return trend(curve, str(record.outcome["metric"])) if curve else record.trend


def has_flattened(curve: Curve, metric: str) -> bool:
    """Return whether training that goes on until a run is flat may end at this evaluation."""
    return len(curve) >= STOPS_FROM and trend(curve, metric) == FLATTENED


def _at_its_best(curve: Curve, metric: str) -> bool:
    """Return whether the score has come so near to its bound that no improvement would matter."""
    bound, scores = metrics.best(metric), _values(curve, metric)
    if bound is None or not scores:
        return False
    return min(abs(bound - score) for score in scores) < metrics.margin(metric) - ROUNDING


class CurveGain(NamedTuple):
    """Says how much better the last evaluations are than all before them.

    score: by which the best score is better, negative if it is worse. fall: share by which the best
    validation loss is lower.
    """

    score: float
    fall: float


def improvement(curve: Curve, metric: str, last: int) -> CurveGain:
    """Return the improvement over the last so many evaluations; 0 of what has no value."""
    before, after = curve[:-last], curve[-last:]
    sign = 1 if metrics.score(metric).higher else -1
    gain = _gain(_values(before, metric, sign), _values(after, metric, sign))
    fall = _gain(_values(before, "valid_loss", -1), _values(after, "valid_loss", -1))
    least = min(_values(before, "valid_loss"), default=0.0)
    return CurveGain(gain, fall / least if least > 0 else 0.0)


def last_third(curve: Curve) -> int:
    """Return the number of evaluations in the last third of a curve."""
    return -(-len(curve) // 3)


def _improved(curve: Curve, metric: str, last: int) -> bool:
    found = improvement(curve, metric, last)
    enough = found.score >= metrics.margin(metric) - ROUNDING
    return enough or found.fall >= LEAST_FALL - ROUNDING


def _gain(before: Sequence[float], after: Sequence[float]) -> float:
    """Return how much higher the second values come; 0 if either has none."""
    return max(after) - max(before) if before and after else 0.0


def _values(curve: Curve, key: str, sign: int = 1) -> list[float]:
    return [sign * float(point[key]) for point in curve if point.get(key) is not None]
