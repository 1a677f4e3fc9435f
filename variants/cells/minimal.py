"""Cells whose gates read the input alone, so that a scan can do all steps at once.

Their recurrence is h' = keep h + add, and neither keep nor add depends on h.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from variants.cells.cell import Cell, CellState, Hidden, MemoryGate
from variants.fast.matmul import Linear


class ScanCell(Cell):
    """A cell that `scan` can run over all steps at once."""

    recurrent = False

    def __init__(self, input_size: int, hidden: int) -> None:
        super().__init__(input_size, hidden)
        self.inputs = Linear(input_size, self.gates * hidden)

    def project(self, inputs: Tensor) -> Tensor:
        """Return all gates, (..., I) -> (..., G)."""
        gates: Tensor = self.inputs(inputs)
        return gates

    def affine(self) -> tuple[Tensor, Tensor]:
        """Return the weight_GI and the bias_G of `project`."""
        return self.inputs.weight, self.inputs.bias

    @abstractmethod
    def coefficients(self, gates: Tensor) -> tuple[Tensor, Tensor]:
        """Return keep and add, (..., G) -> two of (..., H)."""

    def advance(
        self, gates_BG: Tensor, state: CellState, dropped_BH: Tensor | None = None
    ) -> CellState:
        assert dropped_BH is None, "there are no recurrent weights to drop at"
        keep, add = self.coefficients(gates_BG)
        return Hidden(keep * state.h_BH + add)


class MinGRU(ScanCell):
    """The cell h' = (1 - z) h + z g(V x + b), z = sigmoid(W x + d).

    Feng et al. 2024, section 3.1, with the positive g of their appendix B: x + 0.5 from 0 on,
    sigmoid(x) below.
    """

    gates = 2

    def coefficients(self, gates: Tensor) -> tuple[Tensor, Tensor]:
        """Return 1 - z and z g, (..., G) -> two of (..., H)."""
        z, candidate = gates.chunk(2, dim=-1)
        return torch.sigmoid(-z), torch.sigmoid(z) * positive(candidate)

    def memory_gates(self) -> Sequence[MemoryGate]:
        """Return the update gate, which forgets where it is open: h' = (1 - z) h + z g."""
        return (MemoryGate(self.inputs.bias.chunk(2)[0], forgetting=1.0),)


class MinLSTM(ScanCell):
    """The cell h' = f h + i g(V x + b), f and i divided by f + i.

    Feng et al. 2024, section 3.2, with the positive g of their appendix B.
    """

    gates = 3

    def coefficients(self, gates: Tensor) -> tuple[Tensor, Tensor]:
        """Return f and i g, both gates divided by f + i, (..., G) -> two of (..., H)."""
        f, i, candidate = gates.chunk(3, dim=-1)
        # f / (f + i) by logarithms, as both may underflow
        odds = nn.functional.logsigmoid(f) - nn.functional.logsigmoid(i)
        return torch.sigmoid(odds), torch.sigmoid(-odds) * positive(candidate)

    def forget_bias(self) -> Tensor | None:
        """Return the forget gate's bias_H, as a view."""
        return self.inputs.bias.chunk(3)[0]


def positive(values: Tensor) -> Tensor:
    """Return g of the values, (...) -> (...). Feng et al. 2024, appendix B.1."""
    return torch.where(values >= 0, values + 0.5, torch.sigmoid(values))


def scan(keep_BSH: Tensor, add_BSH: Tensor, h_BH: Tensor) -> Tensor:
    """Return all states (B, S, H) of h' = keep h + add from a first h, in log2 S passes.

    Hillis and Steele 1986: after the pass with distance d each position holds what happened in
    the 2 d steps up to it.
    """
    # the first h enters with the first step, after which position 0 is complete
    first = add_BSH[:, :1] + keep_BSH[:, :1] * h_BH[:, None]
    keep, add = keep_BSH, torch.cat([first, add_BSH[:, 1:]], dim=1)
    distance = 1
    while distance < add.shape[1]:
        reached = add[:, distance:] + keep[:, distance:] * add[:, :-distance]
        kept = keep[:, distance:] * keep[:, :-distance]
        add = torch.cat([add[:, :distance], reached], dim=1)
        keep = torch.cat([keep[:, :distance], kept], dim=1)
        distance *= 2
    return add
