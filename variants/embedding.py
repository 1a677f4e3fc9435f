"""Embeddings: random, tuned or frozen."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

INITS: dict[str, Callable[[Tensor, float, torch.Generator], Tensor]] = {
    "normal": lambda table, _, drawn: table.normal_(generator=drawn),
    "uniform": lambda table, spread, drawn: table.uniform_(-spread, spread, generator=drawn),
    "xavier": lambda table, _, drawn: nn.init.xavier_uniform_(table, generator=drawn),
}
"""N(0, 1); uniform within +-spread; Glorot and Bengio 2010."""
TRAINED = ("tuned", "frozen")


class Embedding(nn.Module):
    """Ids (...) -> vectors (..., E). frozen: keeps its first values."""

    def __init__(self, symbols: int, size: int, init: str, spread: float, trained: str) -> None:
        super().__init__()
        self.size = size
        self._init = INITS[init]
        self._spread = spread
        self.table = nn.Parameter(torch.empty(symbols, size), requires_grad=trained == "tuned")

    def first_values(self, parameter: Tensor, generator: torch.Generator) -> None:
        """Draw the table."""
        self._init(parameter, self._spread, generator)

    def forward(self, ids: Tensor) -> Tensor:
        return nn.functional.embedding(ids, self.table)
