"""Follows the optimizers: which parameters they hold, when they were made, how often they step."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from bench.watching.record.names import Names
from bench.watching.record.places import CodeLine, place

SETTINGS = ("lr", "weight_decay", "momentum", "maximize")


@dataclass
class OptimizerSeen:
    """An optimizer that was made or that stepped while the watch was on."""

    serial: int
    kind: str
    name: str
    place: CodeLine | None
    """Where it was made; None if before the watch."""
    reference: weakref.ref[Optimizer]
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
