"""Cells that torch has kernels for; their weights live in its layers, in its gate order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from variants.cells.cell import Advance, Cell, CellState, Hidden, HiddenAndCell, MemoryGate
from variants.cells.manual_gradients import GRUStep, LSTMStep, PlainStep
from variants.dropout import apply
from variants.fast.deferred_gradients import deferred_bias, deferred_weight
from variants.fast.matmul import linear
from variants.fast.stacked import with_vector


class TorchCell(Cell):
    """A cell whose weights live in one of torch's layers, in torch's layout and gate order."""

    layer_type: Callable[..., nn.RNNBase]

    def __init__(self, input_size: int, hidden: int) -> None:
        super().__init__(input_size, hidden)
        self.layer = self.layer_type(input_size, hidden, batch_first=True)

    def project(self, inputs: Tensor) -> Tensor:
        """Return the inputs' share of the gates, (..., I) -> (..., G)."""
        return linear(inputs, *self.affine())

    def affine(self) -> tuple[Tensor, Tensor]:
        """Return the weight_GI, and the sum of torch's two biases without what only acts on h."""
        weight, bias = self._weights("ih")
        return weight, bias + self._weights("hh")[1]

    def recurrent_blocks(self) -> Sequence[Tensor]:
        """Return the (H, H) weights between h and each gate, as views."""
        return self._weights("hh")[0].chunk(self.gates)

    def _recur(self, h_BH: Tensor, dropped_BH: Tensor | None) -> Tensor:
        """Return U h, (B, G), without a bias."""
        return linear(apply(h_BH, dropped_BH), self._weights("hh")[0])

    def weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return torch's weights: of inputs (G, I), of h (G, H), and the biases (G) of both."""
        (inputs, bias), (recurrent, other) = self._weights("ih"), self._weights("hh")
        return inputs, recurrent, bias, other

    def _weights(self, which: str) -> tuple[Tensor, Tensor]:
        """Return weight (G, I) and bias (G) of inputs for "ih", or (G, H) and (G) of h for "hh"."""
        # not get_parameter, which refuses what torch.func puts in a parameter's place
        weight, bias = (getattr(self.layer, f"{kind}_{which}_l0") for kind in ("weight", "bias"))
        return weight, bias


class RNN(TorchCell):
    """The cell h' = tanh(W x + b + U h + d).

    Elman 1990, Cognitive Science 14, figure 2. Deviation: gradients flow through the recurrence,
    where Elman copied the state.
    """

    layer_type = nn.RNN
    kernel = True

    def advance(
        self, gates_BG: Tensor, state: CellState, dropped_BH: Tensor | None = None
    ) -> CellState:
        return Hidden(torch.tanh(gates_BG + self._recur(state.h_BH, dropped_BH)))

    def in_loop(self) -> Advance:
        return _plain_loop(self._weights("hh")[0], relu=False)


class RNNReLU(TorchCell):
    """The cell h' = max(0, W x + b + U h + d). Le, Jaitly and Hinton 2015, section 2.

    Deviation: they start from U = 1 (IRNN); here first values are an axis of their own.
    """

    layer_type = partial(nn.RNN, nonlinearity="relu")
    kernel = True

    def advance(
        self, gates_BG: Tensor, state: CellState, dropped_BH: Tensor | None = None
    ) -> CellState:
        return Hidden(torch.relu(gates_BG + self._recur(state.h_BH, dropped_BH)))

    def in_loop(self) -> Advance:
        return _plain_loop(self._weights("hh")[0], relu=True)


def _plain_loop(weight_HH: Tensor, relu: bool) -> Advance:
    """Return the form for loops of both plain cells."""
    weight = deferred_weight(weight_HH)

    def advance(gates_BG: Tensor, state: Hidden, dropped_BH: Tensor | None = None) -> CellState:
        recurring = apply(state.h_BH, dropped_BH)
        h_BH = PlainStep.apply(gates_BG, recurring, weight.value, relu, weight.factors)  # type: ignore[no-untyped-call]
        return Hidden(h_BH)

    return advance


class GRU(TorchCell):
    """The cell h' = z h + (1 - z) n, n = tanh(W x + b + r (U h + d)). Cho et al. 2014, eq. 5 to 8.

    Deviation, as in cuDNN and torch: the reset gate acts after the recurrent product, which has
    a bias of its own; Cho's acts before it.
    """

    layer_type = nn.GRU
    kernel = True
    gates = 3

    def advance(
        self, gates_BG: Tensor, state: CellState, dropped_BH: Tensor | None = None
    ) -> CellState:
        h = state.h_BH
        in_r, in_z, in_n = gates_BG.chunk(3, dim=-1)
        re_r, re_z, re_n = self._recur(h, dropped_BH).chunk(3, dim=-1)
        r = torch.sigmoid(in_r + re_r)
        z = torch.sigmoid(in_z + re_z)
        n = torch.tanh(in_n + r * with_vector(torch.add, re_n, self._inner_bias()))
        return Hidden(n + z * (h - n))

    def affine(self) -> tuple[Tensor, Tensor]:
        """Return the weight_GI and the bias_G of `project`."""
        weight, bias = self._weights("ih")
        # the third of torch's recurrent biases stands within r (U h + d), so it stays there
        outer = self._weights("hh")[1][..., : 2 * self.hidden]
        return weight, bias + nn.functional.pad(outer, (0, self.hidden))

    def in_loop(self) -> Advance:
        weight = deferred_weight(self._weights("hh")[0])
        bias = deferred_bias(self._inner_bias())

        def advance(gates_BG: Tensor, state: Hidden, dropped_BH: Tensor | None = None) -> CellState:
            h = state.h_BH
            recurring = apply(h, dropped_BH)
            weights = (weight.value, bias.value, weight.factors, bias.factors)
            return Hidden(GRUStep.apply(gates_BG, recurring, h, *weights))  # type: ignore[no-untyped-call]

        return advance

    def memory_gates(self) -> Sequence[MemoryGate]:
        """Return the reset and the update gate: with both shut, h' = n, and n reads no h."""
        biases = self._weights("hh")[1][: 2 * self.hidden].chunk(2)
        return [MemoryGate(bias_H, forgetting=-1.0) for bias_H in biases]

    def _inner_bias(self) -> Tensor:
        """Return the bias_H of n in the recurrence, which the reset gate multiplies."""
        return self._weights("hh")[1][..., 2 * self.hidden :]


class LSTM(TorchCell):
    """The cell c' = f c + i g, h' = o tanh(c').

    Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000, no peepholes (Greff
    et al. 2015, section 2, without p).

    Torch's gate order i, f, g, o and its first values: no +1 on the forget bias.
    """

    layer_type = nn.LSTM
    kernel = True
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

    def in_loop(self) -> Advance:
        weight = deferred_weight(self._weights("hh")[0])

        def advance(
            gates_BG: Tensor, state: HiddenAndCell, dropped_BH: Tensor | None = None
        ) -> CellState:
            recurring = apply(state.h_BH, dropped_BH)
            return HiddenAndCell(
                *LSTMStep.apply(gates_BG, recurring, state.c_BH, weight.value, weight.factors)  # type: ignore[no-untyped-call]
            )

        return advance

    def forget_bias(self) -> Tensor | None:
        """Return the forget gate's bias_H (of the inputs; torch has two), as a view."""
        return self._weights("ih")[1].chunk(4)[1]

    def memory_gates(self) -> Sequence[MemoryGate]:
        """Return the forget gate, by the bias that belongs to the recurrence (torch has two)."""
        return (MemoryGate(self._weights("hh")[1].chunk(4)[1], forgetting=-1.0),)
