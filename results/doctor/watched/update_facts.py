"""Holds what was seen of gradients and updates, for `results.doctor.watched.updates` to judge."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Part = Literal["encoder", "decoder", ""]


@dataclass(frozen=True)
class ParameterSeen:
    """A parameter, and what became of it."""

    name: str
    shape: tuple[int, ...]
    part: Part
    embedding: bool
    registered: bool
    """Whether the module that was called has it among its parameters."""
    holder: str
    """The optimizer that holds it, or empty."""
    steps: int
    """Steps of that optimizer."""
    own: float
    """Largest norm of a round's own gradient."""
    uncut: float
    """Norm of the gradient it would have if the script cut none; 0 if there are no cuts."""
    applied: float
    """Largest norm of a gradient that the optimizer applied."""
    moved: float
    """Change since the first round, as a share of its norm."""
    used: bool
    """Whether a call of the training takes it."""
    reaches: bool
    """Whether the loss is made of it."""
    place: str

    @property
    def size(self) -> int:
        """Return the number of its values."""
        return math.prod(self.shape)

    @property
    def left_out(self) -> bool:
        """Return whether it has gradients that no optimizer applies."""
        return self.own > 0 and self.moved == 0 and (not self.holder or not self.steps)


@dataclass(frozen=True)
class OptimizerUse:
    """An optimizer: what it holds and how often it steps."""

    name: str
    kind: str
    place: str
    held: int
    """Parameters that it holds."""
    used: int
    """Those of them that the training uses."""
    steps: int
    made_after: int
    """Training steps before it was made."""
    remembers: bool
    """Whether a step depends on earlier gradients."""
    same_line: int
    """Optimizers made at the same line."""
    steps_each: float
    """Steps that those take on average."""
    by_hand: bool = False
    """Whether it is no optimizer: the script changes the parameters by itself."""


@dataclass(frozen=True)
class ClipSeen:
    """Gradients that are clipped; norms are medians over rounds, before clipping."""

    place: str
    limit: float
    after: bool
    """Whether always after the step."""
    norm: float
    """Norm of the gradients of all parameters that are updated."""
    clipped: float
    """Norm of those among them that this clips."""
    applied: float


@dataclass(frozen=True)
class CutSeen:
    """A line that cuts gradients on their way from the loss to a parameter."""

    place: str
    call: str


@dataclass(frozen=True)
class NotFiniteSeen:
    """The call by which the loss of a round became nan or infinite."""

    round: int
    call: str
    place: str
    shape: tuple[int, ...]
    """Shape of what the call was given."""
    empty: bool
    """Whether some rows of that are minus infinity throughout."""


@dataclass(frozen=True)
class ConstantSeen:
    """Matrices of a functional model that stay as they were, as gradients are not asked for."""

    matrices: int
    trained: int
    """Matrices that are trained."""
    place: str
    """The line that uses the last of them."""


@dataclass(frozen=True)
class UpdatesSeen:
    """Everything that became of the gradients of a training."""

    parameters: tuple[ParameterSeen, ...]
    optimizers: tuple[OptimizerUse, ...]
    made: int
    """Optimizers seen in all."""
    cleared: tuple[str, tuple[str, ...]]
    """The line that clears gradients between backward pass and step, and the names they have."""
    left_over: dict[str, float]
    """Norm of what earlier rounds left in a parameter's gradient, as a share of its own."""
    clips: tuple[ClipSeen, ...]
    cuts: tuple[CutSeen, ...]
    cosine: float
    """Smallest cosine of encoder's or decoder's gradients with and without cuts."""
    not_finite: NotFiniteSeen | None = None
    constant: ConstantSeen | None = None
    accuracy: float = 1.0
    """Share of predictions that are right in the last round read."""
