"""What a pass does, counted: the same at every run of one version of torch, however busy the
machine is."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from bench.speed.timing import Case

Counts = dict[str, int | None]


def of(case: Case) -> Counts:
    """One pass over the case's batches, what came before it done.

    operations: those that torch dispatches below autograd. flops: by the equations, see
    bench.flops. bytes: all that torch allocated, in total. peak_bytes: the most of it at once.
    parameters: of the model. kernels: launched on CUDA, None elsewhere.
    """
    case.once()  # optimizers make what they keep at their first step
    allocated = _clean(case, _allocated)
    return {
        "operations": _clean(case, _operations),
        "flops": case.flops,
        "bytes": allocated.total,
        "peak_bytes": allocated.peak,
        "parameters": sum(p.numel() for p in case.state.model.parameters()),
        "kernels": _clean(case, _kernels) if torch.cuda.is_available() and _on_cuda(case) else None,
    }


def _clean(case: Case, count: Any) -> Any:
    """Counted with nothing of earlier passes left that could be freed meanwhile."""
    case.state.optimizer.zero_grad()
    gc.collect()
    gc.disable()
    try:
        return count(case)
    finally:
        gc.enable()


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(
        self, func: Any, types: Sequence[Any], args: Any = (), kwargs: Any = None
    ) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def _operations(case: Case) -> int:
    with _Counting() as counting:
        case.once()
    return int(counting.count)


class _Allocated(NamedTuple):
    total: int
    peak: int


def _allocated(case: Case) -> _Allocated:
    if _on_cuda(case):
        before = torch.cuda.memory_stats()["allocated_bytes.all.allocated"]
        torch.cuda.reset_peak_memory_stats()
        held = torch.cuda.memory_allocated()
        case.once()
        total = torch.cuda.memory_stats()["allocated_bytes.all.allocated"] - before
        return _Allocated(total, torch.cuda.max_memory_allocated() - held)
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profiler:
        case.once()
    events: Any = profiler.profiler
    memory = [event for event in events.kineto_results.events() if event.name() == "[memory]"]
    total = held = peak = 0
    for event in sorted(memory, key=lambda event: event.start_ns()):
        held += event.nbytes()
        total += max(event.nbytes(), 0)
        peak = max(peak, held)
    return _Allocated(total, peak)


def _kernels(case: Case) -> int:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
        case.once()
        torch.cuda.synchronize()
    return sum(event.count for event in profiler.key_averages())


def _on_cuda(case: Case) -> bool:
    return next(case.state.model.parameters()).is_cuda
