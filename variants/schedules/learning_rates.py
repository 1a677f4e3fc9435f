"""Schedules of the learning rate: a factor on the variant's own, by training step."""

from __future__ import annotations

import math

RATE_SCHEDULES = {
    "constant": "the same throughout, after the warm-up",
    "linear": "down to 0 at learning_rate_steps, in a straight line",
    "cosine": "down to 0 at learning_rate_steps, along half a cosine (Loshchilov and Hutter 2017, "
    "eq. 5, one period)",
    "inverse-sqrt": "by 1 / sqrt(step) after the warm-up (Vaswani et al. 2017, eq. 3, the peak set "
    "to learning_rate)",
}
"""The values of the axis learning_rate_schedule."""


def factor(schedule: str, step: int, steps: int, warmup: int) -> float:
    """Return the factor of the learning rate at a training step, counted from 0.

    warmup: steps over which it rises in a straight line to 1, which it has at step `warmup` - 1.
    steps: where linear and cosine arrive at 0, and stay.
    """
    if step < warmup:
        return (step + 1) / warmup
    if schedule == "inverse-sqrt":
        return math.sqrt(max(warmup, 1) / (step + 1))
    if schedule == "constant":
        return 1.0
    done = min((step - warmup) / max(steps - warmup, 1), 1.0)
    return {"linear": 1.0 - done, "cosine": 0.5 * (1.0 + math.cos(math.pi * done))}[schedule]
