"""Attentions by content: they score each pair of a query and an encoder's output."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from variants.attention.contract import Attend, Attended, Attention, Sizes
from variants.attention.manual_gradients import (
    AdditiveStep,
    ProductStep,
    deferred_rows,
    deferred_sum,
)
from variants.fast.deferred_gradients import deferred_linear, deferred_weight
from variants.fast.matmul import Linear, linear


class Additive(Attention):
    """The attention v . tanh(W q + U m). Bahdanau et al. 2015, appendix A.1.2; K = H, no biases."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.from_query = Linear(sizes.query, sizes.query, bias=False)
        self.from_memory = Linear(sizes.memory, sizes.query, bias=False)
        self.v = Linear(sizes.query, 1, bias=False)

    def keys(self, memory_BSD: Tensor) -> Tensor:
        keys_BSK: Tensor = self.from_memory(memory_BSD)
        return keys_BSK

    def score(self, queries_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
        # every query with every key: (B, T, 1, K) + (B, 1, S, K)
        mixed_BTSK = torch.tanh(self.from_query(queries_BTH)[:, :, None] + keys_BSK[:, None])
        scores_BTS1: Tensor = self.v(mixed_BTSK)
        return scores_BTS1.squeeze(-1)

    def in_loop(self, read: Attended) -> Attend:
        return _additive_loop(self.from_query.weight, self.v.weight, read)


class Concat(Attention):
    """The attention v . tanh(W [q ; m]). Luong et al. 2015, section 3.1, concat; no biases.

    W is (H, H + D). It can learn the functions that `additive` can, as W [q ; m] = W1 q + W2 m,
    but starts from other values, for W's rows are H + D long.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.both = Linear(sizes.query + sizes.memory, sizes.query, bias=False)
        self.v = Linear(sizes.query, 1, bias=False)
        self.query = sizes.query

    def keys(self, memory_BSD: Tensor) -> Tensor:
        # the columns of W that meet the memory; keys are made once for all steps
        return linear(memory_BSD, self.both.weight[..., self.query :])

    def score(self, queries_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
        from_query = linear(queries_BTH, self.both.weight[..., : self.query])
        scores_BTS1: Tensor = self.v(torch.tanh(from_query[:, :, None] + keys_BSK[:, None]))
        return scores_BTS1.squeeze(-1)

    def in_loop(self, read: Attended) -> Attend:
        return _additive_loop(self.both.weight[..., : self.query], self.v.weight, read)


class Dot(Attention):
    """The attention q . m. Luong et al. 2015, section 3.1, dot."""

    same_size = True

    def score(self, queries_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
        return queries_BTH @ keys_BSK.transpose(1, 2)

    def in_loop(self, read: Attended) -> Attend:
        return _product_loop(read)


class ScaledDot(Dot):
    """The attention q . m / sqrt(H). Vaswani et al. 2017, eq. 1, without their projections."""

    def score(self, queries_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
        return super().score(queries_BTH, keys_BSK) / math.sqrt(keys_BSK.shape[-1])

    def in_loop(self, read: Attended) -> Attend:
        return _product_loop(read, 1.0 / math.sqrt(read.keys_BSK.shape[-1]))


class General(Attention):
    """The attention q . W m. Luong et al. 2015, section 3.1, general; K = H, no bias."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.from_memory = Linear(sizes.memory, sizes.query, bias=False)

    def keys(self, memory_BSD: Tensor) -> Tensor:
        keys_BSK: Tensor = self.from_memory(memory_BSD)
        return keys_BSK

    def score(self, queries_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
        return queries_BTH @ keys_BSK.transpose(1, 2)

    def in_loop(self, read: Attended) -> Attend:
        return _product_loop(read)


def _product_loop(read: Attended, scale: float | None = None) -> Attend:
    """Return the form for loops of scores q . keys, times a scale."""
    # keys are scaled once, where scores would be at every step
    scaled_BSK = read.keys_BSK if scale is None else read.keys_BSK * scale
    keys, values = deferred_rows(scaled_BSK), deferred_rows(read.values_BSX)
    hidden_BS = ~read.mask_BS

    def attend(query_BH: Tensor, step: int) -> Tensor:
        source = (keys.value, values.value, hidden_BS, keys.factors, values.factors)
        context_BX: Tensor = ProductStep.apply(query_BH, *source)  # type: ignore[no-untyped-call]
        return context_BX

    return attend


def _additive_loop(from_query_KH: Tensor, v_1K: Tensor, read: Attended) -> Attend:
    """Return the form for loops of scores v . tanh(W q + keys), W being from_query_KH."""
    weight, v = deferred_weight(from_query_KH), deferred_sum(v_1K.squeeze(-2))
    keys, values = deferred_sum(read.keys_BSK), deferred_rows(read.values_BSX)
    hidden_BS = ~read.mask_BS
    # what deferred_linear adds its product to: a zero, which broadcasts
    no_bias = read.keys_BSK.new_zeros(1)

    def attend(query_BH: Tensor, step: int) -> Tensor:
        query_BK = deferred_linear(query_BH, weight, no_bias)
        source = (keys.value, values.value, v.value, hidden_BS)
        factors = (keys.factors, values.factors, v.factors)
        context_BX: Tensor = AdditiveStep.apply(query_BK, *source, *factors)  # type: ignore[no-untyped-call]
        return context_BX

    return attend
