"""The cases that are timed: one variant on one workload, in training or in decoding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import islice, takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from bench.speed import flops
from bench.training import machine
from bench.training.batching import DataPosition, collate, endless
from bench.training.decoding import greedy
from bench.training.pretrained import pretrained
from bench.training.randomness import torch_generator
from bench.training.replicas.stacked import Replicas, StackedBatch, draws, repeat
from bench.training.schedules import toss_coins
from bench.training.state import Recipe, TrainState, start
from tasks import EOS, Facts, Ragged, Split, Task
from variants import Batch, Encoded, Model, Pretrained, Step, Variant, precision
from variants import build as build_model
from variants.embedding import PRETRAINED

CACHE_BYTES = 2**26
"""Bytes that a processor's caches may hold, so that using them again moves nothing."""


class Shape(NamedTuple):
    """The shape of random batches: batch B, source S, target T with eos, vocabulary V."""

    batch: int = 64
    source: int = 20
    target: int = 20
    vocabulary: int = 8000

    def text(self) -> str:
        """Return the shape as rows name it."""
        return f"batch {self.batch}, S {self.source}, T {self.target}, V {self.vocabulary}"


@dataclass(frozen=True)
class Workload:
    """Batches to train on or to decode.

    limit: tokens that decoding makes of each source. longest: symbols of the longest source. task:
    where the batches are from, None if they are random.
    """

    name: str
    facts: Facts
    batches: list[Batch]
    limit: int
    longest: int
    task: Task | None = None

    @property
    def tokens(self) -> int:
        """Number of target tokens."""
        return sum(batch.tokens for batch in self.batches)

    @property
    def source_tokens(self) -> int:
        """Number of source symbols."""
        return sum(int(batch.lengths_B.sum()) for batch in self.batches)

    @property
    def padding(self) -> float:
        """Share of padding among all source and target positions."""
        places = sum(b.source_BS.numel() + b.inputs_BT.numel() for b in self.batches)
        return 1.0 - (self.tokens + self.source_tokens) / places


def random_workload(shape: Shape, device: str) -> Workload:
    """Return a workload of one batch of random symbols, without padding."""
    draw = np.random.default_rng(0)
    first = EOS + 1
    source = draw.integers(first, shape.vocabulary, size=(shape.batch, shape.source))
    target = draw.integers(first, shape.vocabulary, size=(shape.batch, shape.target - 1))
    split = Split(Ragged.of(source.tolist()), (Ragged.of(target.tolist()),))
    facts = Facts(shape.vocabulary, (shape.vocabulary,), shape.target)
    batch = collate(split, facts, device)
    return Workload(shape.text(), facts, [batch], shape.target, shape.source)


def task_workload(task: Task, label: str, size: int, count: int, device: str) -> Workload:
    """Return a workload of the first batches of an epoch, as training has them.

    label: of the task. size: examples for each batch. count: batches, at most one epoch.
    """
    train = task.splits["train"]
    epoch = takewhile(lambda drawn: drawn[1].epoch == 0, endless(train, size, 0, DataPosition()))
    chosen = [indices for indices, _ in islice(epoch, count)]
    batches = [collate(train.take(indices), task.facts, device) for indices in chosen]
    longest = train.source.longest
    name = f"{label}, {len(batches)} batches of {size}"
    return Workload(name, task.facts, batches, task.facts.length_limit, longest, task)


class _NeverEnding(Model):
    """A model whose outputs never end, so that each has as many tokens as the limit."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def encode(self, batch: Batch) -> Encoded:
        """Encode as the model does."""
        return self.model.encode(batch)

    def step(self, tokens_B: Tensor, state: Any, memory: Any) -> Step:
        """Take the model's step, and make eos impossible in its logits_BV."""
        step = self.model.step(tokens_B, state, memory)
        logits_BV = step.logits_BV.clone()
        logits_BV[:, EOS] = float("-inf")
        return step._replace(logits_BV=logits_BV)


