"""How fast variants train and decode, timed so that they can be compared.

Every case is warmed up; then rounds follow, each of which times every case once, in random order,
so that what the machine does meanwhile falls on all alike. In the same rounds a large matrix
product and a large copy tell what the machine can do.
"""

from __future__ import annotations

import math
import os
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice, takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from bench.speed import flops
from bench.speed.roofline import Limits, Probe
from bench.training import machine
from bench.training.batching import Position, collate, endless
from bench.training.decoding import greedy
from bench.training.pretrained import pretrained
from bench.training.randomness import torch_generator
from bench.training.replicas import Replicas, StackedBatch, repeat
from bench.training.state import Recipe, TrainState, start
from tasks import EOS, Facts, Ragged, Split, Task
from variants import Batch, Encoded, Model, Pretrained, Step, Variant, precision
from variants import build as build_model
from variants.embedding import PRETRAINED
from variants.forcing import probability, toss

WINDOW = 0.2
"""Seconds that a timing lasts at the least: steps are repeated until then."""
BUSY = 0.1
"""Cores that others may use before a timing counts as disturbed."""
SETTLED = 0.1
"""A warm-up ends once a step differs by less than this share from the one before."""
CACHED = 2**26
"""Bytes that a processor's caches may hold, so that using them again moves nothing."""


class Shape(NamedTuple):
    """Batches of one shape: examples, symbols a source, tokens a target with eos, vocabulary."""

    batch: int = 64
    source: int = 20
    target: int = 20
    vocabulary: int = 8000

    def text(self) -> str:
        """As rows name it."""
        return f"batch {self.batch}, S {self.source}, T {self.target}, V {self.vocabulary}"


@dataclass(frozen=True)
class Workload:
    """What is trained on or decoded. limit: tokens that decoding gives. task: what the batches
    are of, None if they are made up."""

    name: str
    facts: Facts
    batches: list[Batch]
    limit: int
    longest: int
    task: Task | None = None

    @property
    def tokens(self) -> int:
        """Target tokens."""
        return sum(batch.tokens for batch in self.batches)

    @property
    def source_tokens(self) -> int:
        """Source symbols."""
        return sum(int(batch.lengths_B.sum()) for batch in self.batches)

    @property
    def padding(self) -> float:
        """Share of padding among all source and target positions."""
        places = sum(b.source_BS.numel() + b.inputs_BT.numel() for b in self.batches)
        return 1.0 - (self.tokens + self.source_tokens) / places


def of_shape(shape: Shape, device: str) -> Workload:
    """One batch of random symbols, no padding."""
    draw = np.random.default_rng(0)
    first = EOS + 1
    source = draw.integers(first, shape.vocabulary, size=(shape.batch, shape.source))
    target = draw.integers(first, shape.vocabulary, size=(shape.batch, shape.target - 1))
    split = Split(Ragged.of(source.tolist()), (Ragged.of(target.tolist()),))
    facts = Facts(shape.vocabulary, (shape.vocabulary,), shape.target)
    batch = collate(split, facts, device)
    return Workload(shape.text(), facts, [batch], shape.target, shape.source)


def of_task(task: Task, label: str, size: int, count: int, device: str) -> Workload:
    """The first batches of an epoch, as training has them."""
    train = task.splits["train"]
    epoch = takewhile(lambda drawn: drawn[1].epoch == 0, endless(train, size, 0, Position()))
    chosen = [indices for indices, _ in islice(epoch, count)]
    batches = [collate(train.take(indices), task.facts, device) for indices in chosen]
    longest = train.source.longest
    name = f"{label}, {len(batches)} batches of {size}"
    return Workload(name, task.facts, batches, task.facts.length_limit, longest, task)


