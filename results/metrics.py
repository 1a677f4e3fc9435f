"""Lists what is measured: for each metric its title, unit, direction and number format."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple


class Metric(NamedTuple):
    """Describes how a metric is named, judged and written.

    Attributes:
        title: heading of its column.
        unit: its unit; "" for a share or a count.
        higher: True if a higher value is better.
        write: formats a value as text.
    """

    title: str
    unit: str
    higher: bool
    write: Callable[[float], str]


def share(value: float) -> str:
    """Format a share between 0 and 1 with three decimals: `0.987`."""
    return f"{value:.3f}"


def points(value: float) -> str:
    """Format a score between 0 and 100 with one decimal: `25.2`."""
    return f"{value:.1f}"


def short(value: float) -> str:
    """Format a number with three digits and a suffix: `14.7k`, `950`, `1.20M`."""
    if math.isinf(value):
        return "never"
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        # 999.5 rounds to 1000, so it already belongs to the next suffix
        if abs(value) >= size * 0.9995:
            return _three_digits(value / size) + suffix
    return f"{value:.0f}" if value >= 99.95 or value == int(value) else _three_digits(value)


def _three_digits(value: float) -> str:
    return f"{value:.{max(0, 2 - int(math.log10(max(abs(value), 1))))}f}"


def megabytes(value: float) -> str:
    """Format a number of bytes in MiB, without decimals."""
    return f"{value / 2**20:.0f}"


SCORES = {
    "exact_match": Metric("exact match", "", True, share),
    "token_accuracy": Metric("token accuracy", "", True, share),
    "forced_token_accuracy": Metric("forced token accuracy", "", True, share),
    # counts end symbols, which the accuracies above do not
    "forced_accuracy": Metric("forced accuracy with ends", "", True, share),
    "perplexity": Metric("perplexity", "", False, lambda value: f"{value:.4g}"),
    "bleu": Metric("BLEU", "", True, points),
    "chrf": Metric("chrF2", "", True, points),
    "chrf++": Metric("chrF2++", "", True, points),
    "ter": Metric("TER", "", False, points),
    "character_error_rate": Metric("character error rate", "", False, share),
    "token_error_rate": Metric("token error rate", "", False, share),
    "typed_f1": Metric("typed span F1", "", True, share),
    "typed_precision": Metric("typed span precision", "", True, share),
    "typed_recall": Metric("typed span recall", "", True, share),
    "span_f1": Metric("span F1", "", True, share),
    "span_precision": Metric("span precision", "", True, share),
    "span_recall": Metric("span recall", "", True, share),
    "keyword_f1": Metric("keyword F1", "", True, share),
    "keyword_precision": Metric("keyword precision", "", True, share),
    "keyword_accuracy": Metric("keyword accuracy", "", True, share),
    "keyphrase_accuracy": Metric("keyphrase accuracy", "", True, share),
    "keyword_recall": Metric("keyword recall", "", True, share),
    # used by claims: the last training loss of a curve, and the difference of two test scores
    "loss": Metric("training loss", "nats", False, lambda value: f"{value:.4f}"),
    "exposure_gap": Metric("forced minus free accuracy", "", False, share),
    # of older runs, whose forced accuracy alone counts end symbols
    "exposure_gap_with_ends": Metric("forced (with ends) minus free accuracy", "", False, share),
}
"""Scores of a task, by the key that records use."""
MARGINS = {"bleu": 0.5, "chrf": 0.5, "chrf++": 0.5, "ter": 0.5}
"""Smallest difference that matters, for scores where it is not 0.01."""
COSTS = {
    "tokens_to_target": Metric("tokens to target", "tokens", False, short),
    "seconds_to_target": Metric("s to target", "s", False, short),
    "tokens_per_second": Metric("tokens/s", "tokens/s", True, short),
    "peak_bytes": Metric("peak MiB", "MiB", False, megabytes),
    "parameters": Metric("parameters", "", False, short),
}
"""Costs of a run, by the key that records and rows use."""


def score(name: str) -> Metric:
    """Return the metric of a score; one that is not listed (a plugin's) gets a plain format."""
    return SCORES.get(name) or Metric(
        name.replace("_", " "), "", True, lambda value: f"{value:.4g}"
    )


def is_share(name: str) -> bool:
    """Return whether a score lies between 0 and 1, so that a difference lies within -1 and 1."""
    return name in SCORES and SCORES[name].write is share and not name.startswith("exposure_gap")


def worst(name: str) -> float | None:
    """Return what a run without a score counts as, in every table: 0, or 1 for an error rate.

    None for a score that has no worst value, such as a loss.
    """
    if score(name).higher:
        return 0.0
    return 1.0 if is_share(name) else None


def best(name: str) -> float | None:
    """Return the best that a score can be; None if it has no bound, or none that is known."""
    known = SCORES.get(name)
    if known is None:
        return None
    if known.higher:
        return 1.0 if is_share(name) else 100.0 if known.write is points else None
    return 0.0 if is_share(name) else None


def margin(name: str) -> float:
    """Return the smallest difference of a score that matters."""
    return MARGINS.get(name, 0.01)
