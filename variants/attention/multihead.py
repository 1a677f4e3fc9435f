"""Attention by several heads, each of which has projections of its own."""

from __future__ import annotations

import math

from torch import Tensor

from variants.attention.contract import Attended, Attention, Sizes, masked_softmax
from variants.fast.matmul import Linear


class Multihead(Attention):
    """The attention by scaled dot products in `heads` subspaces, joined by a linear map.

    Vaswani et al. 2017, section 3.2.2, with biases, as torch.nn.MultiheadAttention has them. H is
    a multiple of `heads`. Contexts are H wide. The weights returned are the mean over heads.
    """

    has_heads = True

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        assert sizes.query % sizes.heads == 0, sizes
        self.heads = sizes.heads
        self.context = sizes.query
        self.from_query = Linear(sizes.query, sizes.query)
        self.from_memory = Linear(sizes.memory, sizes.query)
        self.to_values = Linear(sizes.memory, sizes.query)
        self.join = Linear(sizes.query, sizes.query)

    def keys(self, memory_BSD: Tensor) -> Tensor:
        keys_BSK: Tensor = self.from_memory(memory_BSD)
        return keys_BSK

    def values(self, memory_BSD: Tensor) -> Tensor:
        values_BSX: Tensor = self.to_values(memory_BSD)
        return values_BSX

    def score(self, queries_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
        """Return the scores of each head, (B, heads, T, S)."""
        queries, keys = self._split(self.from_query(queries_BTH)), self._split(keys_BSK)
        return queries @ keys.transpose(-1, -2) / math.sqrt(keys.shape[-1])

    def forward(self, queries_BTH: Tensor, read: Attended, start: int) -> tuple[Tensor, Tensor]:
        """Return contexts_BTX, X = H, and the mean weights_BTS over heads."""
        scores = self.score(queries_BTH, read.keys_BSK)
        weights = masked_softmax(scores, read.mask_BS[:, None, None])
        contexts = (weights @ self._split(read.values_BSX)).transpose(1, 2).flatten(2)
        return self.join(contexts), weights.mean(1)

    def _split(self, values_BXH: Tensor) -> Tensor:
        """Return each head's share, (B, X, H) -> (B, heads, X, H / heads)."""
        batch, length, _ = values_BXH.shape
        return values_BXH.view(batch, length, self.heads, -1).transpose(1, 2)
