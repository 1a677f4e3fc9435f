"""Records work on tensors once for each shape, and repeats it by one call.

On CUDA a recurrent step is thousands of small kernels, and starting them takes longer than they
run. A CUDA graph starts them all at once. On the CPU there is nothing to record: the work is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

WARM_UPS = 3
"""Passes before a recording, as torch's documentation of CUDA graphs has them."""

Work = Callable[..., tuple[Tensor, ...]]


class _Recording(NamedTuple):
    """A CUDA graph, the tensors that it reads, and those that it writes."""

    graph: Any
    given: list[Tensor]
    results: tuple[Tensor, ...]


class Recorded:
    """A function of tensors on the CPU that is done on a device, on CUDA by a recorded graph.

    The function must not wait for the device, and must draw nothing at random. Other tensors that
    it reads may change only in place. It must do the same if done twice, as it is for a recording.
    tests/bench/training/test_replicas.py checks this for replicas.
    """

    def __init__(self, work: Work, device: str) -> None:
        self._work = work
        self._device = device
        self._recordings: dict[tuple[torch.Size, ...], _Recording] = {}
        # recordings share the memory of what they compute in between: they never run at once
        self._pool = torch.cuda.graph_pool_handle() if device == "cuda" else None

    def __call__(self, given: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the function's results, on the device."""
        if self._device != "cuda":
            return self._work(*given)
        shapes = tuple(tensor.shape for tensor in given)
        if shapes not in self._recordings:
            self._recordings[shapes] = self._record([tensor.cuda() for tensor in given])
        recording = self._recordings[shapes]
        for place, tensor in zip(recording.given, given, strict=True):
            # from pinned memory, or each copy would wait for all that the device has yet to do
            place.copy_(tensor.pin_memory(), non_blocking=True)
        recording.graph.replay()
        # the next replay writes where this one did
        return tuple(result.clone() for result in recording.results)

    def _record(self, given: list[Tensor]) -> _Recording:
        """Record the function on tensors on the device, after the warm-up that torch asks for."""
        current = torch.cuda.current_stream()
        other: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        other.wait_stream(current)
        with torch.cuda.stream(other):
            for _ in range(WARM_UPS):
                self._work(*given)
        current.wait_stream(other)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            results = self._work(*given)
        return _Recording(graph, given, results)
