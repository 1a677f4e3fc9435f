"""Recurrent cells.

A cell is two halves, so that what does not depend on the recurrence can be done for all steps
at once: `project` (..., I) -> (..., G), and `advance` (B, G), state -> state. A state is a
NamedTuple of (B, H) tensors, the first of which is the cell's output. `unroll` is the plain
form over time; `torch_unroll` is torch's own kernel and is tested against it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Hidden(NamedTuple):
    """State of a cell that keeps its output alone."""

    h_BH: Tensor


class HiddenAndCell(NamedTuple):
    """State of a cell with a memory of its own."""

    h_BH: Tensor
    c_BH: Tensor


CellState = Hidden | HiddenAndCell


class Cell(nn.Module, ABC):
    """One layer's recurrence; see the head of this file."""

    state: type[Any] = Hidden

    def __init__(self, input_size: int, hidden: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden = hidden

    @abstractmethod
    def project(self, inputs: Tensor) -> Tensor:
        """The share of the gates that comes from the inputs, (..., I) -> (..., G)."""

    @abstractmethod
    def advance(self, gates_BG: Tensor, state: CellState) -> CellState:
        """One step of the recurrence."""

    def step(self, input_BI: Tensor, state: CellState) -> CellState:
        """One step from an input."""
        return self.advance(self.project(input_BI), state)

    def zeros(self, batch: int, like: Tensor) -> CellState:
        """The all-zero state."""
        zeros: CellState = self.state(
            *(like.new_zeros(batch, self.hidden) for _ in self.state._fields)
        )
        return zeros


KINDS = ("weight", "bias")


class TorchCell(Cell):
    """A cell whose weights live in one of torch's layers, in torch's layout and gate order."""

    layer_type: Callable[..., nn.RNNBase]

    def __init__(self, input_size: int, hidden: int) -> None:
        super().__init__(input_size, hidden)
        self.layer = self.layer_type(input_size, hidden, batch_first=True)

    def project(self, inputs: Tensor) -> Tensor:
        return nn.functional.linear(inputs, *self._weights("ih"))

    def _recur(self, h_BH: Tensor) -> Tensor:
        return nn.functional.linear(h_BH, *self._weights("hh"))

    def _weights(self, which: str) -> tuple[Tensor, Tensor]:
        weight, bias = (self.layer.get_parameter(f"{kind}_{which}_l0") for kind in KINDS)
        return weight, bias


class RNN(TorchCell):
    """h' = tanh(W x + b + U h + d). Elman 1990."""

    layer_type = nn.RNN

    def advance(self, gates_BG: Tensor, state: CellState) -> CellState:
        return Hidden(torch.tanh(gates_BG + self._recur(state.h_BH)))


class GRU(TorchCell):
    """Cho et al. 2014, eq. 5 to 8: h' = z h + (1 - z) n.

    Deviation, as in cuDNN and torch: the reset gate acts after the recurrent product, which has
    a bias of its own: n = tanh(W x + b + r * (U h + d)).
    """

    layer_type = nn.GRU

    def advance(self, gates_BG: Tensor, state: CellState) -> CellState:
        h = state.h_BH
        in_r, in_z, in_n = gates_BG.chunk(3, dim=-1)
        re_r, re_z, re_n = self._recur(h).chunk(3, dim=-1)
        r = torch.sigmoid(in_r + re_r)
        z = torch.sigmoid(in_z + re_z)
        n = torch.tanh(in_n + r * re_n)
        return Hidden(n + z * (h - n))


class LSTM(TorchCell):
    """Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000, no peepholes.

    c' = f * c + i * g, h' = o * tanh(c'). Torch's gate order i, f, g, o and its initialisation:
    no +1 on the forget bias.
    """

    layer_type = nn.LSTM
    state = HiddenAndCell

    def advance(self, gates_BG: Tensor, state: CellState) -> CellState:
        assert isinstance(state, HiddenAndCell)
        i, f, g, o = (gates_BG + self._recur(state.h_BH)).chunk(4, dim=-1)
        c = torch.sigmoid(f) * state.c_BH + torch.sigmoid(i) * torch.tanh(g)
        return HiddenAndCell(torch.sigmoid(o) * torch.tanh(c), c)


CELLS: dict[str, type[Cell]] = {"rnn": RNN, "gru": GRU, "lstm": LSTM}


def unroll(
    cell: Cell, inputs_BSI: Tensor, state: CellState, mask_BS: Tensor | None = None
) -> tuple[Tensor, CellState]:
    """Run a cell over time: outputs_BSH and the state after each row's last real input.

    mask_BS: real inputs; None if all are. Outputs at padding are 0.
    """
    gates_BSG = cell.project(inputs_BSI)
    outputs = []
    for t in range(inputs_BSI.shape[1]):
        after = cell.advance(gates_BSG[:, t], state)
        if mask_BS is None:
            state = after
        else:
            real = mask_BS[:, t, None]
            state = cell.state(*map(torch.where, [real] * len(state), after, state))
        outputs.append(state.h_BH)
    outputs_BSH = torch.stack(outputs, dim=1)
    return outputs_BSH if mask_BS is None else outputs_BSH * mask_BS[..., None], state


def torch_unroll(
    cell: TorchCell, inputs_BSI: Tensor, state: CellState, lengths_B: Tensor | None = None
) -> tuple[Tensor, CellState]:
    """The same by torch's own layer. lengths_B: on the CPU; None if no row is padded."""
    started = tuple(part[None] for part in state)
    # torch's GRU and RNN take the one tensor bare, its LSTM a pair
    given = started if len(started) > 1 else started[0]
    if lengths_B is None:
        outputs_BSH, last = cell.layer(inputs_BSI, given)
    else:
        packed = pack_padded_sequence(inputs_BSI, lengths_B, batch_first=True, enforce_sorted=False)
        packed_outputs, last = cell.layer(packed, given)
        outputs_BSH, _ = pad_packed_sequence(
            packed_outputs, batch_first=True, total_length=inputs_BSI.shape[1]
        )
    parts = last if isinstance(last, tuple) else (last,)
    return outputs_BSH, cell.state(*(part[0] for part in parts))
