"""Steps of attention with their gradients written out, for loops that autograd runs through.

What the source side gets at every step (keys, values) is summed up after the loop, by
`variants.fast.late_gradients`. hidden_BS is True at padding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from variants.fast.late_gradients import Late, Notes, tanh_, tanh_backward

softmax_backward = torch.ops.aten._softmax_backward_data.default


def late_rows(rows_BSX: Tensor) -> Late:
    """For what steps multiply with weights over S: they note (weights_BS, gradients_BX)."""
    return Late(rows_BSX, _rows_gradient)


def _rows_gradient(notes: Notes) -> Tensor:
    weights, gradients = zip(*notes, strict=True)
    return torch.stack(weights, dim=2) @ torch.stack(gradients, dim=1)


def late_sum(value: Tensor) -> Late:
    """For what steps add up themselves, by `add_up`."""
    return Late(value, lambda notes: notes[0][0])


def add_up(notes: Notes, gradient: Tensor) -> None:
    """gradient: the step's own, as it will be changed."""
    before = notes[0][0] if notes else None
    notes.add(gradient)
    if before is not None and len(notes) == 2:  # of the same way back
        before.add_(gradient)
        notes.pop()


class ProductStep(torch.autograd.Function):
    """softmax(q . keys) over S, and the sum of values that it weighs."""

    @staticmethod
    def forward(
        ctx: Any,
        query_BH: Tensor,
        keys_BSH: Tensor,
        values_BSX: Tensor,
        hidden_BS: Tensor,
        key_notes: Notes,
        value_notes: Notes,
    ) -> Tensor:
        weights_BS = _softmax(_products(query_BH, keys_BSH), hidden_BS)
        ctx.save_for_backward(query_BH, keys_BSH, values_BSX, weights_BS)
        ctx.key_notes, ctx.value_notes = key_notes, value_notes
        return (weights_BS[:, None] @ values_BSX).squeeze(1)

    @staticmethod
    def backward(ctx: Any, dcontext_BX: Tensor) -> tuple[Tensor | None, ...]:
        query_BH, keys_BSH, values_BSX, weights_BS = ctx.saved_tensors
        dscores_BS = _dscores(dcontext_BX, values_BSX, weights_BS)
        ctx.value_notes.add(weights_BS, dcontext_BX)
        ctx.key_notes.add(dscores_BS, query_BH.detach())
        return (dscores_BS[:, None] @ keys_BSH).squeeze(1), *(None,) * 5


class AdditiveStep(torch.autograd.Function):
    """softmax(v . tanh(q + keys)) over S, and the sum of values that it weighs."""

    @staticmethod
    def forward(
        ctx: Any,
        query_BK: Tensor,
        keys_BSK: Tensor,
        values_BSX: Tensor,
        v_K: Tensor,
        hidden_BS: Tensor,
        key_notes: Notes,
        value_notes: Notes,
        v_notes: Notes,
    ) -> Tensor:
        mixed_BSK = tanh_(query_BK[:, None] + keys_BSK)
        weights_BS = _softmax(mixed_BSK @ v_K, hidden_BS)
        ctx.save_for_backward(mixed_BSK, values_BSX, v_K, weights_BS)
        ctx.notes = key_notes, value_notes, v_notes
        return (weights_BS[:, None] @ values_BSX).squeeze(1)

    @staticmethod
    def backward(ctx: Any, dcontext_BX: Tensor) -> tuple[Tensor | None, ...]:
        mixed_BSK, values_BSX, v_K, weights_BS = ctx.saved_tensors
        key_notes, value_notes, v_notes = ctx.notes
        dscores_BS = _dscores(dcontext_BX, values_BSX, weights_BS)
        value_notes.add(weights_BS, dcontext_BX)
        add_up(v_notes, dscores_BS.flatten() @ mixed_BSK.flatten(0, 1))
        dkeys_BSK = tanh_backward(dscores_BS[:, :, None] * v_K, mixed_BSK)
        dquery_BK = dkeys_BSK.sum(1)
        add_up(key_notes, dkeys_BSK)
        return dquery_BK, *(None,) * 7


def _products(query_BX: Tensor, rows_BSX: Tensor) -> Tensor:
    """Of each row with its query, (B, S): on the CPU, vectors on the left are far faster."""
    return (query_BX[:, None] @ rows_BSX.transpose(1, 2)).squeeze(1)


def _softmax(scores_BS: Tensor, hidden_BS: Tensor) -> Tensor:
    return torch.softmax(scores_BS.masked_fill_(hidden_BS, float("-inf")), dim=1)


def _dscores(dcontext_BX: Tensor, values_BSX: Tensor, weights_BS: Tensor) -> Tensor:
    dweights_BS = _products(dcontext_BX, values_BSX)
    dscores_BS: Tensor = softmax_backward(dweights_BS, weights_BS, 1, weights_BS.dtype)
    return dscores_BS
