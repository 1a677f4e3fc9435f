"""Trains copies of the user's parameters on the recorded rounds, to see what another setting does.

A round's tape is a function of the parameters, so training can go on in memory with another rate,
without decay, or from smaller weights. What was learned is measured on rounds that were not
trained on.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bench.watching.measure.hand_made import as_adam, update_sizes
from bench.watching.read.recording import Recording
from bench.watching.record.optimizers import OptimizerSeen
from bench.watching.record.rounds import Round

MOST_SECONDS = 20.0
"""Processor time for all trials together."""
TRIAL_STEPS = 60
"""Steps of one trial."""


@dataclass(frozen=True)
class TrialSetting:
    """The ways in which a trial does differently from the script."""

    rate: float = 1.0
    """Factor of the learning rates."""
    decay: bool = True
    scale: tuple[tuple[int, float], ...] = ()
    """Factors of first weights, by their place among the parameters."""


class Trials:
    """The recorded rounds of a training, ready to be trained on again."""

    def __init__(self, recording: Recording) -> None:
        # a function's parameters are known once they have been updated
        self.rounds = [one for one in recording.rounds if one.losses() and one.tape.parameters]
        self.optimizers = _last_of_each_place(recording, update_sizes(recording))
        self.rate = _rate(recording)
        self.parameters: dict[int, Tensor] = {}
        for one in self.rounds:
            self.parameters.update({id(t): t for t in one.tape.parameters.values()})
        self.held = self.rounds[1::3] if len(self.rounds) > 2 else self.rounds
        self.trained = [one for one in self.rounds if one not in self.held] or self.rounds
        self.spent = 0.0

    @property
    def possible(self) -> bool:
        """Return whether there is something to train and time left for it."""
        return bool(self.rounds and self.optimizers) and self.spent < MOST_SECONDS

    def values(self) -> dict[int, Tensor]:
        """Return copies of the parameters' values in the first round that has them."""
        values: dict[int, Tensor] = {}
        for one in reversed(self.rounds):
            for number, tensor in one.tape.parameters.items():
                values[id(tensor)] = one.tape.parameter_value(number)
        return {key: value.detach().clone() for key, value in values.items()}

    def loss(self, one: Round, leaves: dict[int, Tensor]) -> Tensor:
        """Return the loss of a round with other values of the parameters."""
        roots = {n: leaves[id(t)] for n, t in one.tape.parameters.items()}
        uncut = any(event.handed_on for event in one.happened("backward"))
        values = one.tape.replay(gradients=True, roots=roots, uncut=uncut)
        return torch.stack([values[n].sum().float() for n in one.losses()]).sum()

    def mean_loss(self, rounds: list[Round], leaves: dict[int, Tensor]) -> float:
        """Return the mean loss of some rounds."""
        with torch.no_grad():
            losses = [float(self.loss(one, leaves)) for one in rounds]
        return sum(losses) / len(losses)

    def train(self, setting: TrialSetting, steps: int = TRIAL_STEPS) -> tuple[float, float, float]:
        """Train and return the held rounds' loss before and after, and the other rounds' after."""
        begun = time.process_time()
        leaves = {key: value.requires_grad_() for key, value in self.values().items()}
        with torch.no_grad():
            for place, factor in setting.scale:
                list(leaves.values())[place].mul_(factor)
        before = self.mean_loss(self.held, leaves)
        optimizers = [_copy(seen, leaves, setting, self.rate) for seen in self.optimizers]
        for step in range(steps):
            one = self.trained[step % len(self.trained)]
            loss = self.loss(one, leaves)
            if not bool(torch.isfinite(loss)):
                break
            for leaf in leaves.values():
                leaf.grad = None
            loss.backward()  # type: ignore[no-untyped-call]
            self._clip(one, leaves)
            for optimizer in optimizers:
                optimizer.step()
            if self.spent + time.process_time() - begun > MOST_SECONDS:
                break
        after, trained = self.mean_loss(self.held, leaves), self.mean_loss(self.trained, leaves)
        self.spent += time.process_time() - begun
        return (
            before,
            after if math.isfinite(after) else math.inf,
            trained if math.isfinite(trained) else math.inf,
        )

    def _clip(self, one: Round, leaves: dict[int, Tensor]) -> None:
        names = {one.names.get(n): id(t) for n, t in one.tape.parameters.items()}
        for event in one.happened("clip"):
            stepped = [e.at for e in one.happened("step")]
            if stepped and one.events.index(event) > one.events.index(one.happened("step")[0]):
                continue
            keys = [names[name] for name in event.parameters if name in names]
            chosen = [leaves[key] for key in keys] or list(leaves.values())
            if math.isfinite(event.limit):
                torch.nn.utils.clip_grad_norm_(chosen, event.limit)


def _rate(recording: Recording) -> float:
    """Return the largest learning rate as a multiple of the first."""
    rates = recording.curve.rates
    known = bool(rates) and all(map(math.isfinite, rates))
    return max(rates) / rates[0] if known and rates[0] > 0 else 1.0


def _last_of_each_place(recording: Recording, sizes: dict[int, float]) -> list[OptimizerSeen]:
    found: dict[Any, OptimizerSeen] = {}
    for seen in (as_adam(one, sizes) for one in recording.optimizers):
        if seen.steps and seen.groups:
            found[seen.place or seen.serial] = seen
    return list(found.values())


def _copy(
    seen: OptimizerSeen, leaves: dict[int, Tensor], setting: TrialSetting, warm: float
) -> torch.optim.Optimizer:
    """Return an optimizer like the user's for the copies of its parameters."""
    assert seen.type is not None
    groups = []
    for group in seen.groups:
        parameters = [leaves[id(t)] for t in group["params"] if id(t) in leaves]
        if parameters:
            changed = {**group, "params": parameters}
            changed["lr"] = float(group["lr"]) * warm * setting.rate
            if not setting.decay and "weight_decay" in group:
                changed["weight_decay"] = 0.0
            groups.append(changed)
    if not groups:
        return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.0)
    return seen.type(groups, lr=groups[0]["lr"])  # type: ignore[call-arg]
