"""What every attention offers: how well each source position answers a query.

An attention scores: `keys` (B, S, D) -> (B, S, K), once a source; `score` queries_BTH, keys_BSK
-> scores_BTS. `weigh` masks and normalises over the source axis, `forward` sums.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from variants.fast.forms import newer


class Sizes(NamedTuple):
    """query: H of the decoder's state. memory: D of the encoder's outputs. longest: positions
    that sources have in training. heads: for those with several. span: positions on either side
    of the middle, for local ones."""

    query: int
    memory: int
    longest: int = 1
    heads: int = 1
    span: int = 1


class Attended(NamedTuple):
    """What an attention reads at every step."""

    keys_BSK: Tensor
    values_BSX: Tensor
    mask_BS: Tensor


Attend = Callable[[Tensor, int], Tensor]
"""Query_BH and its step -> context_BX."""


class Attention(nn.Module, ABC):
    """How contexts are made of an encoder's outputs. context: their size."""

    same_size = False
    """Whether it can only compare queries and memory of one size."""
    has_heads = False
    """Whether it reads the axis heads."""
    has_span = False
    """Whether it reads the axis attention_span."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # weights of its own are not what an inherited form for loops computes
        if any(newer(cls, part, than="in_loop") for part in ("score", "weigh", "forward")):
            cls.in_loop = Attention.in_loop  # type: ignore[method-assign]

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        assert not self.same_size or sizes.query == sizes.memory, sizes
        self.context = sizes.memory

    def keys(self, memory_BSD: Tensor) -> Tensor:
        """What of the memory is compared."""
        return memory_BSD

    def values(self, memory_BSD: Tensor) -> Tensor:
        """What of the memory is summed."""
        return memory_BSD

    def remember(self, memory_BSD: Tensor, mask_BS: Tensor) -> Attended:
        """Once a source."""
        return Attended(self.keys(memory_BSD), self.values(memory_BSD), mask_BS)

    @abstractmethod
    def score(self, queries_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
        """Scores_BTS before masking and softmax."""

    def weigh(self, queries_BTH: Tensor, read: Attended, start: int) -> Tensor:
        """Weights_BTS over the source; padding gets 0. start: the first query's step."""
        return masked_softmax(self.score(queries_BTH, read.keys_BSK), read.mask_BS[:, None])

    def forward(self, queries_BTH: Tensor, read: Attended, start: int) -> tuple[Tensor, Tensor]:
        """Contexts_BTX and weights_BTS. Every row has a real position."""
        weights_BTS = self.weigh(queries_BTH, read, start)
        return weights_BTS @ read.values_BSX, weights_BTS

    def in_loop(self, read: Attended) -> Attend:
        """`forward` for the many steps of one loop: the same contexts, gradients the same but for
        rounding, what does not change made once (see variants.fast.late_gradients)."""
        return lambda query_BH, step: self(query_BH[:, None], read, step)[0].squeeze(1)


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Over the last axis, 0 where the mask is False; some position of each row is True."""
    return torch.softmax(scores.masked_fill(~mask, float("-inf")), dim=-1)
