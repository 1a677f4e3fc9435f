"""Measures what the suite itself costs: the share of a run that is neither the model's work, nor
its scoring, nor its examination by the doctor.

    python -m tests.perf.harness_share [--json] [--store DIR]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from torch import Tensor

from bench.plan.matrix import plan
from bench.plan.matrix_file import read_matrix
from bench.runner import execute
from bench.specs import RunSpec
from bench.training.process import cached_digest, cached_task, freeze_imports, prepare_process
from bench.training.state import Recipe, train_step
from results.export.files import as_json
from results.show.terminal import print_table
from results.tables.text import TextTable


def measure(spec: RunSpec, data: Path) -> dict[str, Any]:
    """Do one run and return the seconds of its parts, with units in the keys.

    step_seconds: forward, backward, clipping, optimizer. evaluation_seconds: all scoring, and the
    sample outputs. examination_seconds: the doctor's, of a run that is examined (seed 0 always is;
    over all seeds see tests.perf.examination_share). harness_seconds: the rest of the run (building
    the model, making batches, keeping curves and records). data_seconds: building the task, once
    per process, before the run.

    Raises:
        RuntimeError: The run failed.
    """
    cached_task.cache_clear()
    cached_digest.cache_clear()
    since = time.perf_counter()
    cached_digest(spec.task, data)
    data_seconds = time.perf_counter() - since
    steps: list[float] = []

    def step(*given: Any) -> tuple[Tensor, Tensor]:
        since = time.perf_counter()
        result = train_step(*given)
        steps.append(time.perf_counter() - since)
        return result

    record = execute(spec, data, lambda point, clock: None, recipe=Recipe(step=step))
    if record["outcome"]["status"] == "failed":
        raise RuntimeError(f"the run failed ({record['outcome']['error']}); nothing was measured")
    measured = record["measured"]
    # the steps after those are the doctor's, which its own seconds have already
    stepped = sum(steps[: record["outcome"]["curve"][-1]["step"]])
    evaluation = measured["evaluate_seconds"] + measured["test_seconds"]
    examination = measured["examine_seconds"]
    own = measured["run_seconds"] - stepped - evaluation - examination
    return {
        "task": spec.task,
        "variant": dict(spec.variant),
        "run_seconds": measured["run_seconds"],
        "step_seconds": stepped,
        "evaluation_seconds": evaluation,
        "examination_seconds": examination,
        "harness_seconds": own,
        "harness_share": own / measured["run_seconds"],
        "data_seconds": data_seconds,
    }


def start_seconds() -> float:
    """Return the seconds that a worker takes to start: importing Python, torch and the suite."""
    since = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import bench.runner"], check=True)
    return time.perf_counter() - since


def measure_quick(data: Path) -> list[dict[str, Any]]:
    """Measure one run of each task of the matrix `quick`, and return a row for each."""
    prepare_process(1)
    quick = read_matrix("quick")
    labels = sorted({label for block in quick.blocks for label in block.tasks})
    planned = plan(quick, {label: cached_task(label, data) for label in labels}, "cpu")
    first = {spec.task: spec for spec in reversed(planned.specs)}
    # the first run of a process is slower than any other
    measure(first["opposites"], data)
    freeze_imports()
    rows = [measure(first[label], data) for label in labels]
    started = start_seconds()
    return [{**row, "start_seconds": started} for row in rows]


def show(rows: Sequence[dict[str, Any]], console: Console) -> None:
    """Print a table with a row per run."""
    texts = [
        {
            "variant": row["task"],
            "run s": f"{row['run_seconds']:.2f}",
            "steps": f"{row['step_seconds'] / row['run_seconds']:.1%}",
            "evaluation": f"{row['evaluation_seconds'] / row['run_seconds']:.1%}",
            "examination": f"{row['examination_seconds'] / row['run_seconds']:.1%}",
            "harness": f"{row['harness_share']:.1%}",
            "data s": f"{row['data_seconds']:.2f}",
        }
        for row in rows
    ]
    notes = [
        "steps: forward, backward, clipping, optimizer. harness: the rest",
        "examination: by the doctor, of seed 0; of short runs most seeds have none",
        f"once per process, outside the runs: its start, {rows[0]['start_seconds']:.1f} s, "
        "and each task's data",
    ]
    print_table(TextTable("one run of each task of quick", texts, notes), console)


def main(arguments: Sequence[str]) -> int:
    """Measure the harness from the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.perf.harness_share")
    parser.add_argument("--json", action="store_true", help="print rows as JSON")
    parser.add_argument("--store", type=Path, default=Path(".bench"), help="folder of the store")
    options = parser.parse_args(arguments)
    rows = measure_quick(options.store / "data")
    if options.json:
        print(as_json(rows))
    else:
        show(rows, Console(highlight=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
