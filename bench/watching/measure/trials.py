"""Trains copies of the user's parameters on the recorded rounds, to see what another setting does.

A round is a training step as it was recorded, and its tape holds the calls that computed the loss.
A tape can be run again with other values of the parameters, so training can go on in memory with
another learning rate, without decay, or from initial weights of another size. A third of the
rounds is held out and not trained on, if there are three.
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
    """Says what a trial changes of the script's training."""

    rate: float = 1.0
    """Factor of the learning rates."""
    decay: bool = True
    scale: tuple[tuple[int, float], ...] = ()
    """Factors of initial weights, each with its parameter's index in `Trials.values()`."""


class Trials:
    """The recorded rounds of a training, ready to be trained on again."""

    def __init__(self, recording: Recording) -> None:
        # parameters that no module holds are known from the first update on
        self.rounds = [one for one in recording.rounds if one.losses() and one.tape.parameters]
        self.optimizers = _last_of_each_line(recording, update_sizes(recording))
        self.peak_factor = _peak_factor(recording)
        self.parameters: dict[int, Tensor] = {}
        for one in self.rounds:
            self.parameters.update({id(t): t for t in one.tape.parameters.values()})
        self.held_out = self.rounds[1::3] if len(self.rounds) > 2 else self.rounds
        self.trained = [one for one in self.rounds if one not in self.held_out] or self.rounds
        self.spent = 0.0

    @property
    def possible(self) -> bool:
        """Return whether there is something to train and time left for it."""
        return bool(self.rounds and self.optimizers) and self.spent < MOST_SECONDS

    def values(self) -> dict[int, Tensor]:
        """Return copies of the parameters' values in the first round that has them, by their id."""
        values: dict[int, Tensor] = {}
        # backwards, so that the first round has the last word
        for one in reversed(self.rounds):
            for number, tensor in one.tape.parameters.items():
                values[id(tensor)] = one.tape.parameter_value(number)
        return {key: value.detach().clone() for key, value in values.items()}

    def loss(self, one: Round, leaves: dict[int, Tensor]) -> Tensor:
        """Return the loss of a round, a scalar, if the parameters had the values of `leaves`.

        Where the script hands gradients on by itself (`tensor.backward(gradient)`), gradients also
        pass the places where it detached a tensor. A round may have several losses, each possibly
        not reduced: their sum is what the script's calls of backward add up.
        """
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
        """Return the held-out loss before and after training, and the training loss after it.

        A trial ends early when the time for all trials is spent.
        """
        begun = time.process_time()
        leaves = {key: value.requires_grad_() for key, value in self.values().items()}
        with torch.no_grad():
            for place, factor in setting.scale:
                list(leaves.values())[place].mul_(factor)
        before = self.mean_loss(self.held_out, leaves)
        optimizers = [_copy(seen, leaves, setting, self.peak_factor) for seen in self.optimizers]
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
        after, trained = self.mean_loss(self.held_out, leaves), self.mean_loss(self.trained, leaves)
        self.spent += time.process_time() - begun
        return (
            before,
            after if math.isfinite(after) else math.inf,
            trained if math.isfinite(trained) else math.inf,
        )

    def _clip(self, one: Round, leaves: dict[int, Tensor]) -> None:
        """Clip gradients as the script did in this round before its first step.

        All are clipped where it is not known which parameters were: they have no names.
        """
        names = {one.names.get(n): id(t) for n, t in one.tape.parameters.items()}
        for event in one.happened("clip"):
            steps = one.happened("step")
            if steps and one.events.index(event) > one.events.index(steps[0]):
                continue  # too late to change the update
            keys = [names[name] for name in event.parameters if name in names]
            chosen = [leaves[key] for key in keys] or list(leaves.values())
            if math.isfinite(event.limit):
                torch.nn.utils.clip_grad_norm_(chosen, event.limit)


def _peak_factor(recording: Recording) -> float:
    """Return the largest learning rate of the training as a multiple of its first.

    Trials use the largest one: during a warm-up the first says nothing of the training.
    """
    rates = recording.curve.rates
    known = bool(rates) and all(map(math.isfinite, rates))
    return max(rates) / rates[0] if known and rates[0] > 0 else 1.0


def _last_of_each_line(recording: Recording, sizes: dict[int, float]) -> list[OptimizerSeen]:
    """Return the optimizers that made steps; of those made by one line of code the last."""
    found: dict[Any, OptimizerSeen] = {}
    for seen in (as_adam(one, sizes) for one in recording.optimizers):
        if seen.steps and seen.groups:
            found[seen.place or seen.serial] = seen
    return list(found.values())


def _copy(
    seen: OptimizerSeen, leaves: dict[int, Tensor], setting: TrialSetting, peak_factor: float
) -> torch.optim.Optimizer:
    """Return an optimizer like the user's for the copies of its parameters, without its state."""
    assert seen.type is not None
    groups = []
    for group in seen.groups:
        parameters = [leaves[id(t)] for t in group["params"] if id(t) in leaves]
        if parameters:
            changed = {**group, "params": parameters}
            changed["lr"] = float(group["lr"]) * peak_factor * setting.rate
            if not setting.decay and "weight_decay" in group:
                changed["weight_decay"] = 0.0
            groups.append(changed)
    if not groups:  # none of its parameters was recorded, so there is nothing to update
        return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.0)
    return seen.type(groups, lr=groups[0]["lr"])  # type: ignore[call-arg]
