"""Trains runs that differ in seed or learning rate alone, as replicas: all are at the same step,
and each has its own data, curve and end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.training.batching import DataPosition, endless
from bench.training.checkpoint import Checkpoint
from bench.training.evaluation import evaluate, evaluate_stack
from bench.training.layers import LayerFigures, parameter_figures
from bench.training.loop import (
    Report,
    Segment,
    Validation,
    evaluate_segment,
    probe_batch,
)
from bench.training.replicas.stacked import (
    Replicas,
    StackedBatch,
    detach_model,
    draws,
    replica_norms,
)
from bench.training.schedules import reference_probability
from bench.training.state import Setting, TrainState
from tasks import Indices
from variants.dropout import OwnShape, ReplicaGenerators
from variants.schedules.forcing import toss

PADDED_TO = {"cpu": 1, "cuda": 4}
"""Lengths of batches are padded to multiples of this: each shape is a recording of its own."""


def train_replicas(
    states: Sequence[TrainState],
    settings: Sequence[Setting],
    reports: Sequence[Report],
    checkpoint: Checkpoint | None = None,
    restored: Mapping[str, Any] | None = None,
) -> None:
    """Train all these runs as `train` does one.

    settings: identical but for seed and learning rate; equal learning rates must be neighbours.
    restored: what was shared in their checkpoint, if they go on from one.
    """
    members = list(range(len(states)))
    group = ReplicaGroup(states, settings)
    if restored:
        members = restored["members"]
        group = _resumed(group, restored)
    report_of = {id(state): report for state, report in zip(states, reports, strict=True)}
    probe = probe_batch(settings[0])
    while running := group.running():
        if group.is_too_large(len(running)):
            group = group.narrowed(running)
            members = [members[place] for place in running]
        trained = zip(
            group.states, group.settings, group.train_segment(), group.validate(), strict=True
        )
        for state, setting, segment, validation in trained:
            if state.status == "running":
                report = report_of[id(state)]
                evaluate_segment(state, setting, probe, segment, report, validation)
        _detach_ended(group.states)
        if checkpoint is not None and checkpoint.is_due():
            checkpoint.write(states, group.shared(members))


def _resumed(group: ReplicaGroup, restored: Mapping[str, Any]) -> ReplicaGroup:
    """Return the group as a checkpoint has it: without the runs that had been left behind.

    restored: what `ReplicaGroup.shared` returned.
    """
    positions = [DataPosition(*position) for position in restored["positions"]]
    narrowed = group.narrowed(
        restored["members"], restored["optimizers"], restored["taken"], positions
    )
    _detach_ended(group.states)
    return narrowed


def _detach_ended(states: Sequence[TrainState]) -> None:
    """Take the models of runs that have ended out of the stack, so that it changes them no more."""
    for state in states:
        if state.status != "running":
            detach_model(state.model)


class ReplicaGroup:
    """Runs from where they stand, all at the same step, with one stacked model.

    A run that ended may stay: it is trained on, but none of that reaches its state. steps_done:
    by all. positions: in the data, of those that ended too.
    """

    def __init__(
        self,
        states: Sequence[TrainState],
        settings: Sequence[Setting],
        optimizer_states: Sequence[dict[str, Any]] = (),
        steps_done: int | None = None,
        positions: Sequence[DataPosition] | None = None,
    ) -> None:
        self.states, self.settings = list(states), list(settings)
        self.steps_done = states[0].step if steps_done is None else steps_done
        self.positions = list(positions or (state.position for state in states))
        first = settings[0]
        self.replicas = Replicas(
            [state.model for state in states],
            [setting.variant for setting in settings],
            first.task.facts,
            first.device,
            first.recipe,
            optimizer_states,
        )
        train = first.task.splits["train"]
        self._batches = [
            endless(train, first.budget.batch, setting.seed, position, first.budget.batching)
            for position, setting in zip(self.positions, settings, strict=True)
        ]

    def running(self) -> list[int]:
        """Return the places of the runs that have not ended."""
        return [place for place, state in enumerate(self.states) if state.status == "running"]

    def is_too_large(self, running: int) -> bool:
        """Return whether a group of those that run alone is worth making; running: their number."""
        # on CUDA a smaller group has recordings of its own: not for every one that ends
        if self.settings[0].device == "cuda":
            return 2 * running <= len(self.states)
        return running < len(self.states)

    def narrowed(
        self,
        kept: Sequence[int],
        optimizer_states: Sequence[dict[str, Any]] | None = None,
        steps_done: int | None = None,
        positions: Sequence[DataPosition] | None = None,
    ) -> ReplicaGroup:
        """Return a group of the runs at these places alone.

        optimizer_states, steps_done, positions: of a checkpoint; by default, of this group.
        """
        if optimizer_states is None:
            optimizer_states = self.replicas.optimizer_states_of(kept)
        if positions is None:
            positions = [self.positions[place] for place in kept]
        return ReplicaGroup(
            [self.states[place] for place in kept],
            [self.settings[place] for place in kept],
            optimizer_states,
            steps_done,
            positions,
        )

    def shared(self, members: Sequence[int]) -> dict[str, Any]:
        """Return what a checkpoint holds besides the states. members: places of this group's runs
        among all."""
        return {
            "members": members,
            "optimizers": [optimizer.state_dict() for optimizer in self.replicas.optimizers],
            "taken": self.steps_done,
            "positions": [list(position) for position in self.positions],
        }

    def next_batch(self) -> StackedBatch:
        """Return every replica's next batch with its coins, and count its tokens."""
        drawn = [next(batches) for batches in self._batches]
        self.positions = [position for _, position in drawn]
        indices = [of_batch for of_batch, _ in drawn]
        stacked = stack_batches(self.settings[0], indices)
        tokens = stacked.mask_RBT.sum((1, 2)).tolist()
        for state, (_, position), count in zip(self.states, drawn, tokens, strict=True):
            if state.status == "running":
                state.position = position
                state.tokens += count
        return stacked._replace(
            fed_RBT=self._toss_coins(indices, stacked.inputs_RBT.shape),
            dropout=self._generators(indices),
        )

    def _generators(self, indices: Sequence[Indices]) -> ReplicaGenerators | None:
        """Return the replicas' generators, with the shapes that they draw in alone.

        None where nothing is drawn.
        """
        setting = self.settings[0]
        if not draws(setting.variant):
            return None
        split = setting.task.splits["train"]
        ends = 0 if setting.task.facts.tagging else 1  # eos
        own = [
            OwnShape(
                len(rows),
                int(split.source.lengths_at(rows).max()),
                int(split.targets[0].lengths_at(rows).max()) + ends,
            )
            for rows in indices
        ]
        return ReplicaGenerators([state.dropout for state in self.states], own)

    def _toss_coins(self, indices: Sequence[Indices], shape: torch.Size) -> Tensor | None:
        """Return fed_RBT of this shape, or None where the reference is fed everywhere.

        Each replica tosses for as many rows and steps as it would by itself: otherwise its
        generator would be in another state afterwards.
        """
        setting = self.settings[0]
        split = setting.task.splits["train"]
        p = reference_probability(setting.variant, self.steps_done)
        if p >= 1.0:
            return None
        fed_RBT = torch.ones(shape, dtype=torch.bool)
        for place, (state, rows) in enumerate(zip(self.states, indices, strict=True)):
            length = int(split.targets[0].lengths_at(rows).max()) + 1
            fed_BT = toss(p, setting.variant.coin, len(rows), length, state.forcing)
            assert fed_BT is not None
            fed_RBT[place, : len(rows), :length] = fed_BT
        return fed_RBT

    def step(self) -> tuple[Tensor, Tensor]:
        """Update all replicas once; return losses_R, and gradient norms_R before clipping."""
        result = self.replicas.step(self.next_batch(), self.steps_done)
        self.steps_done += 1
        for place in self.running():
            self.states[place].step = self.steps_done
        return result

    def train_segment(self) -> list[Segment]:
        """Train up to the next evaluation and return what the steps of each replica were like."""
        first = self.running()[0]
        steps = self.settings[first].steps_to_evaluation(self.states[first])
        with self._timed():
            losses = [self.step()[0] for _ in range(steps - 1)]
        weights = [weight.detach() for weight in self.replicas.trained]
        # copying the weights is measuring, not training, so it stands outside the clock
        before = [weight.clone() for weight in weights]
        with self._timed():
            last_R, norms_R = self.step()
        change_R = replica_norms([new - old for new, old in zip(weights, before, strict=True)])
        means_R = torch.stack([*losses, last_R]).mean(0)
        rows = torch.stack([means_R, norms_R, change_R / replica_norms(weights)], dim=1)
        parameters = self._parameter_figures(weights, before, norms_R)
        return [
            Segment(loss, norm, ratio, figures)
            for (loss, norm, ratio), figures in zip(rows.tolist(), parameters, strict=True)
        ]

    def validate(self) -> list[Validation | None]:
        """Evaluate all runs on validation together; None where the recipe has its own way."""
        setting, count = self.settings[0], len(self.states)
        if setting.recipe.evaluate is not evaluate:
            return [None] * count
        began = time.perf_counter()
        task, collate = setting.task, setting.recipe.collate
        valid = task.splits["valid"]
        results = evaluate_stack(self.replicas.model, count, task, valid, setting.device, collate)
        seconds = (time.perf_counter() - began) / len(self.running())
        return [Validation(of_run, seconds) for of_run in results]

    def _parameter_figures(
        self, weights: Sequence[Tensor], before: Sequence[Tensor], norms_R: Tensor
    ) -> list[dict[str, LayerFigures] | None]:
        """Return the figures of each replica's parameters after a step; None if not recorded.

        weights, before: (R, ...) of each trained parameter after and before the step.
        """
        if self.settings[0].layer_probe is None:
            return [None] * len(self.states)
        named = self.states[0].model.named_parameters()
        names = [name for name, parameter in named if parameter.requires_grad]
        gradients = self.replicas.gradients
        return [
            parameter_figures(
                names,
                [weight[place] for weight in weights],
                [old[place] for old in before],
                [gradient[place] for gradient in gradients],
                norm,
            )
            for place, norm in enumerate(norms_R)
        ]

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """Add the time that passes in this block to all running runs, in equal shares."""
        since = time.perf_counter()
        yield
        if self.settings[0].device == "cuda":
            torch.cuda.synchronize()
        running = self.running()
        for place in running:
            self.states[place].seconds += (time.perf_counter() - since) / len(running)


def stack_batches(setting: Setting, indices: Sequence[Indices]) -> StackedBatch:
    """Return one batch of training examples for each replica, without coins.

    indices: of each replica's examples. A replica with fewer is filled up by repeating examples,
    whose targets do not count.
    """
    count, rows = len(indices), max(map(len, indices))
    filled = np.concatenate([np.resize(of_batch, rows) for of_batch in indices])
    batch = setting.recipe.collate(
        setting.task.splits["train"].take(filled), setting.task.facts, "cpu"
    )

    def by_replica(values_NX: Tensor) -> Tensor:
        """Return (R * B, S or T) as (R, B, S or T), padded at the end."""
        missing = -values_NX.shape[1] % PADDED_TO[setting.device]
        return nn.functional.pad(values_NX, (0, missing)).view(count, rows, -1)

    mask_RBT = by_replica(batch.mask_BT)
    for place, of_batch in enumerate(indices):
        mask_RBT[place, len(of_batch) :] = False
    return StackedBatch(
        by_replica(batch.source_BS),
        by_replica(batch.source_mask_BS),
        by_replica(batch.inputs_BT),
        mask_RBT,
        tuple(by_replica(target) for target in batch.targets),
        None,
        batch.even and PADDED_TO[setting.device] == 1,
    )
