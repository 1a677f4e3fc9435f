"""Teacher forcing: schedules of how often the reference token is fed, and coins to toss for it.

p is always the probability that the *reference* is fed. Bengio et al. 2015, section 2.4:
schedules decay by training step i.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

SCHEDULES = {
    "always": "p = 1 (Williams and Zipser 1989)",
    "never": "p = 0: the model always reads its own output",
    "constant": "p = forcing_rate",
    "linear": "p falls in a straight line from 1 to 0 at forcing_steps",
    "exponential": "p = k^i, one half at forcing_steps",
    "inverse-sigmoid": "p = k / (k + exp(i / k)), one half at forcing_steps",
}
"""The values of the axis forcing."""
DECAYING = ("linear", "exponential", "inverse-sigmoid")
"""Those whose p depends on the training step."""
COINS = {
    "token": "a toss for every token (Bengio et al. 2015, section 2.4)",
    "step": "one toss for all rows of a batch",
    "sequence": "one toss for all steps of a row (their section 2.4 finds it worse)",
}
"""The values of the axis coin."""


def probability(schedule: str, step: int, rate: float, steps: int) -> float:
    """Return p at a training step, counted from 0.

    rate: p of `constant`. steps: where `linear` arrives at 0 and the other two at 1/2.
    """
    if schedule == "linear":
        return max(0.0, 1.0 - step / steps)
    if schedule == "exponential":
        return float(0.5 ** (step / steps))
    if schedule == "inverse-sigmoid":
        k = _sharpness(steps)
        # k / (k + exp(i / k)), written so that a late step cannot overflow
        return 1.0 / (1.0 + math.exp(min(step / k - math.log(k), 700.0)))
    return {"always": 1.0, "never": 0.0, "constant": rate}[schedule]


def _sharpness(half: int) -> float:
    """Return the k for which k / (k + exp(i / k)) is one half at i = half.

    There k ln k = half, which Newton's method solves.
    """
    k = max(2.0, half / math.log(half + 2.0))
    for _ in range(60):
        k -= (k * math.log(k) - half) / (math.log(k) + 1.0)
        k = max(k, 1.0 + 1e-9)
    return k


def toss(p: float, coin: str, batch: int, steps: int, generator: torch.Generator) -> Tensor | None:
    """Return fed_BT, True where the reference is fed; None to feed it everywhere.

    It is on the generator's device, where a batch's (B, T) are `batch` and `steps`.
    """
    if p >= 1.0:
        return None
    shape = {"token": (batch, steps), "step": (1, steps), "sequence": (batch, 1)}[coin]
    drawn = torch.rand(shape, generator=generator, device=generator.device) < p
    return drawn.expand(batch, steps)
