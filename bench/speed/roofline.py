"""Measures the most that this machine can do: its arithmetic and its memory traffic.

Timings are compared with these rates.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import torch

from variants.fast.matmul import product

MATRIX_SIZE = {"cpu": 1536, "cuda": 8192}
"""Rows and columns of the matrices that are multiplied."""
COPIED_BYTES = {"cpu": 2**28, "cuda": 2**31}
"""Bytes that are copied: far more than any cache holds."""


class MachineRates(NamedTuple):
    """The rates of a machine at its best.

    flops_per_second: of a large matrix product. bytes_per_second: read and written by a large
    copy. clocks: of a CUDA device, as its own tool gives them after the measurement.
    """

    flops_per_second: float
    bytes_per_second: float
    clocks: str | None = None

    def least_seconds(self, flops: float, bytes_moved: float) -> float:
        """Return the seconds that so much work takes if nothing else is in the way."""
        return max(flops / self.flops_per_second, bytes_moved / self.bytes_per_second)


class Probe:
    """Measures each rate in float32, once for each call, so that calls can alternate with other
    work."""

    def __init__(self, device: str) -> None:
        size, count = MATRIX_SIZE[device], COPIED_BYTES[device] // 8
        self.device = device
        self.left, self.right, self.product = (
            torch.rand(size, size, device=device) for _ in range(3)
        )
        self.source, self.copied = (torch.ones(count, device=device) for _ in range(2))

    def flops_per_second(self) -> float:
        """Return the rate of one product, by the faster of the ways that torch has."""
        seconds = min(
            self._timed(lambda: torch.mm(self.left, self.right, out=self.product)),
            self._timed(lambda: product(self.left, self.right)),
        )
        return float(2 * len(self.left) ** 3 / seconds)

    def bytes_per_second(self) -> float:
        """Return the rate of one copy."""
        seconds = self._timed(lambda: self.copied.copy_(self.source))
        return 2 * self.source.nbytes / seconds

    def _timed(self, work: Callable[[], object]) -> float:
        self._wait()
        since = time.perf_counter()
        work()
        self._wait()
        return time.perf_counter() - since

    def _wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()
