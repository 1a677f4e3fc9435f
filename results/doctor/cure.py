"""Says whether a run that was done again as advised is better than before."""

from __future__ import annotations

from typing import Any, NamedTuple

from results import metrics
from results.grouping import test_score
from results.record import Record

LOWER = 0.95
"""Ratio of a new loss to an old one below which it counts as lower."""


class Improvement(NamedTuple):
    """The result of testing advice.

    helped: the run is better now. text: scores and losses before and now. scored: it is better by
    its score or the way to its target, not by its loss alone.
    """

    helped: bool
    text: str
    scored: bool


def improvement(before: Record, after: Record) -> Improvement:
    """Compare a run with the same run done as advised.

    What decides is reaching the target at all, then the tokens to it, then the test score; where
    scores are equal and neither reached the target, the validation loss.
    """
    key = str(after.outcome.get("metric", before.outcome.get("metric", "score")))
    scores = [test_score(record.outcome) for record in (before, after)]
    targets = [record.outcome.get("to_target") for record in (before, after)]
    text = _text(key, scores, targets)
    old, new = (-1.0 if score is None else score for score in scores)
    old_target, new_target = targets
    if new_target is not None:
        sooner = old_target is None or new_target["tokens"] < old_target["tokens"]
        return Improvement(sooner, text, sooner)
    if old_target is None and abs(new - old) <= metrics.margin(key):
        losses = _losses(before, after)
        if losses is not None:
            text += f"; validation loss {losses[0]:.3g} before, {losses[1]:.3g} now"
            return Improvement(losses[1] < LOWER * losses[0], text, False)
    better = new > old + metrics.margin(key)
    return Improvement(better, text, better)


def _losses(before: Record, after: Record) -> tuple[float, float] | None:
    """Return the validation losses of both runs, or None if one has none."""
    old, new = (record.outcome.get("valid", {}).get("valid_loss") for record in (before, after))
    return None if old is None or new is None else (old, new)


def _text(key: str, scores: list[float | None], targets: list[dict[str, Any] | None]) -> str:
    metric = metrics.score(key)
    parts = [
        ("none" if score is None else metric.write(score))
        + ("" if target is None else f" (target after {metrics.short(target['tokens'])} tokens)")
        for score, target in zip(scores, targets, strict=True)
    ]
    return f"{metric.title} {parts[0]} before, {parts[1]} now"
