"""Steps of attention with their gradients written out, for loops that autograd runs through.

Keys and values are the same at every step, so what each step adds to their gradients is only
recorded in backward; `variants.fast.deferred_gradients` makes the gradients after the loop.

hidden_BS is True at padding, whose weight is 0. X is the size of contexts, K that of keys.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from variants.fast.deferred_gradients import Deferred, StepFactors, tanh_, tanh_backward
from variants.fast.stacked import by_replica, stack_size, with_vector

softmax_backward = torch.ops.aten._softmax_backward_data.default


def deferred_rows(rows_BSX: Tensor) -> Deferred:
    """Return rows that steps multiply with weights over S.

    Steps record (weights_BS, gradients_BX): the gradient is the sum of their outer products.
    """
    return Deferred(rows_BSX, _rows_gradient)


def _rows_gradient(factors: StepFactors) -> Tensor:
    """Return the gradient (B, S, X): (B, S, T) times (B, T, X) is the sum over all steps."""
    weights, gradients = zip(*factors, strict=True)
    return torch.stack(weights, dim=2) @ torch.stack(gradients, dim=1)


def deferred_sum(value: Tensor) -> Deferred:
    """Return a tensor (...) whose gradient the steps add up themselves, by `add_up`."""
    return Deferred(value, lambda factors: factors[0][0])


def add_up(factors: StepFactors, gradient: Tensor) -> None:
    """Add a step's gradient (...) to the sum of those of later steps, in place.

    gradient: the step's own tensor, as the first of them becomes the sum. Where no product of
    factors makes the gradient, a sum in place needs the memory of one step, not of all.
    """
    before = factors[0][0] if factors else None
    factors.add(gradient)
    # `add` drops what an earlier backward pass left, and the new gradient then stands alone
    if before is not None and len(factors) == 2:
        before.add_(gradient)
        factors.pop()


class ProductStep(torch.autograd.Function):
    """A step of product attention: the sum of values weighed by softmax(q . keys) over S."""

    @staticmethod
    def forward(
        ctx: Any,
        query_BH: Tensor,
        keys_BSH: Tensor,
        values_BSX: Tensor,
        hidden_BS: Tensor,
        key_factors: StepFactors,
        value_factors: StepFactors,
    ) -> Tensor:
        """Return the context_BX of one step."""
        weights_BS = _softmax(_products(query_BH, keys_BSH), hidden_BS)
        ctx.save_for_backward(query_BH, keys_BSH, values_BSX, weights_BS)
        ctx.key_factors, ctx.value_factors = key_factors, value_factors
        return (weights_BS[:, None] @ values_BSX).squeeze(1)

    @staticmethod
    def backward(ctx: Any, dcontext_BX: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradient of query_BH, and record the factors of keys and values."""
        query_BH, keys_BSH, values_BSX, weights_BS = ctx.saved_tensors
        dscores_BS = _dscores(dcontext_BX, values_BSX, weights_BS)
        # context = weights @ values, and scores = keys @ query: outer products for both
        ctx.value_factors.add(weights_BS, dcontext_BX)
        ctx.key_factors.add(dscores_BS, query_BH.detach())
        return (dscores_BS[:, None] @ keys_BSH).squeeze(1), *(None,) * 5


class AdditiveStep(torch.autograd.Function):
    """A step of additive attention: values weighed by softmax(v . tanh(q + keys)) over S."""

    @staticmethod
    def forward(
        ctx: Any,
        query_BK: Tensor,
        keys_BSK: Tensor,
        values_BSX: Tensor,
        v_K: Tensor,
        hidden_BS: Tensor,
        key_factors: StepFactors,
        value_factors: StepFactors,
        v_factors: StepFactors,
    ) -> Tensor:
        """Return the context_BX of one step. query_BK: W q, as `keys` are U m."""
        mixed_BSK = tanh_(query_BK[:, None] + keys_BSK)
        weights_BS = _softmax(_dots(mixed_BSK, v_K), hidden_BS)
        ctx.save_for_backward(mixed_BSK, values_BSX, v_K, weights_BS)
        ctx.factors = key_factors, value_factors, v_factors
        return (weights_BS[:, None] @ values_BSX).squeeze(1)

    @staticmethod
    def backward(ctx: Any, dcontext_BX: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradient of query_BK; record that of values, add up those of keys and v."""
        mixed_BSK, values_BSX, v_K, weights_BS = ctx.saved_tensors
        key_factors, value_factors, v_factors = ctx.factors
        dscores_BS = _dscores(dcontext_BX, values_BSX, weights_BS)
        value_factors.add(weights_BS, dcontext_BX)
        # the tanh mixes query and keys, so the gradient of keys is no outer product: it is summed
        add_up(v_factors, _weighed_sum(dscores_BS, mixed_BSK, stack_size(v_K, 1)))
        dkeys_BSK = tanh_backward(with_vector(torch.mul, dscores_BS[:, :, None], v_K), mixed_BSK)
        dquery_BK = dkeys_BSK.sum(1)
        add_up(key_factors, dkeys_BSK)
        return dquery_BK, *(None,) * 7


def _products(query_BX: Tensor, rows_BSX: Tensor) -> Tensor:
    """Return the dot products (B, S) of each row with its query.

    On the CPU, vectors on the left of a batched product are far faster.
    """
    return (query_BX[:, None] @ rows_BSX.transpose(1, 2)).squeeze(1)


def _dots(rows_BSK: Tensor, v_K: Tensor) -> Tensor:
    """Return the dot products (B, S) of all rows with one vector, (K) or (R, K)."""
    if count := stack_size(v_K, 1):
        rows_RMK = by_replica(rows_BSK, count).flatten(1, 2)
        return torch.bmm(rows_RMK, v_K[:, :, None]).view(rows_BSK.shape[:2])
    return rows_BSK @ v_K


def _weighed_sum(weights_BS: Tensor, rows_BSK: Tensor, count: int) -> Tensor:
    """Return the sum (K) of all rows times their weights; of each replica with count = R."""
    if count:
        weights_R1M = weights_BS.view(count, 1, -1)
        return torch.bmm(weights_R1M, by_replica(rows_BSK, count).flatten(1, 2)).squeeze(1)
    return weights_BS.flatten() @ rows_BSK.flatten(0, 1)


def _softmax(scores_BS: Tensor, hidden_BS: Tensor) -> Tensor:
    """Return weights_BS, 0 at padding; changes the scores in place."""
    return torch.softmax(scores_BS.masked_fill_(hidden_BS, float("-inf")), dim=1)


def _dscores(dcontext_BX: Tensor, values_BSX: Tensor, weights_BS: Tensor) -> Tensor:
    """Return the gradient of scores_BS from that of the context."""
    dweights_BS = _products(dcontext_BX, values_BSX)
    dscores_BS: Tensor = softmax_backward(dweights_BS, weights_BS, 1, weights_BS.dtype)
    return dscores_BS
