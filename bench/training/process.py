"""Sets up a process that trains, and keeps the tasks that it built."""

from __future__ import annotations

import gc
import importlib
from functools import cache, lru_cache
from pathlib import Path

import torch

from bench import collection
from bench.training import machine
from bench.training.products import choose_library
from bench.training.surroundings import put_back_after
from results.escapes import error_text
from tasks import Task
from tasks import build as build_task
from variants import precision


class RunError(Exception):
    """A run cannot be done at all, through no fault of its own; nothing is recorded."""


@lru_cache(maxsize=16)
def cached_task(label: str, data: Path | None) -> Task:
    """Return a task, built once a process, as a worker trains on the same one many times.

    label: canonical. data: folder of corpora. ValueError for a task that cannot be built.
    """
    try:
        with put_back_after():
            return build_task(label, data)
    except (ValueError, OSError, KeyboardInterrupt):
        raise
    except BaseException as error:  # a plugin's task may raise anything, or exit
        raise ValueError(
            f"the task {label} cannot be built ({error_text(error)}); mend it"
        ) from error


@lru_cache(maxsize=16)
def cached_digest(label: str, data: Path | None) -> str:
    """Return the digest of a task's data, computed once a process."""
    return cached_task(label, data).digest()


def prepare_process(threads: int) -> None:
    """Set torch up for training, which every process that trains or times does first."""
    torch.set_num_threads(threads)
    machine.keep_memory()
    choose_library()
    torch.use_deterministic_algorithms(True, warn_only=True)
    # it would fill every new tensor, which is time spent and operations counted for nothing
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    # single precision means single precision: torch's own LSTM would otherwise use less on CUDA
    precision.allow("fp32")
    # the first optimizer would load it, amid the first run
    importlib.import_module("torch._dynamo")
    collection.search_as_usual()


@cache
def freeze_imports() -> None:
    """Take all that exists now out of garbage collection, once a process, after its first run.

    What is imported by then stays until the end, and need not be searched at every collection.
    """
    gc.collect()
    gc.freeze()
