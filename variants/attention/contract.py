"""The contract of an attention: it weighs source positions by how well they answer a query.

`keys` (B, S, D) -> (B, S, K) runs once a source; `score` makes scores_BTS of queries_BTH and
keys_BSK; `weigh` masks and normalises over the source axis; `forward` sums. X is the size of
contexts, K that of keys.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from variants.fast.forms import newer


class Sizes(NamedTuple):
    """The sizes that an attention is built with.

    query: H of the decoder's state. memory: D of the encoder's outputs. longest: positions
    that sources have in training. heads: for attentions with several. span: positions on either
    side of the middle, for local attentions.
    """

    query: int
    memory: int
    longest: int = 1
    heads: int = 1
    span: int = 1


class Attended(NamedTuple):
    """The source as an attention reads it at every step: keys, values, and the real positions."""

    keys_BSK: Tensor
    values_BSX: Tensor
    mask_BS: Tensor


Attend = Callable[[Tensor, int], Tensor]
"""Makes the context_BX of a query_BH and its step, counted from 0."""


class Attention(nn.Module, ABC):
    """Makes contexts of an encoder's outputs. context: their size X."""

    same_size = False
    """True if it can only compare queries and memory of one size."""
    has_heads = False
    """True if it reads the axis heads."""
    has_span = False
    """True if it reads the axis attention_span."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # an inherited form for loops does not compute the weights of a class that has its own
        if any(newer(cls, part, than="in_loop") for part in ("score", "weigh", "forward")):
            cls.in_loop = Attention.in_loop  # type: ignore[method-assign]

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        assert not self.same_size or sizes.query == sizes.memory, sizes
        self.context = sizes.memory

    def keys(self, memory_BSD: Tensor) -> Tensor:
        """Return what of memory_BSD is compared with queries, keys_BSK."""
        return memory_BSD

    def values(self, memory_BSD: Tensor) -> Tensor:
        """Return what of memory_BSD is summed, values_BSX."""
        return memory_BSD

    def remember(self, memory_BSD: Tensor, mask_BS: Tensor) -> Attended:
        """Prepare an encoder's outputs for all steps, once a source."""
        return Attended(self.keys(memory_BSD), self.values(memory_BSD), mask_BS)

    @abstractmethod
    def score(self, queries_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
        """Return scores_BTS before masking and softmax."""

    def weigh(self, queries_BTH: Tensor, read: Attended, start: int) -> Tensor:
        """Return weights_BTS over the source, 0 at padding. start: the first query's step."""
        return masked_softmax(self.score(queries_BTH, read.keys_BSK), read.mask_BS[:, None])

    def forward(self, queries_BTH: Tensor, read: Attended, start: int) -> tuple[Tensor, Tensor]:
        """Return contexts_BTX and weights_BTS. Every row needs a real position."""
        weights_BTS = self.weigh(queries_BTH, read, start)
        return weights_BTS @ read.values_BSX, weights_BTS

    def in_loop(self, read: Attended) -> Attend:
        """Return `forward` in a form for the many steps of one loop.

        Contexts are the same, and gradients but for rounding; what does not change from step to
        step is made once (see variants.fast.deferred_gradients).
        """
        return lambda query_BH, step: self(query_BH[:, None], read, step)[0].squeeze(1)


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Return the softmax of scores (..., S) over the last axis, 0 where the mask is False.

    mask: what broadcasts to the scores, True somewhere in each row.
    """
    return torch.softmax(scores.masked_fill(~mask, float("-inf")), dim=-1)
