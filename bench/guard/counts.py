"""Counts the work of one pass exactly: the same in every run of one torch version, on any load."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from bench.speed.cases import Case
from variants.fast.matmul import onednn_from, use_onednn_from

Counts = dict[str, int | None]
T = TypeVar("T")


def count_work(case: Case) -> Counts:
    """Return the counts of one pass over the case's batches, after a pass that is not counted.

    Returns:
        operations: Operations that torch dispatches below autograd.
        flops: By the equations; see `bench.speed.flops`.
        bytes: All that torch allocated, in total.
        peak_bytes: The most that was allocated at once, beyond what was there before.
        parameters: Of the model.
        kernels: Launched on CUDA; None elsewhere.

    Products are torch's usual ones, even where oneDNN is faster: what oneDNN allocates depends on
    the processor.
    """
    chosen = onednn_from()
    use_onednn_from(None)
    try:
        return _count(case)
    finally:
        use_onednn_from(chosen)


def _count(case: Case) -> Counts:
    """Return the counts of one pass, by whichever library the process multiplies."""
    case.once()  # optimizers allocate their state at their first step
    allocated = _isolated(case, _allocated)
    return {
        "operations": _isolated(case, _operations),
        "flops": case.flops,
        "bytes": allocated.total,
        "peak_bytes": allocated.peak,
        "parameters": sum(p.numel() for p in case.state.model.parameters()),
        "kernels": _isolated(case, _kernels) if _on_cuda(case) else None,
    }


def _isolated(case: Case, count: Callable[[Case], T]) -> T:
    """Count a pass during which nothing of earlier passes can be freed."""
    case.state.optimizer.zero_grad()
    gc.collect()
    gc.disable()
    try:
        return count(case)
    finally:
        gc.enable()


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operations that torch dispatches."""

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
    """Bytes that a pass allocated: all together, and the most at once."""

    total: int
    peak: int


def _allocated(case: Case) -> _Allocated:
    return _allocated_on_cuda(case) if _on_cuda(case) else _allocated_on_cpu(case)


def _allocated_on_cuda(case: Case) -> _Allocated:
    before = torch.cuda.memory_stats()["allocated_bytes.all.allocated"]
    torch.cuda.reset_peak_memory_stats()
    held = torch.cuda.memory_allocated()
    case.once()
    total = torch.cuda.memory_stats()["allocated_bytes.all.allocated"] - before
    return _Allocated(total, torch.cuda.max_memory_allocated() - held)


def _allocated_on_cpu(case: Case) -> _Allocated:
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profiler:
        case.once()
    # the public profiler merges events; the peak needs them one by one, in the order of time
    events: Any = profiler.profiler
    memory = [event for event in events.kineto_results.events() if event.name() == "[memory]"]
    total = held = peak = 0
    for event in sorted(memory, key=lambda event: event.start_ns()):
        held += event.nbytes()  # negative where memory is freed
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
