"""Weights that a loop reads at every step, and whose gradients are made once after the loop.

Autograd by itself makes one gradient product a step and adds them up. Here each step only notes
its two factors, and one product over all steps makes the gradient: the same sum, in another order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from variants.fast.matmul import add_product, product


class Notes(list[tuple[Tensor, ...]]):
    """What the steps of a loop noted on the way back, last step first."""

    task = -1

    def add(self, *tensors: Tensor) -> None:
        """From a step's backward. What an earlier way back left, because it ended before the
        loop's beginning, is forgotten."""
        task = torch._C._current_graph_task_id()
        if task != self.task:
            self.clear()
            self.task = task
        self.append(tensors)


class _Entrance(torch.autograd.Function):
    """The way into a loop: backward comes by here when all steps are done."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, notes: Notes, sum_up: Callable[[Notes], Tensor]) -> Tensor:
        ctx.notes, ctx.sum_up = notes, sum_up
        ctx.set_materialize_grads(False)
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None) -> tuple[Tensor | None, None, None]:
        if ctx.notes:
            if torch.is_grad_enabled():
                raise RuntimeError(
                    "this model's fast form has first derivatives alone; for second ones compute "
                    "within variants.fast.forms.plain_forms()"
                )
            late = ctx.sum_up(ctx.notes)
            ctx.notes.clear()
            gradient = late if gradient is None else gradient + late
        return gradient, None, None


tanh_backward = torch.ops.aten.tanh_backward.default
"""(gradient, tanh x) -> gradient by x."""


def tanh_(values: Tensor) -> Tensor:
    """tanh in place, as 2 sigmoid(2 x) - 1: torch does the logistic function several times as
    fast. In float32 the two differ by 2e-7 at most."""
    return values.mul_(2.0).sigmoid_().mul_(2.0).sub_(1.0)


class Late:
    """A tensor that enters a loop. value: it, for the loop's steps, whose backward gives it no
    gradient but notes what `sum_up` needs."""

    def __init__(self, value: Tensor, sum_up: Callable[[Notes], Tensor]) -> None:
        self.notes = Notes()
        self.value: Tensor = _Entrance.apply(value, self.notes, sum_up)  # type: ignore[no-untyped-call]


def late_weight(weight_OI: Tensor) -> Late:
    """For linear maps: steps note (inputs_BI, gradients_BO)."""
    return Late(weight_OI, _weight_gradient)


def late_bias(bias_O: Tensor) -> Late:
    """For biases: steps note (gradients_BO,)."""
    return Late(bias_O, lambda notes: torch.cat([gradient for (gradient,) in notes]).sum(0))


def _weight_gradient(notes: Notes) -> Tensor:
    inputs, gradients = zip(*notes, strict=True)
    return product(torch.cat(gradients).t(), torch.cat(inputs).t())


class _Linear(torch.autograd.Function):
    """added + inputs_BI W'."""

    @staticmethod
    def forward(
        ctx: Any, inputs_BI: Tensor, weight_OI: Tensor, added_BO: Tensor, notes: Notes
    ) -> Tensor:
        ctx.save_for_backward(inputs_BI, weight_OI)
        ctx.notes = notes
        return add_product(added_BO, inputs_BI, weight_OI)

    @staticmethod
    def backward(ctx: Any, gradient_BO: Tensor) -> tuple[Tensor | None, ...]:
        inputs_BI, weight_OI = ctx.saved_tensors
        ctx.notes.add(inputs_BI.detach(), gradient_BO)
        added = gradient_BO if ctx.needs_input_grad[2] else None
        return product(gradient_BO, weight_OI.t()), None, added, None


def linear(inputs_BI: Tensor, weight: Late, added_BO: Tensor) -> Tensor:
    """added_BO + inputs_BI W', for a step of a loop."""
    result: Tensor = _Linear.apply(inputs_BI, weight.value, added_BO, weight.notes)  # type: ignore[no-untyped-call]
    return result
