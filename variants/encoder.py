"""Encoders read the source forward, in reversed order, or both ways."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from variants.cells import Cell, CellState
from variants.dropout import apply, mask
from variants.initial_state import InitialState
from variants.stack import Layers, Padding, Stack, States

DIRECTIONS = {
    "forward": "first symbol to last",
    "reversed": "last symbol to first (Sutskever et al. 2014, section 3.3)",
    "bidirectional": "both, layer by layer, each layer reading both below it; outputs are 2 H "
    "wide (Schuster and Paliwal 1997, section II.C)",
}
"""The values of the axis direction."""


class Read(NamedTuple):
    """The source as an encoder has read it.

    outputs_BSD stand at their source positions, whatever the direction. states: one for each layer,
    D wide, after the last symbol read.
    """

    outputs_BSD: Tensor
    states: States


class Encoder(nn.Module):
    """Stacks of cells that read embedded sources, (B, S, I) -> (B, S, D).

    D is H, or 2 H both ways: the forward output, then the backward one.
    """

    def __init__(self, direction: str, layers: Layers, input_size: int, first: str) -> None:
        super().__init__()
        assert direction in DIRECTIONS, direction
        self.direction = direction
        self.layers = layers
        self.width = layers.hidden * (2 if direction == "bidirectional" else 1)
        if direction == "bidirectional":
            sizes = [input_size] + [self.width] * (layers.depth - 1)
            single = layers._replace(depth=1)
            self.left_to_right, self.right_to_left = (
                nn.ModuleList(Stack(single, size) for size in sizes) for _ in range(2)
            )
        else:
            self.stack = Stack(layers, input_size)
        self.first = nn.ModuleList(InitialState(first, cell) for cell in self._cells())

    def _cells(self) -> list[Cell]:
        """Return the cells layer by layer; both ways, forward before backward."""
        if self.direction != "bidirectional":
            return list(self.stack.each())
        layers = zip(self.left_to_right, self.right_to_left, strict=True)
        stacks = [stack for layer in layers for stack in layer if isinstance(stack, Stack)]
        return [cell for stack in stacks for cell in stack.each()]

    def forward(
        self,
        inputs_BSI: Tensor,
        padding: Padding | None,
        dropout: torch.Generator | None,
    ) -> Read:
        """Read sources (B, S, I), and return outputs_BSD with the last states.

        padding: None if every source fills its row. dropout: also draws first states that are
        drawn anew.
        """
        batch, steps, _ = inputs_BSI.shape
        firsts: States = tuple(
            first(cell, batch, inputs_BSI, dropout)
            for first, cell in zip(self.first, self._cells(), strict=True)
        )
        if self.direction == "bidirectional":
            return self._read_both_ways(inputs_BSI, firsts, padding, dropout)
        turned = self.direction == "reversed"
        values = backwards(inputs_BSI, padding) if turned else inputs_BSI
        dropped = self.stack.dropped(batch, steps, dropout, values)
        outputs, states = self.stack(values, firsts, dropped, padding)
        return Read(backwards(outputs, padding) if turned else outputs, states)

    def _read_both_ways(
        self,
        inputs_BSI: Tensor,
        firsts: States,
        padding: Padding | None,
        dropout: torch.Generator | None,
    ) -> Read:
        """Read sources (B, S, I) both ways; firsts: as `_cells` orders them."""
        values = inputs_BSI
        batch, steps, _ = values.shape
        states: list[CellState] = []
        layers = zip(self.left_to_right, self.right_to_left, strict=True)
        for layer, (ahead, back) in enumerate(layers):
            assert isinstance(ahead, Stack)
            assert isinstance(back, Stack)
            if layer:
                below = mask(values.shape, self.layers.dropout, dropout, values)
                values = apply(values, below)
            # each of these stacks is one layer, so only the recurrence's mask is drawn in it
            drops = [side.dropped(batch, steps, dropout, values) for side in (ahead, back)]
            starts = firsts[2 * layer : 2 * layer + 2]
            # `firsts` has the two directions of each layer next to each other
            left, (left_state,) = ahead(values, starts[:1], drops[0], padding)
            turned = backwards(values, padding)
            right, (right_state,) = back(turned, starts[1:], drops[1], padding)
            # turned back, so that both outputs of a position have read that position last
            outputs = torch.cat([left, backwards(right, padding)], dim=-1)
            values = outputs + values if self.layers.residual and layer else outputs
            pairs = zip(left_state, right_state, strict=True)
            states.append(type(left_state)(*(torch.cat(pair, dim=-1) for pair in pairs)))
        return Read(values, tuple(states))


def backwards(values_BSX: Tensor, padding: Padding | None) -> Tensor:
    """Return each row's real positions in reverse order, (B, S, X); padding stays where it is."""
    if padding is None:
        return values_BSX.flip(1)
    steps = torch.arange(values_BSX.shape[1], device=values_BSX.device)
    lengths = padding.mask_BS.sum(1, keepdim=True)
    # a row of length 3 padded to 5 is read in the order 2, 1, 0, 3, 4
    order_BS = torch.where(padding.mask_BS, lengths - 1 - steps, steps)
    return values_BSX.gather(1, order_BS[..., None].expand_as(values_BSX))
