"""Dropout with masks from a generator that is passed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class OwnShape(NamedTuple):
    """The shape of the batch that a replica would have by itself: B, S and T."""

    rows: int
    source: int
    target: int


class ReplicaGenerators(torch.Generator):
    """The generators of a stack's replicas, which stand where one model has its generator.

    Each replica draws what it would by itself, in the shape of its own batch; what pads that up to
    the stack's is one. Nothing is drawn from this object's own state.
    """

    # torch.Generator takes all arguments in __new__
    def __new__(cls, *arguments: object, **named: object) -> ReplicaGenerators:
        """Return a generator without a device of its own."""
        return super().__new__(cls)

    def __init__(
        self, each: Sequence[torch.Generator], own: Sequence[OwnShape], target: bool = False
    ) -> None:
        super().__init__()
        self.each, self.own, self.target = list(each), list(own), target

    def of_targets(self) -> ReplicaGenerators:
        """Return the generators for what has a time axis T, where the others have S."""
        return ReplicaGenerators(self.each, self.own, target=True)

    def draw(self, shape: Sequence[int], one: Callable[..., Tensor], like: Tensor) -> Tensor:
        """Return what `one`, a function of shape and generator, draws for each replica.

        shape: (R * B, X), or (R * B, S, X) with a time axis. The result is of this shape.
        """
        count = len(self.each)
        stacked = like.new_ones(count, shape[0] // count, *shape[1:])
        for place, (own, generator) in enumerate(zip(self.own, self.each, strict=True)):
            time = [own.target if self.target else own.source] * (len(shape) == 3)
            drawn = one((own.rows, *time, shape[-1]), generator)
            stacked[place][tuple(slice(size) for size in drawn.shape)] = drawn
        return stacked.flatten(0, 1)


def of_targets(dropout: torch.Generator | None) -> torch.Generator | None:
    """Return the generator for what has a time axis T, where the encoder's has S."""
    return dropout.of_targets() if isinstance(dropout, ReplicaGenerators) else dropout


def mask(
    shape: Sequence[int], rate: float, dropout: torch.Generator | None, like: Tensor
) -> Tensor | None:
    """Return a mask to multiply with, (...): 0 with probability `rate`, else 1 / (1 - rate).

    None if there is nothing to drop. Srivastava et al. 2014, inverted form. like: a tensor of the
    mask's device and number format.
    """
    if dropout is None or rate == 0.0:
        return None

    def one(shape: Sequence[int], generator: torch.Generator) -> Tensor:
        # a smaller format has too few numbers between 0 and 1 for a small rate
        kind = like.dtype if like.dtype in (torch.float32, torch.float64) else torch.float32
        drawn = torch.rand(tuple(shape), generator=generator, device=like.device, dtype=kind)
        return (drawn >= rate).to(like.dtype).div_(1.0 - rate)

    if isinstance(dropout, ReplicaGenerators):
        return dropout.draw(shape, one, like)
    return one(shape, dropout)


def apply(values: Tensor, drawn: Tensor | None) -> Tensor:
    """Return the values (...), times the mask (...) if there is one."""
    return values if drawn is None else values * drawn
