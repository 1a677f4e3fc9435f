"""Dropout with masks from a generator that is passed in."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def mask(
    shape: Sequence[int], rate: float, dropout: torch.Generator | None, like: Tensor
) -> Tensor | None:
    """Return a mask to multiply with, (...): 0 with probability `rate`, else 1 / (1 - rate).

    None if there is nothing to drop. Srivastava et al. 2014, inverted form. like: a tensor of the
    mask's device and number format.
    """
    if dropout is None or rate == 0.0:
        return None
    # a smaller format has too few numbers between 0 and 1 for a small rate
    kind = like.dtype if like.dtype in (torch.float32, torch.float64) else torch.float32
    drawn = torch.rand(tuple(shape), generator=dropout, device=like.device, dtype=kind)
    return (drawn >= rate).to(like.dtype).div_(1.0 - rate)


def apply(values: Tensor, drawn: Tensor | None) -> Tensor:
    """Return the values (...), times the mask (...) if there is one."""
    return values if drawn is None else values * drawn
