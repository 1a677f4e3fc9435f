"""sLSTM: an LSTM with exponential gating (Beck et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from variants.cells.cell import Advance, Cell, CellState, Stabilised
from variants.dropout import apply
from variants.fast.deferred_gradients import deferred_linear, deferred_weight
from variants.fast.matmul import Linear


class SLSTM(Cell):
    """An LSTM with an exponential input gate and a normaliser, h' = o c' / n'.

    Beck et al. 2024 (xLSTM), eq. 8 to 14, stabilised by m as in eq. 15 to 17; the forget gate
    is their sigmoid form, and the recurrence one head, so its matrices are full. Gate order
    i, f, z, o. Where the first state is given from elsewhere, it gives h and c; n starts at 1
    then, as if c had been read with weight 1.
    """

    state = Stabilised
    given = 2
    gates = 4

    def __init__(self, input_size: int, hidden: int) -> None:
        super().__init__(input_size, hidden)
        self.inputs = Linear(input_size, 4 * hidden)
        self.recurrence = Linear(hidden, 4 * hidden, bias=False)

    def project(self, inputs: Tensor) -> Tensor:
        """Return the inputs' share of the gates, (..., I) -> (..., G)."""
        gates: Tensor = self.inputs(inputs)
        return gates

    def advance(
        self, gates_BG: Tensor, state: CellState, dropped_BH: Tensor | None = None
    ) -> CellState:
        assert isinstance(state, Stabilised)
        return self._next(gates_BG + self.recurrence(apply(state.h_BH, dropped_BH)), state)

    def affine(self) -> tuple[Tensor, Tensor]:
        """Return the weight_GI and the bias_G of `project`."""
        return self.inputs.weight, self.inputs.bias

    def in_loop(self) -> Advance:
        weight = deferred_weight(self.recurrence.weight)

        def advance(
            gates_BG: Tensor, state: Stabilised, dropped_BH: Tensor | None = None
        ) -> CellState:
            recurring_BH = apply(state.h_BH, dropped_BH)
            return self._next(deferred_linear(recurring_BH, weight, gates_BG), state)

        return advance

    def _next(self, gates_BG: Tensor, state: Stabilised) -> CellState:
        """Return the state after a step, from all of its gates."""
        log_i, f, z, o = gates_BG.chunk(4, dim=-1)
        log_f = nn.functional.logsigmoid(f) + state.m_BH
        # both gates are divided by the larger one's exponential, which may overflow by itself
        m = torch.maximum(log_f, log_i)
        kept, added = torch.exp(log_f - m), torch.exp(log_i - m)
        c = kept * state.c_BH + added * torch.tanh(z)
        n = kept * state.n_BH + added
        return Stabilised(torch.sigmoid(o) * c / n, c, n, m)

    def zeros(self, batch: int, like: Tensor) -> CellState:
        """Return the state (B, H) that remembers nothing.

        m is the logarithm of 0: with m = 0 a first input gate far below 1 would be lost.
        """
        zeros = like.new_zeros(batch, self.hidden)
        return Stabilised(zeros, zeros, zeros, torch.full_like(zeros, float("-inf")))

    def hand_over(self, state: CellState) -> Sequence[Tensor]:
        """Return h and c by its normaliser, (B, H): c alone has no scale, as m takes it out."""
        assert isinstance(state, Stabilised)
        return state.h_BH, state.c_BH / state.n_BH

    def begin(self, parts: Sequence[Tensor]) -> CellState:
        """Return a first state of h and c, (B, H) each, as if c had been read with weight 1."""
        h_BH, c_BH = parts
        return Stabilised(h_BH, c_BH, torch.ones_like(c_BH), torch.zeros_like(c_BH))

    def recurrent_blocks(self) -> Sequence[Tensor]:
        """Return the (H, H) weights between h and each gate, as views."""
        return self.recurrence.weight.chunk(4)

    def forget_bias(self) -> Tensor | None:
        """Return the forget gate's bias_H, as a view."""
        return self.inputs.bias.chunk(4)[1]