@dataclass
class Case:
    """One variant on one workload, in training or in decoding, with the timings of its rounds.

    A pass goes over the workload's batches once. work: `training` or `decoding`. memory: counts
    from before the case was made. replicas: models that are trained together on the stacked
    batches; None for one model by itself. flops: of a pass, None if they cannot be counted.
    busy_seconds: of a pass in which kernels run, on CUDA. passes: in each round. seconds: of a
    pass, for each round. events: the same by the device's own clock, on CUDA; gaps between kernels
    are included. disturbed: rounds in which others used the machine.
    """

    name: str
    variant: Variant
    workload: Workload
    work: str
    state: TrainState
    flops: int | None
    memory: machine.Peak
    replicas: Replicas | None = None
    stacked: list[StackedBatch] = field(default_factory=list)
    peak_bytes: int | None = None
    reserved_bytes: int | None = None
    busy_seconds: float | None = None
    warm_up_seconds: float = 0.0
    passes: int = 1
    seconds: list[float] = field(default_factory=list)
    events: list[float] = field(default_factory=list)
    disturbed: int = 0

    def once(self) -> None:
        """Train on, or decode, all batches once."""
        # cases take turns in one process, and the number format is a setting of the process
        precision.allow(self.variant.precision)
        if self.work == "decoding":
            model = _NeverEnding(self.state.model)
            for batch in self.workload.batches:
                greedy(model, batch, self.workload.limit)
            return
        if self.replicas is not None:
            for stacked in self.stacked:
                self.replicas.step(stacked, 0)
            return
        recipe = Recipe()
        variant, facts = self.variant, self.workload.facts
        for batch in self.workload.batches:
            fed_BT = half_way_coins(variant, batch, self.state.forcing)
            recipe.step(self.state, variant, facts, recipe.loss, batch, fed_BT)

    @property
    def count(self) -> int:
        """Number of models that a pass trains."""
        return 1 if self.replicas is None else len(self.replicas.variants)

    @property
    def tokens(self) -> int:
        """Number of target tokens of a pass."""
        if self.work == "training":
            return self.workload.tokens * self.count
        return sum(len(batch.inputs_BT) for batch in self.workload.batches) * self.workload.limit

    def bytes_moved(self) -> int:
        """Return the least bytes that a pass must move to and from memory; 0 if caches hold them.

        In decoding each weight is read once for each batch; in training weights are read and
        written, their gradients too, and what the optimizer keeps of them.
        """
        moved = self._decoding_bytes() if self.work == "decoding" else self._training_bytes()
        return moved * len(self.workload.batches) if moved > CACHE_BYTES else 0

    def _decoding_bytes(self) -> int:
        return sum(p.numel() * p.element_size() for p in self.state.model.parameters())

    def _training_bytes(self) -> int:
        trained = sum(
            p.numel() * p.element_size() for p in self.state.model.parameters() if p.requires_grad
        )
        optimizers = self.replicas.optimizers if self.replicas else [self.state.optimizer]
        kept = sum(
            value.numel() * value.element_size()
            for optimizer in optimizers
            for state in optimizer.state.values()
            for value in state.values()
            if isinstance(value, Tensor) and value.numel() > 1
        )
        return 4 * trained * self.count + 2 * kept


def half_way_coins(variant: Variant, batch: Batch, generator: torch.Generator) -> Tensor | None:
    """Return fed_BT of a batch, half-way through the variant's schedule of teacher forcing.

    None where the reference is fed everywhere.
    """
    rows, length = batch.inputs_BT.shape
    fed_BT = toss_coins(variant, variant.forcing_steps // 2, rows, length, generator)
    return None if fed_BT is None else fed_BT.to(batch.inputs_BT.device)


def build_case(
    name: str,
    variant: Variant,
    workload: Workload,
    work: str,
    device: str,
    data: Path | None = None,
    count: int = 0,
) -> Case:
    """Return a case before its first pass.

    data: folder of corpora and word vectors. count: replicas that are trained together; 0 for one
    model by itself.
    """
    facts = workload.facts
    models = [
        build_model(
            variant,
            facts.source_size,
            facts.target_sizes,
            facts.tagging,
            partial(torch_generator, seed, "init"),
            longest=workload.longest,
            pretrained=_pretrained(variant, workload, data),
        )
        for seed in range(max(count, 1))
    ]
    counted = _flops(models[0], variant, workload, work)
    # the memory of weights on the CPU, which are there already, is no part of a case
    memory = machine.Peak(device)
    states = [start(model, variant, 0, device, Recipe()) for model in models]
    case = Case(name, variant, workload, work, states[0], counted, memory)
    if count:
        case.flops = None if counted is None else counted * count
        case.replicas = Replicas(models, [variant] * count, facts, device, Recipe())
        dropout = [state.dropout for state in states] if draws(variant) else []
        case.stacked = [
            repeat(batch, half_way_coins(variant, batch, states[0].forcing), count, dropout)
            for batch in workload.batches
        ]
    return case


def _pretrained(
    variant: Variant, workload: Workload, data: Path | None
) -> tuple[Pretrained | None, Pretrained | None]:
    """Return first values of source and target embeddings, where the variant starts from such.

    For random symbols, zeros are as good as any: their values do not change the time.
    """
    if variant.embedding_init not in PRETRAINED:
        return None, None
    if workload.task is not None:
        return pretrained(variant, workload.task, data)
    sizes = (workload.facts.source_size, workload.facts.target_sizes[0])
    source, target = (
        Pretrained(torch.zeros(size, variant.embedding), torch.ones(size, dtype=torch.bool))
        for size in sizes
    )
    return source, target


def _flops(model: Model, variant: Variant, workload: Workload, work: str) -> int | None:
    """Return the floating-point operations of a pass, without doing it.

    None for a model from outside that cannot be run on tensors without content.
    """
    coins = torch_generator(0, "forcing")

    def of_batch(batch: Batch) -> int:
        if work == "decoding":
            return flops.decoding_flops(model, batch, workload.limit)
        fed_BT = half_way_coins(variant, batch, coins)
        return flops.training_flops(model, batch, workload.facts, fed_BT)

    try:
        return _sum_over_shapes(workload.batches, of_batch)
    except (RuntimeError, NotImplementedError, TypeError, ValueError):
        return None


def _sum_over_shapes(batches: list[Batch], of_batch: Callable[[Batch], int]) -> int:
    """Return the sum of a count over batches, counting batches of equal shapes only once."""
    counts: dict[tuple[int, ...], int] = {}
    total = 0
    for batch in batches:
        shape = (*batch.source_BS.shape, *batch.inputs_BT.shape, batch.tokens)
        if shape not in counts:
            counts[shape] = of_batch(batch)
        total += counts[shape]
    return total
