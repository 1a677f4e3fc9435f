"""Sets what changes from one training step to the next: learning rate and teacher forcing."""

from __future__ import annotations

import torch
from torch import Tensor

from variants import Variant
from variants.schedules.forcing import probability, toss
from variants.schedules.learning_rates import factor


def remember_peak_rates(optimizer: torch.optim.Optimizer) -> None:
    """Note each parameter group's learning rate as the one that its schedule multiplies."""
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])


def set_learning_rate(optimizer: torch.optim.Optimizer, variant: Variant, step: int) -> None:
    """Give an optimizer the learning rates of a training step, counted from 0."""
    multiplier = factor(
        variant.learning_rate_schedule, step, variant.learning_rate_steps, variant.warmup
    )
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * multiplier


def reference_probability(variant: Variant, step: int) -> float:
    """Return the probability that a token of the reference is fed at a training step."""
    return probability(variant.forcing, step, variant.forcing_rate, variant.forcing_steps)


def toss_coins(
    variant: Variant, step: int, rows: int, length: int, generator: torch.Generator
) -> Tensor | None:
    """Return fed_BT of a training step, on the generator's device: True where the reference is fed.

    rows: B. length: T. None where the reference is fed everywhere; then nothing is drawn.
    """
    return toss(reference_probability(variant, step), variant.coin, rows, length, generator)
