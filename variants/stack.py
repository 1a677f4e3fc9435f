"""Layers of one kind of cell, one on top of the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from variants.cells import CELLS, Cell, CellState, TorchCell, torch_unroll, unroll
from variants.dropout import apply, mask

States = tuple[CellState, ...]
"""One state a layer, lowest first."""


class Padding(NamedTuple):
    """Where rows end: the same in the two forms that torch's kernels and plain loops need."""

    mask_BS: Tensor
    lengths_B: Tensor


class Stack(nn.Module):
    """`depth` layers of a cell. Dropout stands between layers, not after the last."""

    def __init__(self, cell: str, input_size: int, hidden: int, depth: int, dropout: float) -> None:
        super().__init__()
        sizes = [input_size] + [hidden] * (depth - 1)
        self.cells = nn.ModuleList(CELLS[cell](size, hidden) for size in sizes)
        self.hidden = hidden
        self.dropout = dropout

    def zeros(self, batch: int, like: Tensor) -> States:
        """The all-zero state of every layer."""
        return tuple(cell.zeros(batch, like) for cell in self._layers())

    def _layers(self) -> Iterator[Cell]:
        return (cell for cell in self.cells if isinstance(cell, Cell))

    def between(
        self, batch: int, steps: int, dropout: torch.Generator | None, like: Tensor
    ) -> list[Tensor | None]:
        """Dropout masks below each layer, none below the first."""
        shape = (batch, steps, self.hidden)
        above = [mask(shape, self.dropout, dropout, like) for _ in self.cells[1:]]
        return [None, *above]

    def forward(
        self,
        inputs_BSI: Tensor,
        states: States,
        masks: list[Tensor | None],
        padding: Padding | None = None,
    ) -> tuple[Tensor, States]:
        """Outputs_BSH of the top layer and every layer's state after each row's end."""
        values = inputs_BSI
        after = []
        for cell, state, drawn in zip(self._layers(), states, masks, strict=True):
            values = apply(values, drawn)
            if isinstance(cell, TorchCell):
                lengths = None if padding is None else padding.lengths_B
                values, state = torch_unroll(cell, values, state, lengths)
            else:
                real = None if padding is None else padding.mask_BS
                values, state = unroll(cell, values, state, real)
            after.append(state)
        return values, tuple(after)
