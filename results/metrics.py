"""What is measured, one row each: title, unit, which way is better, how it is written."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple


class Metric(NamedTuple):
    """title: over a column. unit: "" for a share or a count. higher: whether more is better."""

    title: str
    unit: str
    higher: bool
    write: Callable[[float], str]


def share(value: float) -> str:
    """A share between 0 and 1: `0.987`."""
    return f"{value:.3f}"


def points(value: float) -> str:
    """A score between 0 and 100: `25.2`."""
    return f"{value:.1f}"


def short(value: float) -> str:
    """Three digits with a suffix: `14.7k`, `950`, `1.20M`."""
    if math.isinf(value):
        return "never"
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size * 0.9995:
            return _three(value / size) + suffix
    return f"{value:.0f}" if value >= 99.95 or value == int(value) else _three(value)


def _three(value: float) -> str:
    return f"{value:.{max(0, 2 - int(math.log10(max(abs(value), 1))))}f}"


def megabytes(value: float) -> str:
    """Bytes as MiB."""
    return f"{value / 2**20:.0f}"


SCORES = {
    "exact_match": Metric("exact match", "", True, share),
    "token_accuracy": Metric("token accuracy", "", True, share),
    "forced_accuracy": Metric("forced accuracy", "", True, share),
    "bleu": Metric("BLEU", "", True, points),
    "chrf": Metric("chrF2", "", True, points),
    "span_f1": Metric("span F1", "", True, share),
    "span_precision": Metric("span precision", "", True, share),
    "span_recall": Metric("span recall", "", True, share),
    "keyword_f1": Metric("keyword F1", "", True, share),
    "keyword_precision": Metric("keyword precision", "", True, share),
    "keyword_recall": Metric("keyword recall", "", True, share),
    # of a curve's last point, and of two scores: for claims
    "loss": Metric("training loss", "nats", False, lambda value: f"{value:.4f}"),
    "exposure_gap": Metric("forced minus free accuracy", "", False, share),
}
MARGINS = {"bleu": 0.5, "chrf": 0.5}
"""The smallest difference of a score that matters, where it is not a hundredth."""
COSTS = {
    "tokens_to_target": Metric("tokens to target", "tokens", False, short),
    "seconds_to_target": Metric("s to target", "s", False, short),
    "tokens_per_second": Metric("tokens/s", "tokens/s", True, short),
    "peak_bytes": Metric("peak MiB", "MiB", False, megabytes),
    "parameters": Metric("parameters", "", False, short),
}


def score(name: str) -> Metric:
    """The metric of a task's score; an unknown one (a plugin's) is written plainly."""
    return SCORES.get(name) or Metric(
        name.replace("_", " "), "", True, lambda value: f"{value:.4g}"
    )


def margin(name: str) -> float:
    """The smallest difference of a score that matters."""
    return MARGINS.get(name, 0.01)
