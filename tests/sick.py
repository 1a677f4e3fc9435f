"""A plugin of cells that are ill, for tests of what an engine does about them."""

from __future__ import annotations

import os
import signal
import time

import torch
from torch import Tensor, nn

from variants.cells import Cell, CellState, Hidden


class Well(Cell):
    """h' = tanh(W x + U h)."""

    gates = 1

    def __init__(self, input_size: int, hidden: int) -> None:
        super().__init__(input_size, hidden)
        self.inputs = nn.Linear(input_size, hidden)
        self.recurrence = nn.Linear(hidden, hidden)

    def project(self, inputs: Tensor) -> Tensor:
        projected: Tensor = self.inputs(inputs)
        return projected

    def advance(
        self, gates_BG: Tensor, state: CellState, dropped_BH: Tensor | None = None
    ) -> Hidden:
        return Hidden(torch.tanh(gates_BG + self.recurrence(state.h_BH)))


class Hangs(Well):
    """Waits for what never comes, and gives nobody else a turn."""

    def project(self, inputs: Tensor) -> Tensor:
        time.sleep(1_000)
        return super().project(inputs)


class Leaks(Well):
    """Holds some 50 MB more at every call, and waits a little."""

    def project(self, inputs: Tensor) -> Tensor:
        self.held = [*getattr(self, "held", []), torch.ones(12_500_000)]
        time.sleep(0.1)
        return super().project(inputs)


class Dies(Well):
    """Takes its process with it."""

    def project(self, inputs: Tensor) -> Tensor:
        os.kill(os.getpid(), signal.SIGKILL)
        return super().project(inputs)


PARTS = {"cell": {"well": Well, "hangs": Hangs, "leaks": Leaks, "dies": Dies}}
