"""Measures memory, and describes the machine that a run is measured on."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import torch

from variants.fast.matmul import onednn_from

STATUS = Path("/proc/self/status")
"""The file in which Linux says how much memory this process holds."""


class Peak:
    """Measures the most memory that was held since this was made, over what was held then.

    On CUDA what torch allocated there; on the CPU the resident size of the process, so that what
    a worker already held (torch itself, cached tasks) does not count as a run's own. Neither does
    the code of libraries, which Linux reads from its file as it is first used: some 20 MiB that
    whichever run comes first would be charged with.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        else:
            # glibc keeps freed memory for later, which would hide a run behind the one before
            with contextlib.suppress(OSError, AttributeError):
                ctypes.CDLL(None).malloc_trim(0)
            # Linux: 5 resets the high-water mark of this process
            with contextlib.suppress(OSError):
                Path("/proc/self/clear_refs").write_text("5")
        self.before = _held(device, "VmRSS")
        self.of_files = _held("cpu", "RssFile")

    def added(self) -> int | None:
        """Return the bytes; None where the system does not say."""
        peak = _held(self.device, "VmHWM")
        if peak is None or self.before is None:
            return None
        return max(peak - self.before - self._read_from_files(), 0)

    def _read_from_files(self) -> int:
        """Return the bytes of the files' pages that came into memory since this was made."""
        now = None if self.device == "cuda" else _held("cpu", "RssFile")
        return 0 if now is None or self.of_files is None else max(now - self.of_files, 0)

    def reserved(self) -> int | None:
        """Return the most bytes that torch's allocator took from CUDA; None on the CPU."""
        return int(torch.cuda.max_memory_reserved()) if self.device == "cuda" else None


def keep_memory() -> None:
    """Let this process keep freed memory for later, up to 1 GiB at once.

    By default glibc gives large tensors back to the system as they are freed, which then fills
    their pages with zeros at every step anew: some 5 % of a large step's time.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        trim_threshold, mmap_threshold = -1, -3  # malloc.h: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
        if library.mallopt(mmap_threshold, 2**30):
            library.mallopt(trim_threshold, 2**30)


def resident() -> int | None:
    """Return the bytes that this process holds; None where the system does not say."""
    return _held("cpu", "VmRSS")


def _held(device: str, line: str) -> int | None:
    if device == "cuda":
        held = torch.cuda.max_memory_allocated if line == "VmHWM" else torch.cuda.memory_allocated
        return int(held())
    with contextlib.suppress(OSError, StopIteration):
        found = next(text for text in STATUS.read_text().splitlines() if text.startswith(line))
        return int(found.split()[1]) * 1024
    return None


@cache
def processor() -> str:
    """Return the name of the processor."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    return platform.processor() or platform.machine()


def clocks() -> str | None:
    """Return the clocks of NVIDIA devices now and at most, as nvidia-smi prints them."""
    asked = "clocks.sm,clocks.mem,clocks.max.sm,clocks.max.mem"
    command = ["nvidia-smi", f"--query-gpu={asked}", "--format=csv"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
        return found.stdout.strip()
    return None


def describe(device: str) -> dict[str, Any]:
    """Return what a record says of the machine."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "torch": torch.__version__,
        # multiplications from which on products go to oneDNN; see bench.training.products
        "onednn_from": onednn_from(),
        "python": platform.python_version(),
    }
