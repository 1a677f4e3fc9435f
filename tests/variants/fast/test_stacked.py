"""Proves that what meets a weight of a stack does for each replica what one model's weight does.

Values and gradients, in float64, of every function that takes a weight with the axis R in front.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from variants.fast.deferred_gradients import (
    StepFactors,
    deferred_bias,
    deferred_linear,
    deferred_weight,
)
from variants.fast.matmul import add_product, linear, product
from variants.fast.stacked import LayerNorm, by_replica, stack_size, to_rows, with_vector

R, B, I, O = 3, 4, 5, 6  # noqa: E741 - the letters of shapes


def drawn(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()


def check(
    function: Callable[..., Tensor], rows: tuple[Tensor, ...], weights: tuple[Tensor, ...]
) -> None:
    """Compare a stack's call with R calls. rows: (R * B, ...) each. weights: (R, ...) each."""
    together = function(*rows, *weights)
    parts = [by_replica(values, R).unbind() for values in rows]
    alone = torch.cat(
        [function(*each) for each in zip(*parts, *(w.unbind() for w in weights), strict=True)]
    )
    torch.testing.assert_close(together, alone)
    pulled = torch.randn_like(alone)
    ours, theirs = (torch.autograd.grad(of, (*rows, *weights), pulled) for of in (together, alone))
    torch.testing.assert_close(ours, theirs)


def in_loop(inputs_BI: Tensor, weight_OI: Tensor, bias_O: Tensor) -> Tensor:
    """Two steps of a loop that share a weight, whose gradients are made after it."""
    weight = deferred_weight(weight_OI)
    rows_BO = to_rows(bias_O, len(inputs_BI))
    first = deferred_linear(inputs_BI, weight, rows_BO.expand(len(inputs_BI), -1))
    second = deferred_linear(inputs_BI * 2.0, weight, inputs_BI.new_zeros(1))
    return first * second


def test_linear_maps() -> None:
    check(linear, (drawn(R * B, I),), (drawn(R, O, I), drawn(R, O)))
    check(linear, (drawn(R * B, 2, I),), (drawn(R, O, I), drawn(R, O)))
    check(in_loop, (drawn(R * B, I),), (drawn(R, O, I), drawn(R, O)))


def test_products_without_gradients() -> None:
    left, right, bias = (part.detach() for part in (drawn(R * B, I), drawn(R, O, I), drawn(R, O)))
    rows = to_rows(bias, R * B)
    torch.testing.assert_close(product(left, right, bias), product(left, right) + rows)
    torch.testing.assert_close(add_product(rows, left, right), product(left, right, bias))
    zero = left.new_zeros(1)
    torch.testing.assert_close(add_product(zero, left, right), product(left, right))


@pytest.mark.parametrize("rows", [(R * B, O), (R * B, 2, O)])
def test_vectors(rows: tuple[int, ...]) -> None:
    check(lambda values, v: with_vector(torch.mul, values, v), (drawn(*rows),), (drawn(R, O),))


class _ScaledRows(torch.autograd.Function):
    """A step that multiplies rows by a bias, whose gradient it records."""

    @staticmethod
    def forward(ctx: Any, rows_BO: Tensor, bias_O: Tensor, factors: StepFactors) -> Tensor:
        ctx.save_for_backward(rows_BO)
        ctx.factors = factors
        return with_vector(torch.mul, rows_BO, bias_O)

    @staticmethod
    def backward(ctx: Any, gradient_BO: Tensor) -> tuple[Tensor | None, ...]:
        (rows_BO,) = ctx.saved_tensors
        ctx.factors.add(gradient_BO * rows_BO)
        return None, None, None


def test_a_deferred_bias() -> None:
    rows_BO, bias_RO = drawn(R * B, O).detach(), drawn(R, O)

    def gradient(rows: Tensor, bias_O: Tensor) -> Tensor:
        bias = deferred_bias(bias_O)
        steps = [
            _ScaledRows.apply(of_step, bias.value, bias.factors)  # type: ignore[no-untyped-call]
            for of_step in (rows, rows.square())
        ]
        (result,) = torch.autograd.grad(torch.stack(steps).sum(), bias_O)
        return result

    alone = [
        gradient(rows, bias_O.detach().requires_grad_())
        for rows, bias_O in zip(by_replica(rows_BO, R), bias_RO, strict=True)
    ]
    torch.testing.assert_close(gradient(rows_BO, bias_RO), torch.stack(alone))


@pytest.mark.parametrize("with_bias", [True, False])
def test_layer_normalisation(with_bias: bool) -> None:
    norm = LayerNorm(O, bias=with_bias).double()

    def normalised(values: Tensor, *weights: Tensor) -> Tensor:
        named = dict(zip(("weight", "bias"), weights, strict=False))
        result: Tensor = torch.func.functional_call(norm, named, (values,))
        return result

    check(normalised, (drawn(R * B, 2, O),), (drawn(R, O), drawn(R, O))[: 1 + with_bias])
    values = drawn(B, O)
    torch.testing.assert_close(
        norm(values), nn.functional.layer_norm(values, (O,), norm.weight, norm.bias)
    )


def test_a_weight_without_the_axis_is_no_stack() -> None:
    assert (stack_size(drawn(O, I), 2), stack_size(drawn(R, O, I), 2)) == (0, R)
    vector = drawn(O)
    assert to_rows(vector, B) is vector
