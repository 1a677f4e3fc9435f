"""Training of runs that differ in seed or learning rate alone, as replicas: all are at the same
step, and each has its own data, curve and end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.training.batching import Position, endless
from bench.training.loop import Keeper, Report, Segment, Setting, TrainState, conclude, probe_batch
from bench.training.replicas import Replicas, Stacked, leave, norms
from tasks import Indices
from variants.forcing import probability, toss

ROUNDED = {"cpu": 1, "cuda": 4}
"""Lengths of batches are filled up to multiples of this: each shape is a recording of its own."""


def train_together(
    states: Sequence[TrainState],
    settings: Sequence[Setting],
    reports: Sequence[Report],
    keeper: Keeper | None = None,
    restored: Mapping[str, Any] | None = None,
) -> None:
    """`training.train` for all of these at once. settings: alike but for seed and learning rate;
    equal learning rates stand side by side. restored: what was shared in their checkpoint."""
    members = list(range(len(states)))
    group = Group(states, settings)
    if restored:
        members = restored["members"]
        positions = [Position(*position) for position in restored["positions"]]
        group = group.only(members, restored["optimizers"], restored["taken"], positions)
        for state in states:
            if state.status != "running":
                leave(state.model)
    report_of = {id(state): report for state, report in zip(states, reports, strict=True)}
    probe = probe_batch(settings[0])
    while running := group.running():
        # a smaller group is a new one, with recordings of its own: not for every one that ends
        if 2 * len(running) <= len(group.states):
            group = group.only(running)
            members = [members[place] for place in running]
        segments = group.segment()
        for state, setting, segment in zip(group.states, group.settings, segments, strict=True):
            if state.status == "running":
                conclude(state, setting, probe, segment, report_of[id(state)])
                if state.status != "running":
                    leave(state.model)
        if keeper is not None and keeper.due():
            optimizers = [optimizer.state_dict() for optimizer in group.replicas.optimizers]
            shared = {"members": members, "optimizers": optimizers, "taken": group.taken}
            places = [list(position) for position in group.positions]
            keeper.keep(states, {**shared, "positions": places})


class Group:
    """Runs from where they stand, all at the same step.

    One that ended may stay: it is trained on, but none of that reaches its state. taken: steps
    done. positions: in the data, of those that ended too.
    """

    def __init__(
        self,
        states: Sequence[TrainState],
        settings: Sequence[Setting],
        replicas: Replicas | None = None,
        taken: int | None = None,
        positions: Sequence[Position] | None = None,
    ) -> None:
        self.states, self.settings = list(states), list(settings)
        one, self.taken = settings[0], states[0].step if taken is None else taken
        self.positions = list(positions or (state.position for state in states))
        self.replicas = replicas or Replicas(
            [state.model for state in states],
            [setting.variant for setting in settings],
            one.task.facts,
            one.device,
            one.recipe,
        )
        self._batches = [
            endless(one.task.splits["train"], one.budget.batch, setting.seed, position)
            for position, setting in zip(self.positions, settings, strict=True)
        ]

    def running(self) -> list[int]:
        """Places of those that have not ended."""
        return [place for place, state in enumerate(self.states) if state.status == "running"]

    def only(
        self,
        kept: Sequence[int],
        optimizers: Sequence[dict[str, Any]] | None = None,
        taken: int | None = None,
        positions: Sequence[Position] | None = None,
    ) -> Group:
        """A group of these alone. optimizers, taken, positions: as they are here if None."""
        states = [self.states[place] for place in kept]
        settings = [self.settings[place] for place in kept]
        one = settings[0]
        replicas = Replicas(
            [state.model for state in states],
            [setting.variant for setting in settings],
            one.task.facts,
            one.device,
            one.recipe,
            self.replicas.narrowed(kept) if optimizers is None else optimizers,
        )
        here = [self.positions[place] for place in kept]
        return Group(states, settings, replicas, taken, here if positions is None else positions)

    def next(self) -> Stacked:
        """Every replica's next batch, and the coins that it tosses."""
        drawn = [next(batches) for batches in self._batches]
        self.positions = [position for _, position in drawn]
        indices = [some for some, _ in drawn]
        stacked = stack_batches(self.settings[0], indices)
        tokens = stacked.mask_RBT.sum((1, 2)).tolist()
        for state, (_, position), count in zip(self.states, drawn, tokens, strict=True):
            if state.status == "running":
                state.position = position
                state.tokens += count
        return stacked._replace(fed_RBT=self._fed(indices, stacked.inputs_RBT.shape))

    def _fed(self, indices: Sequence[Indices], shape: torch.Size) -> Tensor | None:
        """Each replica tosses as it would alone, for as many rows and steps."""
        setting = self.settings[0]
        variant, split = setting.variant, setting.task.splits["train"]
        p = probability(variant.forcing, self.taken, variant.forcing_rate, variant.forcing_steps)
        if p >= 1.0:
            return None
        fed_RBT = torch.ones(shape, dtype=torch.bool)
        for place, (state, some) in enumerate(zip(self.states, indices, strict=True)):
            steps = int(split.targets[0].lengths_at(some).max()) + 1
            fed = toss(p, variant.coin, len(some), steps, state.forcing)
            assert fed is not None
            fed_RBT[place, : len(some), :steps] = fed
        return fed_RBT

    def step(self) -> tuple[Tensor, Tensor]:
        """One update of all: losses_R, and gradient norms_R before clipping."""
        result = self.replicas.step(self.next(), self.taken)
        self.taken += 1
        for place in self.running():
            self.states[place].step = self.taken
        return result

    def segment(self) -> list[Segment]:
        """Steps up to the next evaluation, as training has them for one run."""
        some = self.running()[0]
        ahead = self.settings[some].ahead(self.states[some])
        with self._timed():
            losses = [self.step()[0] for _ in range(ahead - 1)]
        weights = [weight.detach() for weight in self.replicas.trained]
        # copying the weights is measuring, not training, so it stands outside the clock
        before = [weight.clone() for weight in weights]
        with self._timed():
            last_R, norms_R = self.step()
        change_R = norms([new - old for new, old in zip(weights, before, strict=True)])
        means_R = torch.stack([*losses, last_R]).mean(0)
        rows = torch.stack([means_R, norms_R, change_R / norms(weights)], dim=1)
        return [Segment(*row) for row in rows.tolist()]

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """What passes in here is training, of all that run in equal shares."""
        since = time.perf_counter()
        yield
        if self.settings[0].device == "cuda":
            torch.cuda.synchronize()
        running = self.running()
        for place in running:
            self.states[place].seconds += (time.perf_counter() - since) / len(running)


def stack_batches(setting: Setting, indices: Sequence[Indices]) -> Stacked:
    """One batch of training examples a replica. A shorter one is filled up with examples whose
    targets do not count."""
    count, rows = len(indices), max(map(len, indices))
    filled = np.concatenate([np.resize(some, rows) for some in indices])
    batch = setting.recipe.collate(
        setting.task.splits["train"].take(filled), setting.task.facts, "cpu"
    )

    def apart(values_NX: Tensor) -> Tensor:
        missing = -values_NX.shape[1] % ROUNDED[setting.device]
        return nn.functional.pad(values_NX, (0, missing)).view(count, rows, -1)

    mask_RBT = apart(batch.mask_BT)
    for place, some in enumerate(indices):
        mask_RBT[place, len(some) :] = False
    return Stacked(
        apart(batch.source_BS),
        apart(batch.source_mask_BS),
        apart(batch.inputs_BT),
        mask_RBT,
        tuple(apart(target) for target in batch.targets),
        None,
    )
