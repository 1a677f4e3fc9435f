"""The first state of a recurrence, before a source's first symbol."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from variants.cells import Cell, CellState

INITIAL_STATES = {
    "zeros": "all zeros",
    "normal": "drawn once from N(0, 1), kept, the same for all sources and while testing",
    "learned": "a parameter that starts at zeros (Hinton's lecture 10 on recurrent networks)",
}
"""The values of the axis initial_state."""


class InitialState(nn.Module):
    """The first state of one cell, the same for all rows: (H,) for each of its `given` parts."""

    def __init__(self, kind: str, cell: Cell) -> None:
        super().__init__()
        assert kind in INITIAL_STATES, kind
        self._kind = kind
        if kind != "zeros":
            self.parts = nn.Parameter(
                torch.empty(cell.given, cell.hidden), requires_grad=kind == "learned"
            )

    def first_values(self, parameter: Tensor, generator: torch.Generator) -> None:
        """Draw values (given, H) that are kept, or start values that are learned at zeros."""
        if self._kind == "normal":
            parameter.normal_(generator=generator)
        else:
            parameter.zero_()

    def forward(self, cell: Cell, batch: int, like: Tensor) -> CellState:
        """Return the state of B = batch rows, (B, H) each part. like: gives device and format."""
        if self._kind == "zeros":
            return cell.zeros(batch, like)
        return cell.begin([part.to(like).expand(batch, -1) for part in self.parts])
