"""Times how fast variants train and decode, so that they can be compared.

Every case is warmed up; then rounds follow, each of which times every case once, in random order,
so that what the machine does meanwhile falls on all alike. In the same rounds a large matrix
product and a large copy are timed, which say what the machine can do.
"""

from __future__ import annotations

import math
import os
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from bench.speed.cases import Case, Workload, build_case
from bench.speed.roofline import MachineRates, Probe
from bench.training import machine
from variants import Variant

SHORTEST_TIMING = 0.2
"""Seconds that a timing lasts at least: passes are repeated until then."""
DISTURBED_ABOVE = 0.1
"""Cores that others may use before a timing counts as disturbed."""
STEADY_WITHIN = 0.1
"""A warm-up ends once a pass differs by less than this share from the one before."""
LONGEST_WARM_UP = 20
"""Number of passes after which a warm-up ends in any case."""


def prepare(
    name: str,
    variant: Variant,
    workload: Workload,
    work: str,
    device: str,
    data: Path | None = None,
    count: int = 0,
) -> Case:
    """Return a case that is warmed up: its passes take as long as the ones before.

    data: folder of corpora and word vectors. count: replicas that are trained together; 0 for one
    model by itself.
    """
    case = build_case(name, variant, workload, work, device, data, count)
    since, before = time.perf_counter(), 0.0
    for _ in range(LONGEST_WARM_UP):
        (took, _) = _timed(case, device, 1)
        if before and abs(took - before) < STEADY_WITHIN * before:
            break
        before = took
    case.warm_up_seconds = time.perf_counter() - since
    case.peak_bytes, case.reserved_bytes = case.memory.added(), case.memory.reserved()
    if device == "cuda":
        case.busy_seconds = _busy_on_cuda(case)
    case.passes = max(1, math.ceil(SHORTEST_TIMING / took))
    return case


def _timed(case: Case, device: str, passes: int) -> tuple[float, float | None]:
    """Return the seconds of a pass by the wall, and by the device's own clock where it has one."""
    if device == "cuda":
        return _timed_on_cuda(case, passes)
    since = time.perf_counter()
    for _ in range(passes):
        case.once()
    return (time.perf_counter() - since) / passes, None


def _timed_on_cuda(case: Case, passes: int) -> tuple[float, float]:
    """Return the seconds of a pass by the wall and by events on the device's stream.

    The device is waited for before the first pass and after the last, and not in between.
    """
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
    """Return the seconds of a pass in which kernels run, by torch's profiler.

    This pass is none of those that are timed, as the profiler slows it down.
    """
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
        case.once()
        torch.cuda.synchronize()
    microseconds: float = sum(e.self_device_time_total for e in profiler.key_averages())
    return microseconds / 1e6


def measure(
    cases: Sequence[Case], device: str, repeats: int, report: Callable[[int], None]
) -> MachineRates:
    """Time all cases in rounds and return what the machine can do, the median over the rounds.

    repeats: number of rounds. report: called with the number of rounds done, after each.
    """
    probe, order = Probe(device), random.Random(0)
    products, copies = [], []
    probe.flops_per_second(), probe.bytes_per_second()  # the first of each is slower
    for number in range(repeats):
        products.append(probe.flops_per_second())
        copies.append(probe.bytes_per_second())
        for case in order.sample(list(cases), len(cases)):
            with _DisturbanceWatch(case):
                took, events = _timed(case, device, case.passes)
            case.seconds.append(took)
            if events is not None:
                case.events.append(events)
        report(number + 1)
    clocks = machine.clocks() if device == "cuda" else None
    return MachineRates(statistics.median(products), statistics.median(copies), clocks)


class _DisturbanceWatch:
    """Counts a timing as disturbed if other processes used the machine meanwhile."""

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
            self.case.disturbed += others > DISTURBED_ABOVE


def _busy_seconds() -> float | None:
    """Return the core seconds that the machine has worked; None if the system does not say."""
    try:
        line = Path("/proc/stat").read_text().splitlines()[0].split()
    except OSError:
        return None
    user, nice, system, _, _, irq, softirq, steal = map(int, line[1:9])
    # what the host took away counts as others' work
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def rows(cases: Sequence[Case], rates: MachineRates, device: str) -> list[dict[str, Any]]:
    """Return one row for each case, with units in the keys; a step is one batch."""
    return [_row(case, rates, device) for case in cases]


def _row(case: Case, rates: MachineRates, device: str) -> dict[str, Any]:
    steps = len(case.workload.batches)
    seconds = statistics.median(case.seconds)
    share = None
    # the machine's rates were measured in float32
    if case.flops is not None and case.variant.precision == "fp32":
        share = rates.least_seconds(case.flops, case.bytes_moved()) / seconds
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
        "machine_flops_per_second": rates.flops_per_second,
        "machine_bytes_per_second": rates.bytes_per_second,
        "machine_share": share,
        "peak_bytes": case.peak_bytes,
        "reserved_bytes": case.reserved_bytes,
        "warm_up_seconds": case.warm_up_seconds,
        "disturbed": case.disturbed,
        "repeats": len(case.seconds),
        "parameters": case.count * sum(p.numel() for p in case.state.model.parameters()),
        "machine": {**machine.describe(device), "clocks": rates.clocks},
    }
