"""Encoders: reading forward, in reversed source order, or both ways."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from variants.cells import CellState
from variants.dropout import apply, mask
from variants.stack import Padding, Stack, States

DIRECTIONS = ("forward", "reversed", "bidirectional")


class Read(NamedTuple):
    """outputs_BSD stand at their source positions, whatever the direction. states: one a layer,
    D wide, after the last symbol read."""

    outputs_BSD: Tensor
    states: States


class Encoder(nn.Module):
    """Stacks of cells over embedded sources, (B, S, I) -> (B, S, D); D = H, or 2 H both ways.

    reversed: the source is read last to first (Sutskever et al. 2014, section 3.3).
    bidirectional: both, layer by layer, each layer reading both below it (Schuster and Paliwal
    1997); D is forward beside backward.
    """

    def __init__(
        self, direction: str, cell: str, input_size: int, hidden: int, depth: int, dropout: float
    ) -> None:
        super().__init__()
        assert direction in DIRECTIONS, direction
        self.direction = direction
        self.width = hidden * (2 if direction == "bidirectional" else 1)
        if direction == "bidirectional":
            sizes = [input_size] + [self.width] * (depth - 1)
            self.left_to_right, self.right_to_left = (
                nn.ModuleList(Stack(cell, size, hidden, 1, 0.0) for size in sizes) for _ in range(2)
            )
            self.dropout = dropout
        else:
            self.stack = Stack(cell, input_size, hidden, depth, dropout)

    def forward(
        self,
        inputs_BSI: Tensor,
        padding: Padding | None,
        dropout: torch.Generator | None,
    ) -> Read:
        if self.direction == "bidirectional":
            return self._both(inputs_BSI, padding, dropout)
        batch, steps, _ = inputs_BSI.shape
        turned = self.direction == "reversed"
        values = backwards(inputs_BSI, padding) if turned else inputs_BSI
        masks = self.stack.between(batch, steps, dropout, values)
        outputs, states = self.stack(values, self.stack.zeros(batch, values), masks, padding)
        return Read(backwards(outputs, padding) if turned else outputs, states)

    def _both(
        self, inputs_BSI: Tensor, padding: Padding | None, dropout: torch.Generator | None
    ) -> Read:
        values = inputs_BSI
        states: list[CellState] = []
        layers = zip(self.left_to_right, self.right_to_left, strict=True)
        for layer, (ahead, back) in enumerate(layers):
            if layer:
                values = apply(values, mask(values.shape, self.dropout, dropout, values))
            assert isinstance(ahead, Stack)
            zeros = ahead.zeros(len(values), values)
            left, (left_state,) = ahead(values, zeros, [None], padding)
            right, (right_state,) = back(backwards(values, padding), zeros, [None], padding)
            values = torch.cat([left, backwards(right, padding)], dim=-1)
            pairs = zip(left_state, right_state, strict=True)
            states.append(type(left_state)(*(torch.cat(pair, dim=-1) for pair in pairs)))
        return Read(values, tuple(states))


def backwards(values_BSX: Tensor, padding: Padding | None) -> Tensor:
    """Each row's real positions in reverse order; padding stays where it is."""
    if padding is None:
        return values_BSX.flip(1)
    steps = torch.arange(values_BSX.shape[1], device=values_BSX.device)
    lengths = padding.mask_BS.sum(1, keepdim=True)
    order_BS = torch.where(padding.mask_BS, lengths - 1 - steps, steps)
    return values_BSX.gather(1, order_BS[..., None].expand_as(values_BSX))
