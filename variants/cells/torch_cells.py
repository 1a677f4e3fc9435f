"""Cells that torch has kernels for: their weights live in its layers, in its gate order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from variants.cells.cell import Cell, CellState, Hidden, HiddenAndCell
from variants.dropout import apply

KINDS = ("weight", "bias")


class TorchCell(Cell):
    """A cell whose weights live in one of torch's layers, in torch's layout and gate order."""

    layer_type: Callable[..., nn.RNNBase]

    def __init__(self, input_size: int, hidden: int) -> None:
        super().__init__(input_size, hidden)
        self.layer = self.layer_type(input_size, hidden, batch_first=True)

    def project(self, inputs: Tensor) -> Tensor:
        return nn.functional.linear(inputs, *self._weights("ih"))

    def recurrent_blocks(self) -> Sequence[Tensor]:
        return self._weights("hh")[0].chunk(self.gates)

    def _recur(self, h_BH: Tensor, dropped_BH: Tensor | None) -> Tensor:
        return nn.functional.linear(apply(h_BH, dropped_BH), *self._weights("hh"))

    def _weights(self, which: str) -> tuple[Tensor, Tensor]:
        weight, bias = (self.layer.get_parameter(f"{kind}_{which}_l0") for kind in KINDS)
        return weight, bias


class RNN(TorchCell):
    """h' = tanh(W x + b + U h + d). Elman 1990, Cognitive Science 14, figure 2; the recurrence is
    trained through, where Elman copied it."""

    layer_type = nn.RNN

    def advance(
        self, gates_BG: Tensor, state: CellState, dropped_BH: Tensor | None = None
    ) -> CellState:
        return Hidden(torch.tanh(gates_BG + self._recur(state.h_BH, dropped_BH)))


class RNNReLU(TorchCell):
    """h' = max(0, W x + b + U h + d). Le, Jaitly and Hinton 2015, section 2.

    Deviation: they start from U = 1 (IRNN); here first values are an axis of their own.
    """

    layer_type = partial(nn.RNN, nonlinearity="relu")

    def advance(
        self, gates_BG: Tensor, state: CellState, dropped_BH: Tensor | None = None
    ) -> CellState:
        return Hidden(torch.relu(gates_BG + self._recur(state.h_BH, dropped_BH)))


class GRU(TorchCell):
    """h' = z h + (1 - z) n, n = tanh(W x + b + r (U h + d)). Cho et al. 2014, eq. 5 to 8.

    Deviation, as in cuDNN and torch: the reset gate acts after the recurrent product, which has
    a bias of its own; Cho's acts before it.
    """

    layer_type = nn.GRU
    gates = 3

    def advance(
        self, gates_BG: Tensor, state: CellState, dropped_BH: Tensor | None = None
    ) -> CellState:
        h = state.h_BH
        in_r, in_z, in_n = gates_BG.chunk(3, dim=-1)
        re_r, re_z, re_n = self._recur(h, dropped_BH).chunk(3, dim=-1)
        r = torch.sigmoid(in_r + re_r)
        z = torch.sigmoid(in_z + re_z)
        n = torch.tanh(in_n + r * re_n)
        return Hidden(n + z * (h - n))


class LSTM(TorchCell):
    """c' = f c + i g, h' = o tanh(c'). Hochreiter and Schmidhuber 1997 with the forget gate of
    Gers et al. 2000, no peepholes (Greff et al. 2015, section 2, without p).

    Torch's gate order i, f, g, o and its first values: no +1 on the forget bias.
    """

    layer_type = nn.LSTM
    state = HiddenAndCell
    given = 2
    gates = 4

    def advance(
        self, gates_BG: Tensor, state: CellState, dropped_BH: Tensor | None = None
    ) -> CellState:
        assert isinstance(state, HiddenAndCell)
        recurred_BG = self._recur(state.h_BH, dropped_BH)
        i, f, g, o = (gates_BG + recurred_BG).chunk(4, dim=-1)
        c = torch.sigmoid(f) * state.c_BH + torch.sigmoid(i) * torch.tanh(g)
        return HiddenAndCell(torch.sigmoid(o) * torch.tanh(c), c)

    def forget_bias(self) -> Tensor | None:
        return self._weights("ih")[1].chunk(4)[1]
