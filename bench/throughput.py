"""How fast variants train and decode, timed so that they can be compared.

Every case is warmed up; then rounds follow, each of which times every case once, in random order,
so that what the machine does meanwhile falls on all alike. In the same rounds a large matrix
product and a large copy tell what the machine can do.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from bench import flops, machine
from bench.batching import bucketed, collate
from bench.decoding import greedy
from bench.randomness import numpy_generator, torch_generator
from bench.roofline import Limits, Probe
from bench.training import Recipe, TrainState, start
from tasks import EOS, Facts, Ragged, Split, Task
from variants import Batch, Encoded, Model, Step, Variant
from variants import build as build_model
from variants.forcing import probability, toss

WINDOW = 0.2
"""Seconds that a timing lasts at the least: steps are repeated until then."""
BUSY = 0.1
"""Cores that others may use before a timing counts as disturbed."""
SETTLED = 0.1
"""A warm-up ends once a step differs by this share from the one before."""


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
    """What is trained on or decoded. limit: tokens that decoding gives."""

    name: str
    facts: Facts
    batches: list[Batch]
    limit: int
    longest: int

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
    chosen = bucketed(train, size, numpy_generator(0, "order", "0"))[:count]
    batches = [collate(train.take(indices), task.facts, device) for indices in chosen]
    longest = int(train.source.lengths.max())
    name = f"{label}, {len(batches)} batches of {size}"
    return Workload(name, task.facts, batches, task.facts.length_limit, longest)


class _Endless(Model):
    """A model whose outputs never end, so that each has as many tokens as the limit."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def encode(self, batch: Batch) -> Encoded:
        return self.model.encode(batch)

    def step(self, tokens_B: Tensor, state: Any, memory: Any) -> Step:
        step = self.model.step(tokens_B, state, memory)
        step.logits_BV[:, EOS] = float("-inf")
        return step


@dataclass
class Case:
    """One variant on one workload, in training or in decoding. seconds: of a pass over the
    workload's batches, one a round; events: the same by the device's own clock, on CUDA."""

    name: str
    variant: Variant
    workload: Workload
    work: str
    state: TrainState
    flops: int
    peak_bytes: int | None = None
    warm_up_seconds: float = 0.0
    passes: int = 1
    seconds: list[float] = field(default_factory=list)
    events: list[float] = field(default_factory=list)
    disturbed: int = 0

    def once(self) -> None:
        """A pass over the batches."""
        if self.work == "decoding":
            model = _Endless(self.state.model)
            for batch in self.workload.batches:
                greedy(model, batch, self.workload.limit)
            return
        recipe = Recipe()
        variant, facts = self.variant, self.workload.facts
        p = probability(variant.forcing, 0, variant.forcing_rate, variant.forcing_steps)
        for batch in self.workload.batches:
            rows, length = batch.inputs_BT.shape
            fed = toss(p, variant.coin, rows, length, self.state.forcing)
            fed = None if fed is None else fed.to(batch.inputs_BT.device)
            recipe.step(self.state, variant, facts, recipe.loss, batch, fed)

    @property
    def tokens(self) -> int:
        """Target tokens of a pass."""
        if self.work == "training":
            return self.workload.tokens
        return sum(len(batch.inputs_BT) for batch in self.workload.batches) * self.workload.limit

    def bytes_moved(self) -> int:
        """The least traffic of a pass: every weight read once each time that it is used and, in
        training, its gradient written, and what the optimizer keeps of it read and written."""
        weights = sum(p.numel() * p.element_size() for p in self.state.model.parameters())
        batches = len(self.workload.batches)
        if self.work == "decoding":
            return weights * self.workload.limit * batches
        kept = sum(
            value.numel() * value.element_size()
            for state in self.state.optimizer.state.values()
            for value in state.values()
            if isinstance(value, Tensor) and value.numel() > 1
        )
        # read forward, backward and by the optimizer; gradient written and read; weights written
        return (6 * weights + 2 * kept) * batches


def prepare(name: str, variant: Variant, workload: Workload, work: str, device: str) -> Case:
    """A case, warmed up: its steps take as long as the ones before."""
    memory = machine.Peak(device)
    facts = workload.facts
    model = build_model(
        variant,
        facts.source_size,
        facts.target_sizes,
        facts.tagging,
        lambda part: torch_generator(0, "init", part),
        longest=workload.longest,
    )
    counted = _flops(model, workload, work)
    state = start(model, variant, 0, device, Recipe())
    case = Case(name, variant, workload, work, state, counted)
    since, before = time.perf_counter(), 0.0
    for _ in range(20):
        (took, _) = _timed(case, device, 1)
        if before and abs(took - before) < SETTLED * before:
            break
        before = took
    case.warm_up_seconds = time.perf_counter() - since
    case.peak_bytes = memory.added()
    case.passes = max(1, round(WINDOW / took))
    return case


def _flops(model: Model, workload: Workload, work: str) -> int:
    """Of a pass; batches of one shape are counted once."""
    counts: dict[tuple[int, ...], int] = {}
    total = 0
    for batch in workload.batches:
        shape = (*batch.source_BS.shape, *batch.inputs_BT.shape, batch.tokens)
        if shape not in counts:
            counts[shape] = (
                flops.of_training(model, batch, workload.facts)
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
    """Both clocks, as loops of small steps leave a device waiting; it is waited for at the
    window's edges alone."""
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
    return Limits(statistics.median(products), statistics.median(copies))


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
    least = limits.least_seconds(case.flops, case.bytes_moved())
    return {
        "variant": case.name,
        "axes": asdict(case.variant),
        "work": case.work,
        "workload": case.workload.name,
        "step_seconds": seconds / steps,
        "step_seconds_each": [value / steps for value in case.seconds],
        "device_seconds": statistics.median(case.events) / steps if case.events else None,
        "tokens_per_second": case.tokens / seconds,
        "source_tokens_per_second": case.workload.source_tokens / seconds,
        "padding_share": case.workload.padding,
        "flops_per_step": case.flops / steps,
        "flops_per_second": case.flops / seconds,
        "bytes_per_step": case.bytes_moved() / steps,
        "machine_flops_per_second": limits.flops_per_second,
        "machine_bytes_per_second": limits.bytes_per_second,
        "machine_share": least / seconds,
        "peak_bytes": case.peak_bytes,
        "warm_up_seconds": case.warm_up_seconds,
        "disturbed": case.disturbed,
        "repeats": len(case.seconds),
        "parameters": sum(p.numel() for p in case.state.model.parameters()),
        "machine": machine.describe(device),
    }
