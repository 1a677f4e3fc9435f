"""Tensors that a loop reads at every step, whose gradients are made once, after the loop.

Autograd by itself makes one gradient product a step and adds them up. Here each step only records
its two factors, and one product over all steps makes the gradient: the same sum, in another order.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from variants.fast.matmul import add_product, product
from variants.fast.stacked import by_replica, stack_size


class StepFactors(list[tuple[Tensor, ...]]):
    """The factors of a gradient that a loop's steps record in backward, last step first."""

    task = -1
    """The pass of autograd that the factors are of, as torch numbers them."""

    def add(self, *tensors: Tensor) -> None:
        """Record the factors of one step, (B, ...) each; called from its backward.

        Drops what an earlier, unfinished backward pass left behind.
        """
        task = torch._C._current_graph_task_id()
        if task != self.task:
            self.clear()
            self.task = task
        self.append(tensors)


class _LoopEntrance(torch.autograd.Function):
    """The identity at a loop's beginning: its backward runs when all steps are through."""

    @staticmethod
    def forward(
        ctx: Any, value: Tensor, factors: StepFactors, sum_up: Callable[[StepFactors], Tensor]
    ) -> Tensor:
        """Return the value, (...) -> (...)."""
        ctx.factors, ctx.sum_up = factors, sum_up
        # the steps return no gradient of the value: keep None, where zeros would cost memory
        ctx.set_materialize_grads(False)
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None) -> tuple[Tensor | None, None, None]:
        """Return the gradient of the value (...), made of what the steps recorded."""
        if ctx.factors:
            # recorded factors are detached, so a second derivative would silently lack them
            if torch.is_grad_enabled():
                raise RuntimeError(
                    "this model's fast form has first derivatives alone; for second ones compute "
                    "within variants.fast.forms.plain_forms()"
                )
            deferred = ctx.sum_up(ctx.factors)
            ctx.factors.clear()
            gradient = deferred if gradient is None else gradient + deferred
        return gradient, None, None


tanh_backward = torch.ops.aten.tanh_backward.default
"""Takes a gradient and tanh x, and gives the gradient of x; all of one shape."""


def tanh_(values: Tensor) -> Tensor:
    """Compute tanh in place, (...) -> (...), as 2 sigmoid(2 x) - 1.

    Torch computes the logistic function several times as fast. In float32 the two differ by 2e-7
    at most.
    """
    return values.mul_(2.0).sigmoid_().mul_(2.0).sub_(1.0)


class Deferred:
    """A tensor that enters a loop, and whose gradient is made after it.

    value: the tensor (...) for the loop's steps, whose backward gives it no gradient but records in
    `factors` what `sum_up` makes the gradient of.
    """

    def __init__(self, value: Tensor, sum_up: Callable[[StepFactors], Tensor]) -> None:
        self.factors = StepFactors()
        self.value: Tensor = _LoopEntrance.apply(value, self.factors, sum_up)  # type: ignore[no-untyped-call]


def deferred_weight(weight_OI: Tensor) -> Deferred:
    """Return the weight of a linear map; steps record (inputs_BI, gradients_BO).

    It may have the axis R in front, as in variants.fast.stacked.
    """
    return Deferred(weight_OI, partial(_weight_gradient, count=stack_size(weight_OI, 2)))


def deferred_bias(bias_O: Tensor) -> Deferred:
    """Return a bias (O) or (R, O); steps record (gradients_BO,)."""
    return Deferred(bias_O, partial(_bias_gradient, count=stack_size(bias_O, 1)))


def _bias_gradient(factors: StepFactors, count: int) -> Tensor:
    """Return the gradient (O), or (R, O) with count = R."""
    gradients = [gradient for (gradient,) in factors]
    if count:
        return torch.cat([by_replica(step, count) for step in gradients], dim=1).sum(1)
    return torch.cat(gradients).sum(0)


def _weight_gradient(factors: StepFactors, count: int) -> Tensor:
    """Return the gradient (O, I), or (R, O, I) with count = R: one product over all steps' rows."""
    inputs, gradients = zip(*factors, strict=True)
    if count:
        inputs_RMI, gradients_RMO = (
            torch.cat([by_replica(step, count) for step in steps], dim=1)
            for steps in (inputs, gradients)
        )
        return torch.bmm(gradients_RMO.mT, inputs_RMI)
    return product(torch.cat(gradients).t(), torch.cat(inputs).t())


class _DeferredLinear(torch.autograd.Function):
    """Computes added + inputs_BI W', without a gradient of W."""

    @staticmethod
    def forward(
        ctx: Any, inputs_BI: Tensor, weight_OI: Tensor, added_BO: Tensor, factors: StepFactors
    ) -> Tensor:
        """Return the sum (B, O). added: (B, O), or what broadcasts to it."""
        ctx.save_for_backward(inputs_BI, weight_OI)
        ctx.factors = factors
        return add_product(added_BO, inputs_BI, weight_OI)

    @staticmethod
    def backward(ctx: Any, gradient_BO: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of inputs_BI and added_BO; that of W is made after the loop."""
        inputs_BI, weight_OI = ctx.saved_tensors
        ctx.factors.add(inputs_BI.detach(), gradient_BO)
        added = gradient_BO if ctx.needs_input_grad[2] else None
        return product(gradient_BO, weight_OI.mT), None, added, None


def deferred_linear(inputs_BI: Tensor, weight: Deferred, added_BO: Tensor) -> Tensor:
    """Return added_BO + inputs_BI W' for a step of a loop; W is (O, I)."""
    result: Tensor = _DeferredLinear.apply(inputs_BI, weight.value, added_BO, weight.factors)  # type: ignore[no-untyped-call]
    return result
