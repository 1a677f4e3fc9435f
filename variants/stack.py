"""Stacks layers of one kind of cell on top of each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from variants.cells import CELLS, Cell, CellState, fastest
from variants.dropout import apply, mask

STACKS = {
    "plain": "each layer reads the one below",
    "residual": "from the second layer on, a layer's outputs have its inputs added (He et al. "
    "2016, eq. 1; between recurrent layers Wu et al. 2016, section 3.1)",
}
"""The values of the axis stack."""

States = tuple[CellState, ...]
"""One state for each layer, lowest first."""


class Padding(NamedTuple):
    """The ends of rows, in the forms that plain loops and torch's kernels need.

    lengths_B: on the CPU.
    """

    mask_BS: Tensor
    lengths_B: Tensor


class Layers(NamedTuple):
    """The choices that make a stack.

    dropout: between layers. recurrent_dropout: on h, where recurrent weights meet it, one mask for
    each row and layer at all steps (Gal and Ghahramani 2016, section 4).
    """

    cell: str
    hidden: int
    depth: int
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    residual: bool = False


class Dropped(NamedTuple):
    """The dropout masks of a pass for each layer.

    inputs: (B, T, H) on a layer's inputs, None for the first. recurrent: (B, H) on h within its
    recurrence.
    """

    inputs: tuple[Tensor | None, ...]
    recurrent: tuple[Tensor | None, ...]

    def at(self, t: int) -> Dropped:
        """Return the masks of step t, (B, 1, H) where they have a time axis."""
        return Dropped(
            tuple(None if m is None else m[:, t : t + 1] for m in self.inputs), self.recurrent
        )


class Stack(nn.Module):
    """`depth` layers of a cell. Dropout stands between layers, not after the last."""

    def __init__(self, layers: Layers, input_size: int) -> None:
        super().__init__()
        sizes = [input_size] + [layers.hidden] * (layers.depth - 1)
        self.cells = nn.ModuleList(CELLS[layers.cell](size, layers.hidden) for size in sizes)
        self.layers = layers

    def zeros(self, batch: int, like: Tensor) -> States:
        """Return the state (B, H) of every layer that remembers nothing."""
        return tuple(cell.zeros(batch, like) for cell in self.each())

    def each(self) -> Iterator[Cell]:
        """Return the cells, lowest first."""
        return (cell for cell in self.cells if isinstance(cell, Cell))

    def dropped(
        self, batch: int, steps: int, dropout: torch.Generator | None, like: Tensor
    ) -> Dropped:
        """Return the masks of T steps, (B, T, H) of inputs and (B, H) of states, None for none."""
        shape = (batch, steps, self.layers.hidden)
        # none on the lowest layer's inputs, where the model drops embeddings itself
        above = [mask(shape, self.layers.dropout, dropout, like) for _ in self.cells[1:]]
        inner = [
            mask((batch, self.layers.hidden), self.layers.recurrent_dropout, dropout, like)
            for _ in self.cells
        ]
        return Dropped((None, *above), tuple(inner))

    def forward(
        self,
        inputs_BSI: Tensor,
        states: States,
        dropped: Dropped,
        padding: Padding | None = None,
    ) -> tuple[Tensor, States]:
        """Return outputs_BSH of the top layer, and every layer's state after each row's end."""
        real, lengths = padding or (None, None)
        values = inputs_BSI
        after: list[CellState] = []
        for cell, state, below, inner in zip(
            self.each(), states, dropped.inputs, dropped.recurrent, strict=True
        ):
            inputs = apply(values, below)
            outputs, state = fastest(cell, inputs, state, real, lengths, inner)
            # `after` is empty at the lowest layer, whose inputs have another size
            values = outputs + inputs if self.layers.residual and after else outputs
            after.append(state)
        return values, tuple(after)
