"""Follows the optimizers: which parameters they hold, when they were made, how often they step."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.optim import SGD, Optimizer

from bench.watching.record.by_hand import HandMadeStep
from bench.watching.record.names import Names
from bench.watching.record.places import CodeLine, place

BY_HAND = "the script's own update"
"""Kind of what takes steps without an optimizer of torch."""
SETTINGS = ("lr", "weight_decay", "momentum", "maximize")


@dataclass
class OptimizerSeen:
    """An optimizer that was made or that stepped while the watch was on."""

    serial: int
    kind: str
    name: str
    place: CodeLine | None
    """Where it was made; None if before the watch."""
    reference: Callable[[], Optimizer | None]
    """Returns the optimizer while it lives; None for what the script does without one."""
    parameters: list[Tensor] = field(default_factory=list)
    made_after: int = 0
    """Number of training steps before it was made."""
    steps: int = 0
    settings: dict[str, float] = field(default_factory=dict)
    """Largest value of each setting over the parameter groups, at its first step."""
    groups: list[dict[str, Any]] = field(default_factory=list)
    """The parameter groups with all settings, as they were at its first step."""
    type: type[Optimizer] | None = None


class Optimizers:
    """The optimizers seen, by serial number; the parameters of the latest are kept alive."""

    def __init__(self, names: Names) -> None:
        self.seen: list[OptimizerSeen] = []
        self._names = names
        self._serials: dict[int, int] = {}
        self.training_steps = 0
        self._by_hand: int | None = None

    def made(self, optimizer: Optimizer) -> None:
        """Note an optimizer that was just made."""
        self._add(optimizer, place())

    def _add(self, optimizer: Optimizer, where: CodeLine | None) -> int:
        serial = len(self.seen)
        self.seen.append(
            OptimizerSeen(
                serial,
                type(optimizer).__name__,
                type(optimizer).__name__,
                where,
                weakref.ref(optimizer),
                _parameters(optimizer),
                self.training_steps,
                settings=_settings(optimizer),
                type=type(optimizer),
            )
        )
        self._serials[id(optimizer)] = serial
        if len(self.seen) > 4:
            # an optimizer made anew for each batch must not keep all its parameters' lists
            self.seen[serial - 2].parameters = []
            self.seen[serial - 2].groups = []
        return serial

    def serial(self, optimizer: Optimizer) -> int:
        """Return the serial number of an optimizer, which may have been made before the watch."""
        known = self._serials.get(id(optimizer))
        if known is not None and self.seen[known].reference() is optimizer:
            return known
        return self._add(optimizer, None)

    def by_hand(self, step: HandMadeStep) -> int:
        """Note a step that the script took without an optimizer, and return its serial number."""
        if self._by_hand is None:
            self._by_hand = len(self.seen)
            name = f"the update at {step.place}"
            self.seen.append(
                OptimizerSeen(self._by_hand, BY_HAND, name, step.place, lambda: None, type=SGD)
            )
        seen = self.seen[self._by_hand]
        known = {id(parameter) for parameter in seen.parameters}
        seen.parameters += [p for p in step.parameters if id(p) not in known]
        if seen.steps == 0 and math.isfinite(step.rate):
            seen.settings = {"lr": step.rate}
        if math.isfinite(step.rate) and (seen.groups or seen.steps == 0):
            seen.groups = [{"params": seen.parameters, "lr": seen.settings["lr"]}]
        else:
            seen.groups = []
        seen.steps += 1
        return self._by_hand

    def cleared(self, optimizer: Optimizer) -> int:
        """Note that an optimizer clears gradients, and return its serial number."""
        serial = self.serial(optimizer)
        seen = self.seen[serial]
        if seen.name == seen.kind:
            seen.name = self._names.of_optimizer(optimizer)
        return serial

    def stepped(self, optimizer: Optimizer) -> int:
        """Note that an optimizer steps, and return its serial number."""
        serial = self.serial(optimizer)
        seen = self.seen[serial]
        if seen.steps == 0:
            seen.name = self._names.of_optimizer(optimizer)
            seen.settings = _settings(optimizer)
            seen.parameters = _parameters(optimizer)
            seen.groups = [dict(group) for group in optimizer.param_groups]
        seen.steps += 1
        return serial

    def parameters(self) -> Iterator[Tensor]:
        """Yield the parameters of the latest optimizers that are still alive."""
        for seen in self.seen[-4:]:
            optimizer = seen.reference()
            if optimizer is not None:
                yield from _parameters(optimizer)


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _settings(optimizer: Optimizer) -> dict[str, float]:
    values: dict[str, float] = {}
    for group in optimizer.param_groups:
        for key in SETTINGS:
            if isinstance(group.get(key), int | float | Tensor):
                values[key] = max(values.get(key, 0.0), float(group[key]))
    return values
