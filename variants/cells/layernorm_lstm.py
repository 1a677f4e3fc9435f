"""An LSTM with layer normalisation (Ba et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from variants.cells.cell import Advance, Cell, CellState, HiddenAndCell
from variants.dropout import apply
from variants.fast.deferred_gradients import deferred_linear, deferred_weight
from variants.fast.matmul import Linear
from variants.fast.stacked import LayerNorm


class LayerNormLSTM(Cell):
    """An LSTM whose gates and cell are normalised: LN(W x) + LN(U h), h' = o tanh(LN(c')).

    Ba et al. 2016, eq. 20 to 22. Each LN runs over all four gates together. Deviation: of the
    three biases that are added up there (one in each LN, and b) one is kept.
    """

    state = HiddenAndCell
    given = 2
    gates = 4

    def __init__(self, input_size: int, hidden: int) -> None:
        super().__init__(input_size, hidden)
        self.inputs = Linear(input_size, 4 * hidden, bias=False)
        self.recurrence = Linear(hidden, 4 * hidden, bias=False)
        self.norm_inputs = LayerNorm(4 * hidden)
        self.norm_recurrence = LayerNorm(4 * hidden, bias=False)
        self.norm_cell = LayerNorm(hidden)

    def project(self, inputs: Tensor) -> Tensor:
        """Return LN(W x), (..., I) -> (..., G)."""
        gates: Tensor = self.norm_inputs(self.inputs(inputs))
        return gates

    def advance(
        self, gates_BG: Tensor, state: CellState, dropped_BH: Tensor | None = None
    ) -> CellState:
        assert isinstance(state, HiddenAndCell)
        return self._next(gates_BG, self.recurrence(apply(state.h_BH, dropped_BH)), state)

    def in_loop(self) -> Advance:
        weight = deferred_weight(self.recurrence.weight)
        no_bias = self.recurrence.weight.new_zeros(1)

        def advance(
            gates_BG: Tensor, state: HiddenAndCell, dropped_BH: Tensor | None = None
        ) -> CellState:
            recurred_BG = deferred_linear(apply(state.h_BH, dropped_BH), weight, no_bias)
            return self._next(gates_BG, recurred_BG, state)

        return advance

    def _next(self, gates_BG: Tensor, recurred_BG: Tensor, state: HiddenAndCell) -> CellState:
        """Return the state after a step, from the normalised inputs' share and U h of the gates."""
        i, f, g, o = (gates_BG + self.norm_recurrence(recurred_BG)).chunk(4, dim=-1)
        c = torch.sigmoid(f) * state.c_BH + torch.sigmoid(i) * torch.tanh(g)
        return HiddenAndCell(torch.sigmoid(o) * torch.tanh(self.norm_cell(c)), c)

    def recurrent_blocks(self) -> Sequence[Tensor]:
        """Return the (H, H) weights between h and each gate, as views."""
        return self.recurrence.weight.chunk(4)

    def recurrent_gains(self) -> Sequence[Tensor]:
        """Return the gain (G) of the recurrence's normalisation, which undoes any scale of U."""
        return (self.norm_recurrence.weight,)

    def forget_bias(self) -> Tensor | None:
        """Return the forget gate's bias_H, as a view."""
        return self.norm_inputs.bias.chunk(4)[1]
