"""How many steps to a task's target do batches of one length take, and random batches?

.venv/bin/python -m tests.perf.batch_order [TASK] [VARIANT] [--seeds 4] [--steps 1500]

Training makes batches of like lengths (`bench.training.batching`), which saves padding. This script
trains each seed so, and with the same examples in random order, and evaluates every 50 steps.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from bench.runner import execute
from bench.specs import Budget, RunSpec, make
from bench.training import batching
from bench.training.process import cached_digest, prepare_process
from tasks import Indices
from variants.axes import parse

EVERY = 50
"""Steps between two evaluations."""


def random_batches(
    sources: Indices, targets: Indices, size: int, random: np.random.Generator
) -> list[Indices]:
    """Return one epoch in random order, whatever the lengths."""
    drawn = random.permutation(len(sources))
    return [drawn[start : start + size] for start in range(0, len(drawn), size)]


ORDERS: dict[str, Callable[..., list[Indices]]] = {
    "like lengths": batching.length_batches,
    "random": random_batches,
}


def train(spec: RunSpec, order: str, data: Path) -> dict[str, Any]:
    """Train one run with batches of an order; return its steps to the target and its seconds."""
    with patch.object(batching, "length_batches", ORDERS[order]):
        record = execute(spec, data, lambda point, clock: None)
    reached = record["outcome"]["to_target"]
    return {
        "steps": None if reached is None else reached["steps"],
        "seconds": record["measured"]["train_seconds"],
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("task", nargs="?", default="reversal")
    parser.add_argument("variant", nargs="?", default="cell=lstm,attention=general")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=1500)
    given = parser.parse_args()
    prepare_process(1)
    data = Path(".bench/data")
    digest, variant = cached_digest(given.task, data), asdict(parse(given.variant))
    budget = Budget(steps=given.steps, batch=32, every=EVERY, stop="solved")
    shown = Table("seed", "batches", "steps to the target", "training s", box=box.SIMPLE)
    for seed in range(given.seeds):
        for order in ORDERS:
            spec = make(given.task, digest, variant, budget, seed, "cpu")
            found = train(spec, order, data)
            steps = "not reached" if found["steps"] is None else f"{found['steps']:,}"
            shown.add_row(str(seed), order, steps, f"{found['seconds']:.1f}")
    Console(highlight=False).print(shown)


if __name__ == "__main__":
    main()
