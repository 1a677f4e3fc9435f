"""Attention by content: a score for each pair of a query and an encoder's output."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from variants.attention.contract import Attention, Sizes


class Additive(Attention):
    """v . tanh(W q + U m). Bahdanau et al. 2015, appendix A.1.2; K = H, no biases."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.from_query = nn.Linear(sizes.query, sizes.query, bias=False)
        self.from_memory = nn.Linear(sizes.memory, sizes.query, bias=False)
        self.v = nn.Linear(sizes.query, 1, bias=False)

    def keys(self, memory_BSD: Tensor) -> Tensor:
        keys_BSK: Tensor = self.from_memory(memory_BSD)
        return keys_BSK

    def score(self, queries_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
        mixed_BTSK = torch.tanh(self.from_query(queries_BTH)[:, :, None] + keys_BSK[:, None])
        scores_BTS1: Tensor = self.v(mixed_BTSK)
        return scores_BTS1.squeeze(-1)


class Concat(Attention):
    """v . tanh(W [q ; m]). Luong et al. 2015, section 3.1, concat; W is (H, H + D), no biases.

    The functions that it can learn are those of `additive`, as W [q ; m] = W1 q + W2 m; it
    starts from other values, for W's rows are H + D long.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.both = nn.Linear(sizes.query + sizes.memory, sizes.query, bias=False)
        self.v = nn.Linear(sizes.query, 1, bias=False)
        self.query = sizes.query

    def keys(self, memory_BSD: Tensor) -> Tensor:
        return nn.functional.linear(memory_BSD, self.both.weight[:, self.query :])

    def score(self, queries_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
        from_query = nn.functional.linear(queries_BTH, self.both.weight[:, : self.query])
        scores_BTS1: Tensor = self.v(torch.tanh(from_query[:, :, None] + keys_BSK[:, None]))
        return scores_BTS1.squeeze(-1)


class Dot(Attention):
    """q . m. Luong et al. 2015, section 3.1, dot."""

    same_size = True

    def score(self, queries_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
        return queries_BTH @ keys_BSK.transpose(1, 2)


class ScaledDot(Dot):
    """q . m / sqrt(H). Vaswani et al. 2017, eq. 1, without their projections."""

    def score(self, queries_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
        return super().score(queries_BTH, keys_BSK) / math.sqrt(keys_BSK.shape[-1])


class General(Attention):
    """q . W m. Luong et al. 2015, section 3.1, general; K = H, no bias."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.from_memory = nn.Linear(sizes.memory, sizes.query, bias=False)

    def keys(self, memory_BSD: Tensor) -> Tensor:
        keys_BSK: Tensor = self.from_memory(memory_BSD)
        return keys_BSK

    def score(self, queries_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
        return queries_BTH @ keys_BSK.transpose(1, 2)
