"""Finds the call by which a loss becomes nan or infinite."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bench.watching.read.flow import Flow
from bench.watching.record.replaying import Call
from bench.watching.record.tape import Tape

GROWING = frozenset(
    "log log_ log2 exp exp_ div __truediv__ __rtruediv__ reciprocal pow __pow__ sqrt rsqrt sum "
    "matmul bmm mul __mul__ add __add__ cross_entropy nll_loss".split()
)
"""Calls of whose results infinity is no intention, as it is of those that mask."""


def first_not_finite(tape: Tape, loss: int) -> tuple[Call, Tensor] | None:
    """Return the first call that makes nan (or infinity, if there is none) of other numbers.

    Returns:
        the call, and what it is given; None if the loss is finite, or if a parameter is not.
    """
    values = tape.replay()
    parameters = [values[number] for number in tape.parameters]
    if _finite(values[loss]) or not all(map(_finite, parameters)):
        return None
    wanted = Flow(tape).ancestors(loss)
    for spoilt in (torch.isnan, torch.isinf):
        for call in tape.calls:
            if spoilt is torch.isinf and call.name not in GROWING:
                continue
            made = [values[n] for n in call.results if n in wanted]
            given = [values[n] for n in call.inputs]
            if given and _any(spoilt, made) and not _any(spoilt, given):
                return call, given[0]
    return None


def _finite(value: Tensor) -> bool:
    return bool(torch.isfinite(value).all())


def _any(spoilt: Callable[[Tensor], Tensor], tensors: list[Tensor]) -> bool:
    return any(bool(spoilt(tensor).any()) for tensor in tensors)
