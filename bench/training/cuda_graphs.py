"""Work on tensors that is recorded once for each shape, and then done again by one call.

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
    graph: Any
    given: list[Tensor]
    results: tuple[Tensor, ...]


class Recorded:
    """A function of tensors on the CPU, done on a device.

    It must wait for nothing, read nothing else that changes but by its storage, draw nothing, and
    do the same if done twice: tests/bench/training/test_replicas.py looks at what ours call.
    """

    def __init__(self, work: Work, device: str) -> None:
        self._work = work
        self._device = device
        self._recordings: dict[tuple[torch.Size, ...], _Recording] = {}
        # what recordings need in between, they share: they never run at once
        self._pool = torch.cuda.graph_pool_handle() if device == "cuda" else None

    def __call__(self, given: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Results on the device."""
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
        here = torch.cuda.current_stream()
        aside: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            for _ in range(WARM_UPS):
                self._work(*given)
        here.wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            results = self._work(*given)
        return _Recording(graph, given, results)
