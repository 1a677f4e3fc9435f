"""Embeddings: random, tuned or frozen."""

from __future__ import annotations

from torch import Tensor, nn

INITS = ("normal", "uniform", "xavier")
TRAINED = ("tuned", "frozen")


class Embedding(nn.Module):
    """Ids (...) -> vectors (..., E). frozen: keeps its initial values."""

    def __init__(self, symbols: int, size: int, trained: str) -> None:
        super().__init__()
        assert trained in TRAINED, trained
        self.table = nn.Embedding(symbols, size)
        self.table.weight.requires_grad_(trained == "tuned")
        self.size = size

    def forward(self, ids: Tensor) -> Tensor:
        vectors: Tensor = self.table(ids)
        return vectors
