"""Keeps what was recorded of a training: its rounds and its evaluations."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from bench.watching.record.gradients import Norms
from bench.watching.record.places import Chain, CodeLine
from bench.watching.record.tape import Tape


@dataclass(frozen=True)
class RoundEvent:
    """Something that happened in a round besides the calls on its tape."""

    kind: str
    """backward, step, zero_grad or clip."""
    at: int
    """Number of calls on the tape before it."""
    place: CodeLine | None
    number: int = -1
    """The loss's number on the tape, or the optimizer's serial number."""
    limit: float = math.nan
    """The limit that gradients are clipped to."""
    parameters: frozenset[str] = frozenset()
    """Names of the parameters whose gradients are clipped."""
    handed_on: bool = False
    """Whether a backward pass goes on from gradients at which those before it ended: the loss is
    the sum of theirs."""


@dataclass
class Round:
    """A round of training: the calls up to a step of the optimizers, and what came of them."""

    index: int
    tape: Tape
    events: list[RoundEvent] = field(default_factory=list)
    norms: dict[str, Norms] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    """Names of the parameters, by their number on the tape."""

    def happened(self, kind: str) -> list[RoundEvent]:
        """Return the events of a kind, in order."""
        return [event for event in self.events if event.kind == kind]

    def not_handed_on(self) -> list[int]:
        """Return the losses of the backward passes after the last that went on from others."""
        found: list[int] = []
        for event in self.happened("backward"):
            found = [] if event.handed_on else [*found, event.number]
        return [number for number in found if number >= 0]

    def losses(self) -> list[int]:
        """Return the losses whose sum the round makes smaller, each once."""
        handed_on = [event.number for event in self.happened("backward") if event.handed_on]
        return [*handed_on, *self.not_handed_on()]


@dataclass
class EvaluationCalls:
    """Calls outside training steps: without gradients, in eval mode, or by other code."""

    tape: Tape
    after: int
    """Number of training steps before it."""
    names: dict[int, str] = field(default_factory=dict)
    with_gradients: bool = False
    """Whether it ran in train mode and with gradients, as training does."""
    most: int = 0
    """Number of calls that are recorded of it at most."""
    chains: set[Chain] = field(default_factory=set)
    """From where it called modules."""
    by_hand: bool = False
    """Whether it took parameters that the script changes by itself, which need no module."""

    @property
    def full(self) -> bool:
        """Return whether no more calls are recorded."""
        return len(self.tape.calls) >= self.most


@dataclass
class LossCurve:
    """The loss and the learning rate of every step, in order."""

    losses: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