class _Endless(Model):
    """A model whose outputs never end, so that each has as many tokens as the limit."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def encode(self, batch: Batch) -> Encoded:
        return self.model.encode(batch)

    def step(self, tokens_B: Tensor, state: Any, memory: Any) -> Step:
        step = self.model.step(tokens_B, state, memory)
        logits_BV = step.logits_BV.clone()
        logits_BV[:, EOS] = float("-inf")
        return step._replace(logits_BV=logits_BV)


@dataclass
class Case:
    """One variant on one workload, in training or in decoding. replicas: models trained together
    on the stacked batches, if it is not one by itself. seconds: of a pass over the workload's
    batches, one a round; events: the same by the device's own clock, on CUDA, gaps between kernels
    included; busy_seconds: without the gaps."""

    name: str
    variant: Variant
    workload: Workload
    work: str
    state: TrainState
    flops: int | None
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
        """A pass over the batches."""
        precision.allow(self.variant.precision)
        if self.work == "decoding":
            model = _Endless(self.state.model)
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
            fed = tossed(variant, batch, self.state.forcing)
            recipe.step(self.state, variant, facts, recipe.loss, batch, fed)

    @property
    def count(self) -> int:
        """Models that a pass trains."""
        return 1 if self.replicas is None else len(self.replicas.variants)

    @property
    def tokens(self) -> int:
        """Target tokens of a pass."""
        if self.work == "training":
            return self.workload.tokens * self.count
        return sum(len(batch.inputs_BT) for batch in self.workload.batches) * self.workload.limit

    def bytes_moved(self) -> int:
        """The least traffic of a pass where caches are too small to hold what it works on: in
        decoding each weight read once a batch; in training weights read and written, their
        gradients too, and what the optimizer keeps of them."""
        given = list(self.state.model.parameters())
        if self.work == "decoding":
            moved = sum(p.numel() * p.element_size() for p in given)
        else:
            trained = sum(p.numel() * p.element_size() for p in given if p.requires_grad)
            together = self.replicas.optimizers if self.replicas else [self.state.optimizer]
            kept = sum(
                value.numel() * value.element_size()
                for optimizer in together
                for state in optimizer.state.values()
                for value in state.values()
                if isinstance(value, Tensor) and value.numel() > 1
            )
            moved = 4 * trained * self.count + 2 * kept
        return moved * len(self.workload.batches) if moved > CACHED else 0


def tossed(variant: Variant, batch: Batch, coin: torch.Generator) -> Tensor | None:
    """Which tokens are fed from the reference, half-way through a schedule that has a way."""
    p = probability(
        variant.forcing, variant.forcing_steps // 2, variant.forcing_rate, variant.forcing_steps
    )
    rows, length = batch.inputs_BT.shape
    fed = toss(p, variant.coin, rows, length, coin)
    return None if fed is None else fed.to(batch.inputs_BT.device)


def prepare(
    name: str,
    variant: Variant,
    workload: Workload,
    work: str,
    device: str,
    data: Path | None = None,
    count: int = 0,
) -> Case:
    """A case, warmed up: its steps take as long as the ones before. data: the folder of corpora
    and word vectors. count: replicas trained together; 0 for one model by itself."""
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
    memory = machine.Peak(device)
    states = [start(model, variant, 0, device, Recipe()) for model in models]
    case = Case(name, variant, workload, work, states[0], counted)
    if count:
        case.flops = None if counted is None else counted * count
        case.replicas = Replicas(models, [variant] * count, facts, device, Recipe())
        case.stacked = [
            repeat(batch, tossed(variant, batch, states[0].forcing), count)
            for batch in workload.batches
        ]
    since, before = time.perf_counter(), 0.0
    for _ in range(20):
        (took, _) = _timed(case, device, 1)
        if before and abs(took - before) < SETTLED * before:
            break
        before = took
    case.warm_up_seconds = time.perf_counter() - since
    case.peak_bytes, case.reserved_bytes = memory.added(), memory.reserved()
    if device == "cuda":
        case.busy_seconds = _busy_on_cuda(case)
    case.passes = max(1, math.ceil(WINDOW / took))
    return case


def _pretrained(
    variant: Variant, workload: Workload, data: Path | None
) -> tuple[Pretrained | None, Pretrained | None]:
    """What the variant starts from; for made-up symbols, as good as any."""
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
    """Of a pass; batches of one shape are counted once. None for a model from outside that
    cannot be run without content."""
    try:
        return _counted(model, variant, workload, work)
    except (RuntimeError, NotImplementedError, TypeError, ValueError):
        return None


def _counted(model: Model, variant: Variant, workload: Workload, work: str) -> int:
    counts: dict[tuple[int, ...], int] = {}
    total = 0
    coin = torch_generator(0, "forcing")
    for batch in workload.batches:
        shape = (*batch.source_BS.shape, *batch.inputs_BT.shape, batch.tokens)
        if shape not in counts:
            counts[shape] = (
                flops.of_training(model, batch, workload.facts, tossed(variant, batch, coin))
                if work == "training"
                else flops.of_decoding(model, batch, workload.limit)
            )
        total += counts[shape]
    return total


def _timed(case: Case, device: str, passes: int) -> tuple[float, float | None]:
    """Seconds of a pass by the wall, and by the device's own clock where it has one."""
    if device == "cuda":
        return _timed_on_cuda(case, passes)
    since = time.perf_counter()
    for _ in range(passes):
        case.once()
    return (time.perf_counter() - since) / passes, None


