"""Keeps batch norm from mixing the examples of a batch when a tape is run with some changed."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from bench.watching.record.replaying import Call
from bench.watching.record.tape import Tape


class PinnedNorm:
    """Batch norm by the statistics of the first values that it is given, also for later ones."""

    def __init__(self) -> None:
        self._statistics: tuple[Tensor, Tensor] | None = None

    def __call__(
        self,
        value: Tensor,
        running_mean: Tensor | None = None,
        running_var: Tensor | None = None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        """Return what torch.nn.functional.batch_norm does for the first values."""
        if self._statistics is None:
            axes = [axis for axis in range(value.dim()) if axis != 1]
            with torch.no_grad():
                self._statistics = value.mean(axes), value.var(axes, unbiased=False)
        mean, variance = self._statistics
        return torch.nn.functional.batch_norm(value, mean, variance, weight, bias, eps=eps)


def with_pinned_norms(tape: Tape) -> Tape:
    """Return a tape whose batch norm has the statistics of the recorded batch, whatever changes."""
    if not any(map(_trains, tape.calls)):
        return tape
    calls = [
        dataclasses.replace(call, function=PinnedNorm()) if _trains(call) else call
        for call in tape.calls
    ]
    pinned = dataclasses.replace(tape, calls=calls)
    pinned.replay()
    return pinned


def _trains(call: Call) -> bool:
    """Return whether a call is batch norm by the batch's own statistics."""
    if call.name != "batch_norm":
        return False
    args, kwargs = call.arguments()
    return kwargs.get("training", args[5] if len(args) > 5 else False) is True
