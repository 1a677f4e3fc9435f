"""Attention: how well each source position answers a query.

An attention scores: `keys` (B, S, D) -> (B, S, K), once a source; `score` queries_BTH, keys_BSK
-> scores_BTS. `attend` masks, normalises over the source axis and sums.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Attention(nn.Module, ABC):
    """query: size H of the decoder's state. memory: size D of the encoder's outputs."""

    same_size = False
    """Whether it can only compare queries and memory of one size."""

    def __init__(self, query: int, memory: int) -> None:
        super().__init__()
        assert not self.same_size or query == memory, (query, memory)

    def keys(self, memory_BSD: Tensor) -> Tensor:
        """What of the memory is compared."""
        return memory_BSD

    @abstractmethod
    def score(self, queries_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
        """Scores_BTS before masking and softmax."""


class Additive(Attention):
    """v . tanh(W q + U m). Bahdanau et al. 2015, appendix A.1.2; K = H, no biases."""

    def __init__(self, query: int, memory: int) -> None:
        super().__init__(query, memory)
        self.from_query = nn.Linear(query, query, bias=False)
        self.from_memory = nn.Linear(memory, query, bias=False)
        self.v = nn.Linear(query, 1, bias=False)

    def keys(self, memory_BSD: Tensor) -> Tensor:
        keys_BSK: Tensor = self.from_memory(memory_BSD)
        return keys_BSK

    def score(self, queries_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
        mixed_BTSK = torch.tanh(self.from_query(queries_BTH)[:, :, None] + keys_BSK[:, None])
        scores_BTS1: Tensor = self.v(mixed_BTSK)
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

    def __init__(self, query: int, memory: int) -> None:
        super().__init__(query, memory)
        self.from_memory = nn.Linear(memory, query, bias=False)

    def keys(self, memory_BSD: Tensor) -> Tensor:
        keys_BSK: Tensor = self.from_memory(memory_BSD)
        return keys_BSK

    def score(self, queries_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
        return queries_BTH @ keys_BSK.transpose(1, 2)


ATTENTIONS: dict[str, type[Attention] | None] = {
    "none": None,
    "additive": Additive,
    "dot": Dot,
    "scaled-dot": ScaledDot,
    "general": General,
}


def attend(
    attention: Attention,
    queries_BTH: Tensor,
    keys_BSK: Tensor,
    memory_BSD: Tensor,
    mask_BS: Tensor,
) -> tuple[Tensor, Tensor]:
    """Context_BTD and weights_BTS; padding gets weight 0. Every row has a real position."""
    scores_BTS = attention.score(queries_BTH, keys_BSK)
    scores_BTS = scores_BTS.masked_fill(~mask_BS[:, None], float("-inf"))
    weights_BTS = torch.softmax(scores_BTS, dim=-1)
    return weights_BTS @ memory_BSD, weights_BTS