def _timed_on_cuda(case: Case, passes: int) -> tuple[float, float]:
    """By the wall and by events on the device's stream; it is waited for at the window's edges
    alone."""
    first: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    last: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    torch.cuda.synchronize()
    since = time.perf_counter()
    first.record()
    for _ in range(passes):
        case.once()
    last.record()
    torch.cuda.synchronize()
    wall = time.perf_counter() - since
    return wall / passes, first.elapsed_time(last) / 1000.0 / passes


def _busy_on_cuda(case: Case) -> float:
    """Seconds of a pass in which kernels run, by torch's profiler; apart from timings, which it
    would slow down."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
        case.once()
        torch.cuda.synchronize()
    microseconds: float = sum(e.self_device_time_total for e in profiler.key_averages())
    return microseconds / 1e6


def measure(
    cases: Sequence[Case], device: str, repeats: int, report: Callable[[int], None]
) -> Limits:
    """Rounds of all cases in random order. report: called after each. Gives what the machine
    can do, the median over rounds of the same sitting."""
    probe, order = Probe(device), random.Random(0)
    products, copies = [], []
    probe.flops_per_second(), probe.bytes_per_second()
    for number in range(repeats):
        products.append(probe.flops_per_second())
        copies.append(probe.bytes_per_second())
        for case in order.sample(list(cases), len(cases)):
            with _Watching(case):
                took, events = _timed(case, device, case.passes)
            case.seconds.append(took)
            if events is not None:
                case.events.append(events)
        report(number + 1)
    clocks = machine.clocks() if device == "cuda" else None
    return Limits(statistics.median(products), statistics.median(copies), clocks)


class _Watching:
    """Counts a timing as disturbed if others used the machine meanwhile."""

    def __init__(self, case: Case) -> None:
        self.case = case

    def __enter__(self) -> None:
        self.since = time.perf_counter(), time.process_time(), _busy_seconds()

    def __exit__(self, *_: object) -> None:
        wall, own, busy = self.since
        wall, own = time.perf_counter() - wall, time.process_time() - own
        now = _busy_seconds()
        if busy is not None and now is not None:
            # the system counts in hundredths of a second
            others = max(now - busy - own - 0.02, 0.0) / wall
            self.case.disturbed += others > BUSY


def _busy_seconds() -> float | None:
    """Core seconds that the whole machine has worked; None where the system does not tell."""
    try:
        line = Path("/proc/stat").read_text().splitlines()[0].split()
    except OSError:
        return None
    user, nice, system, _, _, irq, softirq, steal = map(int, line[1:9])
    # what the host took away counts as others' work
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def rows(cases: Sequence[Case], limits: Limits, device: str) -> list[dict[str, Any]]:
    """One row a case, units in the keys; a step is one batch."""
    return [_row(case, limits, device) for case in cases]


def _row(case: Case, limits: Limits, device: str) -> dict[str, Any]:
    steps = len(case.workload.batches)
    seconds = statistics.median(case.seconds)
    share = None
    # the machine's limit was measured in float32
    if case.flops is not None and case.variant.precision == "fp32":
        share = limits.least_seconds(case.flops, case.bytes_moved()) / seconds
    return {
        "variant": case.name,
        "axes": asdict(case.variant),
        "work": case.work,
        "replicas": case.count,
        "workload": case.workload.name,
        "step_seconds": seconds / steps,
        "step_seconds_each": [value / steps for value in case.seconds],
        "device_seconds": statistics.median(case.events) / steps if case.events else None,
        "busy_seconds": None if case.busy_seconds is None else case.busy_seconds / steps,
        "tokens_per_second": case.tokens / seconds,
        "source_tokens_per_second": case.workload.source_tokens / seconds,
        "padding_share": case.workload.padding,
        "flops_per_step": None if case.flops is None else case.flops / steps,
        "flops_per_second": None if case.flops is None else case.flops / seconds,
        "bytes_per_step": case.bytes_moved() / steps,
        "machine_flops_per_second": limits.flops_per_second,
        "machine_bytes_per_second": limits.bytes_per_second,
        "machine_share": share,
        "peak_bytes": case.peak_bytes,
        "reserved_bytes": case.reserved_bytes,
        "warm_up_seconds": case.warm_up_seconds,
        "disturbed": case.disturbed,
        "repeats": len(case.seconds),
        "parameters": case.count * sum(p.numel() for p in case.state.model.parameters()),
        "machine": {**machine.describe(device), "clocks": limits.clocks},
    }
