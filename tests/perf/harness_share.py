"""What the suite itself costs: of a run's time, all that is not the model's work or its scoring."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from torch import Tensor

from bench.runner import cached_digest, cached_task, execute
from bench.specs import RunSpec
from bench.training.loop import Recipe, train_step


def measure(spec: RunSpec, data: Path) -> dict[str, Any]:
    """One run with its parts timed, units in the keys.

    step_seconds: forward, backward, clipping, optimizer. evaluation_seconds: all scoring, and the
    sample outputs. harness_seconds: the rest of the run (its model built, batches made, curves and
    records kept). data_seconds: the task built, once a process, before the run.
    """
    cached_task.cache_clear()
    cached_digest.cache_clear()
    since = time.perf_counter()
    cached_digest(spec.task, data)
    data_seconds = time.perf_counter() - since
    stepped = 0.0

    def step(*given: Any) -> tuple[Tensor, Tensor]:
        nonlocal stepped
        since = time.perf_counter()
        result = train_step(*given)
        stepped += time.perf_counter() - since
        return result

    record = execute(spec, data, lambda point, clock: None, recipe=Recipe(step=step))
    if record["outcome"]["status"] == "failed":
        raise RuntimeError(f"the run failed ({record['outcome']['error']}); nothing was measured")
    measured = record["measured"]
    evaluation = measured["evaluate_seconds"] + measured["test_seconds"]
    own = measured["run_seconds"] - stepped - evaluation
    return {
        "task": spec.task,
        "variant": dict(spec.variant),
        "run_seconds": measured["run_seconds"],
        "step_seconds": stepped,
        "evaluation_seconds": evaluation,
        "harness_seconds": own,
        "harness_share": own / measured["run_seconds"],
        "data_seconds": data_seconds,
    }


def start_seconds() -> float:
    """A worker from its start until it could train: Python, torch and the suite imported."""
    since = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import bench.runner"], check=True)
    return time.perf_counter() - since
