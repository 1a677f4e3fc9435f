"""The first state of a recurrence, before a source's first symbol."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from variants.cells import Cell, CellState
from variants.dropout import ReplicaGenerators
from variants.fast.stacked import to_rows

INITIAL_STATES = {
    "zeros": "all zeros",
    "normal": "drawn once from N(0, 1), kept, the same for all sources and while testing",
    "drawn": "drawn anew from N(0, 1) for every row of every batch in training; in testing drawn "
    "once, the same for all rows, so that an output can be repeated",
    "learned": "a parameter that starts at zeros (Hinton's lecture 10 on recurrent networks)",
}
"""The values of the axis initial_state."""


class InitialState(nn.Module):
    """The first state of one cell: (H,) for each of its `given` parts, the same for all rows.

    Where it is drawn anew in training, each row has one of its own there.
    """

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
        if self._kind in ("normal", "drawn"):
            parameter.normal_(generator=generator)
        else:
            parameter.zero_()

    def forward(
        self, cell: Cell, batch: int, like: Tensor, drawn: torch.Generator | None
    ) -> CellState:
        """Return the state of B = batch rows, (B, H) each part.

        like: gives device and format. drawn: the generator of a training pass, else None.
        """
        if self._kind == "zeros":
            return cell.zeros(batch, like)
        if self._kind == "drawn" and drawn is not None:
            # as masks are: a smaller number format draws in float32
            kind = like.dtype if like.dtype == torch.float64 else torch.float32

            def values(rows: int, generator: torch.Generator) -> Tensor:
                shape = (cell.given, rows, cell.hidden)
                return torch.randn(shape, generator=generator, device=like.device, dtype=kind)

            return cell.begin(list(_each_row(values, batch, drawn).to(like)))
        parts = self.parts.to(like).unbind(-2)
        return cell.begin([to_rows(part, batch).expand(batch, -1) for part in parts])


def _each_row(
    values: Callable[[int, torch.Generator], Tensor], batch: int, drawn: torch.Generator
) -> Tensor:
    """Return what a function draws for so many rows, (given, B, H).

    In a stack each replica draws for the rows of its own batch; those that fill it up are zeros.
    """
    if not isinstance(drawn, ReplicaGenerators):
        return values(batch, drawn)
    rows = batch // len(drawn.each)
    own = [values(shape.rows, each) for shape, each in zip(drawn.own, drawn.each, strict=True)]
    return torch.cat([nn.functional.pad(v, (0, 0, 0, rows - v.shape[1])) for v in own], dim=1)
