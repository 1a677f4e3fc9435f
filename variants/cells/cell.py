"""The contract of a recurrent cell.

A cell is two halves, so that what does not depend on the recurrence can be done for all steps
at once: `project` (..., I) -> (..., G), and `advance` (B, G), state -> state. A state is a
NamedTuple of (B, H) tensors, the first of which is the cell's output. I is the size of inputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn

from variants.fast.forms import newer


class Hidden(NamedTuple):
    """The state of a cell that keeps its output alone."""

    h_BH: Tensor


class HiddenAndCell(NamedTuple):
    """The state of a cell with a memory c besides its output h."""

    h_BH: Tensor
    c_BH: Tensor


class Stabilised(NamedTuple):
    """The state of an sLSTM: n normalises c, and m keeps the logarithms of both in range."""

    h_BH: Tensor
    c_BH: Tensor
    n_BH: Tensor
    m_BH: Tensor


class MemoryGate(NamedTuple):
    """A gate that decides how much of the past a cell keeps.

    bias_H: its bias, as a view. forgetting: the sign, +1 or -1, of biases that make it keep
    nothing.
    """

    bias_H: Tensor
    forgetting: float


CellState = Hidden | HiddenAndCell | Stabilised


class Advance(Protocol):
    """A function that does one step of a recurrence, gates_BG and state to the next state."""

    def __call__(
        self, gates_BG: Tensor, state: Any, dropped_BH: Tensor | None = None
    ) -> CellState: ...


class Cell(nn.Module, ABC):
    """The recurrence of one layer.

    state: the NamedTuple of its states. given: how many of a first state's parts a bridge or
    learned values provide; `begin` makes the rest. gates: blocks of H rows in the weights.
    recurrent: True if weights stand between h and the gates, so that recurrent dropout and
    orthogonal first values mean something. kernel: True if a layer of torch's, held as `layer`,
    computes the same for all steps.
    """

    state: type[Any] = Hidden
    given = 1
    gates = 1
    recurrent = True
    kernel = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # inherited fast forms do not compute the steps of a class that has its own
        if newer(cls, "advance", than="in_loop"):
            cls.in_loop = Cell.in_loop  # type: ignore[method-assign]
        if newer(cls, "project", than="affine"):
            cls.affine = Cell.affine  # type: ignore[method-assign]
        if newer(cls, "advance", than="kernel") or newer(cls, "project", than="kernel"):
            cls.kernel = False

    def __init__(self, input_size: int, hidden: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden = hidden

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; ValueError for a layer whose name the contract of cells has already.

        Python would find the contract's attribute and never the layer.
        """
        if isinstance(value, nn.Module | nn.Parameter) and hasattr(type(self), name):
            raise ValueError(
                f"{type(self).__name__} calls a layer {name!r}, which is an attribute of all cells "
                "already; give the layer another name"
            )
        super().__setattr__(name, value)

    @abstractmethod
    def project(self, inputs: Tensor) -> Tensor:
        """Return the share of the gates that comes from the inputs, (..., I) -> (..., G)."""

    @abstractmethod
    def advance(
        self, gates_BG: Tensor, state: CellState, dropped_BH: Tensor | None = None
    ) -> CellState:
        """Return the state after a step. dropped_BH: a dropout mask on h where weights meet it."""

    def affine(self) -> tuple[Tensor, Tensor | None] | None:
        """Return the weight_GI and the bias_G of `project`, if it does nothing else; else None.

        A loop that knows only some of an input's columns beforehand does those for all steps at
        once.
        """
        return None

    def in_loop(self) -> Advance:
        """Return `advance` in a form for the many steps of one loop.

        Values are the same, and gradients but for rounding; what does not change from step to
        step is made once (see variants.fast.deferred_gradients).
        """
        return self.advance

    def step(self, input_BI: Tensor, state: CellState) -> CellState:
        """Return the state after one step that reads an input."""
        return self.advance(self.project(input_BI), state)

    def zeros(self, batch: int, like: Tensor) -> CellState:
        """Return the state (B, H) that remembers nothing. like: gives device and number format."""
        zeros: CellState = self.state(
            *(like.new_zeros(batch, self.hidden) for _ in self.state._fields)
        )
        return zeros

    def begin(self, parts: Sequence[Tensor]) -> CellState:
        """Return a first state made of its `given` first parts, (B, H) each."""
        state: CellState = self.state(*parts)
        return state

    def hand_over(self, state: CellState) -> Sequence[Tensor]:
        """Return the `given` first parts of a state, (B, H) each, as a bridge may read them."""
        return state[: self.given]

    def recurrent_blocks(self) -> Sequence[Tensor]:
        """Return the (H, H) weights between h and each gate, as views; none if not `recurrent`."""
        return ()

    def recurrent_gains(self) -> Sequence[Tensor]:
        """Return, as views, the weights that what h adds to the gates is proportional to.

        They are the recurrent blocks (H, H), unless a normalisation takes out the size of those.
        """
        return self.recurrent_blocks()

    def forget_bias(self) -> Tensor | None:
        """Return the bias_H of the forget gate, as a view; None without such a gate."""
        return None

    def memory_gates(self) -> Sequence[MemoryGate]:
        """Return the gates that decide what is kept; by default the forget gate, if any."""
        bias_H = self.forget_bias()
        return () if bias_H is None else (MemoryGate(bias_H, forgetting=-1.0),)
