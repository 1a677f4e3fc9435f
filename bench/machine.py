"""What a run is measured on."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
from functools import cache
from pathlib import Path
from typing import Any

import torch

STATUS = Path("/proc/self/status")


def reset_peak(device: str) -> None:
    """Start counting peak memory anew, where the system lets us."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    # Linux: 5 resets the high-water mark of this process
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_bytes(device: str) -> int:
    """Most memory held since `reset_peak`: on CUDA what torch allocated there, on the CPU the
    whole process with torch's libraries in it."""
    if device == "cuda":
        return int(torch.cuda.max_memory_allocated())
    with contextlib.suppress(OSError, StopIteration):
        lines = STATUS.read_text().splitlines()
        line = next(line for line in lines if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@cache
def processor() -> str:
    """The processor's name."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    return platform.processor() or platform.machine()


def describe(device: str) -> dict[str, Any]:
    """The machine, for the record."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
