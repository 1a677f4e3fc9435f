"""Rates and optimizers to try instead of a run's own, by how far its steps moved the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

MEDIAN_RATIO = 3e-3
"""Update-to-weight ratio that a run which learns has at most evaluations (docs/doctor.md)."""
LARGEST_RATIO = 1e-2
"""The same at its largest, which is that of the first steps."""
FARTHEST = 1000.0
"""Largest factor between a rate and the one advised: beyond it, a ratio is no guide."""
HIGHEST_RATES = {"sgd": 1.0, "momentum": 0.3, "nesterov": 0.3, "adadelta": 3.0, "adagrad": 0.1}
"""Highest rates that are advised, by optimizer."""
HIGHEST_RATE = 0.03
"""Highest rate that is advised for other optimizers, whose steps have the size of the rate."""
RESCUER: Mapping[str, Any] = {"optimizer": "adam", "learning_rate": 0.003}
"""The suite's own optimizer and rate, which learn where a rate alone does not help."""

Remedy = Mapping[str, Any]
"""Axes to change, with their values."""


def scaled_rate(variant: Mapping[str, Any], seen: float, wanted: float) -> float:
    """Return the rate that would bring a ratio of updates to weights to the one wanted.

    It is rounded to one digit, within FARTHEST of the variant's own and HIGHEST_RATES.
    """
    rate = float(variant.get("learning_rate", 0.0))
    factor = FARTHEST if seen <= 0 else wanted / seen
    factor = min(max(factor, 1 / FARTHEST), FARTHEST)
    highest = HIGHEST_RATES.get(str(variant.get("optimizer", "adam")), HIGHEST_RATE)
    return rounded_rate(min(rate * factor, highest))


def rounded_rate(rate: float) -> float:
    """Return a rate with one significant digit; 0 stays 0."""
    if rate <= 0 or not math.isfinite(rate):
        return 0.0
    return float(f"{rate:.0e}")


def rate_remedies(variant: Mapping[str, Any], rates: Sequence[float]) -> list[Remedy]:
    """Return what to try: these rates without the variant's own, then another optimizer.

    The optimizer is left out where the variant is that already.
    """
    own = float(variant.get("learning_rate", 0.0))
    found: list[Remedy] = [
        {"learning_rate": rate} for rate in dict.fromkeys(rates) if rate > 0 and rate != own
    ]
    rescued = {**variant, **RESCUER}
    if rescued != dict(variant) and RESCUER not in found:
        found.append(RESCUER)
    return found


def remedy_text(remedies: Sequence[Remedy]) -> str:
    """Return remedies as text, in the order in which they are to be tried."""
    texts = [",".join(f"{axis}={_shown(value)}" for axis, value in r.items()) for r in remedies]
    return "; else ".join(texts)


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
