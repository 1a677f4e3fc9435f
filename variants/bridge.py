"""The bridge makes the decoder's first states of the encoder's last ones."""

from __future__ import annotations

import torch
from torch import nn

from variants.cells import Cell
from variants.fast.matmul import Linear
from variants.stack import States

BRIDGES = {
    "copy": "states as they are (Sutskever et al. 2014, section 2); a bidirectional encoder's are "
    "twice as wide and go through linear-tanh",
    "linear-tanh": "tanh(W s + b), a W for each part of the state (Cho et al. 2014, section 2.2; "
    "Bahdanau et al. 2015, appendix A.2.2, who read the backward state alone)",
    "zero": "the decoder starts from zeros, and learns of the source by its context alone",
}
"""The values of the axis bridge."""


class Bridge(nn.Module):
    """A map from the states of an encoder's layers, (B, D), to those of a decoder's, (B, H).

    Layers meet from the top down; a deeper decoder's extra layers start from the encoder's
    lowest.
    """

    def __init__(self, kind: str, encoder_width: int, hidden: int, depth: int, cell: Cell) -> None:
        super().__init__()
        assert kind in BRIDGES, kind
        self.depth = depth
        self.zero = kind == "zero"
        linear = kind == "linear-tanh" or (kind == "copy" and encoder_width != hidden)
        self.narrow = nn.ModuleList(
            Linear(encoder_width, hidden) for _ in range(cell.given if linear else 0)
        )

    def forward(self, states: States, cells: list[Cell]) -> States:
        """Return the cells' first states (B, H), lowest first, from last ones (B, D)."""
        if self.zero:
            like = states[0].h_BH
            return tuple(cell.zeros(len(like), like) for cell in cells)
        first = [states[max(len(states) - self.depth + layer, 0)] for layer in range(self.depth)]
        if not self.narrow:
            return tuple(first)
        return tuple(
            cell.begin(
                [
                    torch.tanh(linear(part))
                    for linear, part in zip(self.narrow, cell.hand_over(state), strict=True)
                ]
            )
            for cell, state in zip(cells, first, strict=True)
        )
