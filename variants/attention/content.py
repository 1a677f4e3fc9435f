"""Attention by content: a score for each pair of a query and an encoder's output."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from variants.attention.contract import Attend, Attended, Attention, Sizes
from variants.attention.manual_gradients import AdditiveStep, ProductStep, late_rows, late_sum
from variants.fast.late_gradients import late_weight, linear
from variants.fast.matmul import Linear
from variants.fast.matmul import linear as linear_map


class Additive(Attention):
    """v . tanh(W q + U m). Bahdanau et al. 2015, appendix A.1.2; K = H, no biases."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.from_query = Linear(sizes.query, sizes.query, bias=False)
        self.from_memory = Linear(sizes.memory, sizes.query, bias=False)
        self.v = Linear(sizes.query, 1, bias=False)

    def keys(self, memory_BSD: Tensor) -> Tensor:
        keys_BSK: Tensor = self.from_memory(memory_BSD)
        return keys_BSK

    def score(self, queries_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
        mixed_BTSK = torch.tanh(self.from_query(queries_BTH)[:, :, None] + keys_BSK[:, None])
        scores_BTS1: Tensor = self.v(mixed_BTSK)
        return scores_BTS1.squeeze(-1)

    def in_loop(self, read: Attended) -> Attend:
        return _additive_loop(self.from_query.weight, self.v.weight, read)


class Concat(Attention):
    """v . tanh(W [q ; m]). Luong et al. 2015, section 3.1, concat; W is (H, H + D), no biases.

    The functions that it can learn are those of `additive`, as W [q ; m] = W1 q + W2 m; it
    starts from other values, for W's rows are H + D long.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.both = Linear(sizes.query + sizes.memory, sizes.query, bias=False)
        self.v = Linear(sizes.query, 1, bias=False)
        self.query = sizes.query

    def keys(self, memory_BSD: Tensor) -> Tensor:
        return linear_map(memory_BSD, self.both.weight[:, self.query :])

    def score(self, queries_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
        from_query = linear_map(queries_BTH, self.both.weight[:, : self.query])
        scores_BTS1: Tensor = self.v(torch.tanh(from_query[:, :, None] + keys_BSK[:, None]))
        return scores_BTS1.squeeze(-1)

    def in_loop(self, read: Attended) -> Attend:
        return _additive_loop(self.both.weight[:, : self.query], self.v.weight, read)


class Dot(Attention):
    """q . m. Luong et al. 2015, section 3.1, dot."""

    same_size = True

    def score(self, queries_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
        return queries_BTH @ keys_BSK.transpose(1, 2)

    def in_loop(self, read: Attended) -> Attend:
        return _product_loop(read)


class ScaledDot(Dot):
    """q . m / sqrt(H). Vaswani et al. 2017, eq. 1, without their projections."""

    def score(self, queries_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
        return super().score(queries_BTH, keys_BSK) / math.sqrt(keys_BSK.shape[-1])

    def in_loop(self, read: Attended) -> Attend:
        return _product_loop(read, 1.0 / math.sqrt(read.keys_BSK.shape[-1]))


class General(Attention):
    """q . W m. Luong et al. 2015, section 3.1, general; K = H, no bias."""

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
    scaled_BSK = read.keys_BSK if scale is None else read.keys_BSK * scale
    keys, values = late_rows(scaled_BSK), late_rows(read.values_BSX)
    hidden_BS = ~read.mask_BS

    def attend(query_BH: Tensor, step: int) -> Tensor:
        given = (keys.value, values.value, hidden_BS, keys.notes, values.notes)
        context_BX: Tensor = ProductStep.apply(query_BH, *given)  # type: ignore[no-untyped-call]
        return context_BX

    return attend


def _additive_loop(from_query_KH: Tensor, v_1K: Tensor, read: Attended) -> Attend:
    weight, v = late_weight(from_query_KH), late_sum(v_1K.squeeze(0))
    keys, values = late_sum(read.keys_BSK), late_rows(read.values_BSX)
    hidden_BS = ~read.mask_BS
    nothing = read.keys_BSK.new_zeros(1)

    def attend(query_BH: Tensor, step: int) -> Tensor:
        query_BK = linear(query_BH, weight, nothing)
        given = (keys.value, values.value, v.value, hidden_BS, keys.notes, values.notes, v.notes)
        context_BX: Tensor = AdditiveStep.apply(query_BK, *given)  # type: ignore[no-untyped-call]
        return context_BX

    return attend
