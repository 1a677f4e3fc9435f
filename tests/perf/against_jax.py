"""How fast a training step is beside the same model in JAX, from the same weights.

python3 -m venv .venv-jax && .venv-jax/bin/pip install jax==0.10.2
.venv/bin/python -m tests.perf.against_jax [--rows small,large] [--batch 64] [--rounds 9]

The model is that of tests.perf.against_joeynmt. Sides take turns, one thread each: ours by itself
and as 8 replicas; JAX's `lax.scan`, that loop unrolled, and its vmap over 8 models. The script
stops if first losses differ. Times are per model and step; compiling stands apart.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.training.batching import collate
from bench.training.process import prepare_process
from bench.training.replicas.stacked import Replicas, repeat
from bench.training.state import Recipe
from results.stats.median import median_interval
from tests.perf.against_joeynmt import ROWS, Ours, Row, data_of
from tests.perf.peer_process import PeerProcess

PYTHON = os.environ.get("JAX_PYTHON", ".venv-jax/bin/python")
REPLICAS = 8
FORMS = {"small": ("scan", "unrolled", "vmap"), "large": ("scan",)}
"""Forms that a row is timed in; the large step takes minutes to compile when unrolled."""
CLOSE = 1e-4
"""Largest difference of first losses."""
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def jax_process(ours: Ours, folder: Path) -> PeerProcess:
    """Return JAX's side, with our weights and batch; `train FORM N` takes N steps in a form."""
    batch = collate(ours.split, ours.facts, "cpu")
    given = {name: value.detach().numpy() for name, value in ours.model.named_parameters()}
    given |= {
        "source": batch.source_BS.numpy(),
        "inputs": batch.inputs_BT.numpy(),
        "targets": batch.targets[0].numpy(),
    }
    np.savez(folder / "given.npz", **given)  # type: ignore[arg-type]
    case = {"learning_rate": ours.variant.learning_rate, "replicas": REPLICAS}
    (folder / "case.json").write_text(json.dumps(case))
    worker = str(Path(__file__).with_name("jax_worker.py"))
    return PeerProcess("JAX", [PYTHON, worker, str(folder)], {"XLA_FLAGS": ONE_THREAD})


def replicas_of(ours: Ours) -> Callable[[], float]:
    """Return what takes a step of 8 replicas of our model; it returns its seconds per model."""
    models = [Ours(ours.row, ours.split, ours.facts, "cpu").model for _ in range(REPLICAS)]
    variants = [ours.variant] * REPLICAS
    stack = Replicas(models, variants, ours.facts, "cpu", Recipe())
    batch = repeat(collate(ours.split, ours.facts, "cpu"), None, REPLICAS)

    def step() -> float:
        since = time.perf_counter()
        stack.step(batch, 0)
        return (time.perf_counter() - since) / REPLICAS

    return step


def compare(name: str, row: Row, rounds: int) -> dict[str, Any]:
    """Time one row; return, by side, its seconds per model and step in each round."""
    split, facts = data_of(row)
    ours = Ours(row, split, facts, "cpu")
    stacked = replicas_of(ours) if "vmap" in FORMS[name] else None
    sides: dict[str, list[float]] = {}
    compiling = {}
    with tempfile.TemporaryDirectory() as folder:
        peer = jax_process(ours, Path(folder))
        loss = ours.work()["loss"]
        for form in FORMS[name]:
            first = peer.ask(f"train {form} 1")
            if abs(first["loss"] - loss) > CLOSE:
                raise SystemExit(f"{form}: not the same work: {loss} and {first['loss']}")
            compiling[form] = first["compiling"]
        for number in range(rounds + 1):
            took = {"ours": ours.work()["seconds"] / row.turn}
            if stacked is not None:
                steps = max(row.turn // REPLICAS, 1)
                took[f"ours, {REPLICAS} replicas"] = float(
                    np.median([stacked() for _ in range(steps)])
                )
            for form in FORMS[name]:
                models = REPLICAS if form == "vmap" else 1
                steps = max(row.turn // models, 1)
                took[f"JAX, {form}"] = peer.ask(f"train {form} {steps}")["seconds"] / steps / models
            if number:  # the first round warms up
                for side, seconds in took.items():
                    sides.setdefault(side, []).append(seconds)
        peer.end()
    return {"work": row.title, "sides": sides, "compiling": compiling}


def table(found: Sequence[dict[str, Any]]) -> Table:
    """Return medians, and how many times as fast as ours by itself each side is."""
    shown = Table("work", "side", "ms per model", "times as fast as ours alone", "compiling s")
    for row in found:
        alone = row["sides"]["ours"]
        for side, seconds in row["sides"].items():
            ratio = median_interval([a / b for a, b in zip(alone, seconds, strict=True)])
            compiled = row["compiling"].get(side.removeprefix("JAX, "))
            shown.add_row(
                row["work"],
                side,
                f"{sorted(seconds)[len(seconds) // 2] * 1e3:.2f}",
                f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})",
                "" if compiled is None else f"{compiled:.1f}",
            )
    return shown


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", default="small,large")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    prepare_process(1)
    found = []
    for name in given.rows.split(","):
        row = ROWS[name]
        assert row.shape is not None
        row = row._replace(
            shape=(given.batch, *row.shape[1:]), title=f"{row.title}, batch {given.batch}"
        )
        found.append(compare(name, row, given.rounds))
    Console(highlight=False).print(table(found))


if __name__ == "__main__":
    main()
