"""How long a whole job takes beside the same job in JAX: reversal up to 0.99 exact match.

python3 -m venv .venv-jax && .venv-jax/bin/pip install jax==0.10.2
.venv/bin/python -m tests.perf.whole_job [--seeds 10] [--rounds 3] [--cores 2]

Both sides train one model (an LSTM of hidden size 64 with general attention) from first weights of
one distribution, with the same batch size, optimizer, rate, clipping and feeding, until greedy
decoding is right in 0.99 of the validation words, asked every 100 steps. Each side has so many
cores, one thread on each, and sides take turns. Everything counts: starting Python, loading,
compiling, training, evaluation; of ours also drawing the words, testing, and records. Only JAX is
given the words as padded arrays, made before its clock starts.

The sides draw and batch differently: ours makes batches of like lengths, or with `--batching
random` random ones; JAX's are random and padded to the longest word. So they need unlike numbers of
steps, and the last column leaves that out. The script stops if the sides' losses differ in four
updates of the same weights on the same words.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from rich import box
from rich.console import Console
from rich.table import Table

from bench.training.batching import collate
from bench.training.losses import training_loss
from bench.training.process import cached_task
from bench.training.state import Recipe, start, train_step
from bench.training.weights import first_model
from results.stats.median import median_interval
from results.store.access import reading
from tasks import Task
from tests.perf.against_jax import CLOSE, ONE_THREAD, PYTHON
from tests.perf.peer_process import PeerProcess
from variants.axes import parse

TASK, VARIANT = "reversal", "cell=lstm,attention=general"
STEPS, EVERY, BATCH = 3000, 100, 32
"""Longest training of a seed; steps between two evaluations; words of a step."""
CHECKED, UPDATES, ENLARGED = 64, 4, 6.0
"""Words and updates that both sides' losses are compared on, and how many times as large as first
weights the weights are then: by first weights all is guessed evenly, whatever is read or masked."""
RANDOM, STACKED = ("--batching", "random"), ("--execution", "replicas")
OPTIONS = {
    "ours": (),
    "ours, replicas": STACKED,
    "ours, random batches": RANDOM,
    "ours, both": (*RANDOM, *STACKED),
}
"""Options of `bench run` by the sides that they make."""
CELL = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
NAMES = {
    **{f"encoder.{name}": f"encoder.stack.cells.0.layer.{name}_l0" for name in CELL},
    **{f"decoder.{name}": f"decoder.stack.cells.0.layer.{name}_l0" for name in CELL},
    "sources": "embedding.table",
    "targets": "decoder.embedding.table",
    "keys": "decoder.attention.from_memory.weight",
    "merge": "decoder.merge.weight",
    "merge_bias": "decoder.merge.bias",
    "output": "decoder.output.weight",
    "output_bias": "decoder.output.bias",
}
"""Our names of the parameters by those of whole_job_jax.py."""


class Turn(NamedTuple):
    """Holds what one side did in one round.

    seconds: from its start to its end. steps: that each seed took to the target, infinity for those
    that did not reach it.
    """

    seconds: float
    steps: Sequence[float]

    @property
    def per_thousand(self) -> float:
        """Return the seconds of the whole for each 1,000 steps of all seeds."""
        return self.seconds / sum(min(steps, STEPS) for steps in self.steps) * 1000


def arrays(task: Task) -> dict[str, npt.NDArray[np.int32]]:
    """Return the words of training and validation as padded ids (N, S) and (N, T)."""
    found = {}
    for name in ("train", "valid"):
        batch = collate(task.splits[name], task.facts, "cpu")
        found[f"{name}_source"] = batch.source_BS.numpy().astype(np.int32)
        found[f"{name}_target"] = batch.targets[0].numpy().astype(np.int32)
    return found


def hand_over(folder: Path) -> list[float]:
    """Write JAX's job, data and weights to compare with; return our losses in updates of these."""
    task, variant = cached_task(TASK, None), parse(VARIANT)
    job = {
        "symbols": task.facts.source_size,
        "embedding": variant.embedding,
        "hidden": variant.hidden,
        "learning_rate": variant.learning_rate,
        "batch": BATCH,
        "steps": STEPS,
        "every": EVERY,
        "target": task.solved_at,
    }
    (folder / "job.json").write_text(json.dumps(job))
    np.savez(folder / "data.npz", **arrays(task))  # type: ignore[arg-type]
    model = first_model(variant, task, 0)
    ours = {name: value.detach().mul_(ENLARGED).numpy() for name, value in model.named_parameters()}
    assert set(ours) == set(NAMES.values())
    rows = np.arange(CHECKED)
    given: dict[str, Any] = {name: ours[own] for name, own in NAMES.items()}
    np.savez(folder / "given.npz", order=np.tile(rows, (UPDATES, 1)), **given)
    batch = collate(task.splits["train"].take(rows), task.facts, "cpu")
    state, same = (
        start(model, variant, 0, "cpu", Recipe()),
        (task.facts, training_loss, batch, None),
    )
    return [train_step(state, variant, *same)[0].item() for _ in range(UPDATES)]


def jax_process(folder: Path, core: int) -> PeerProcess:
    """Start a process of JAX's on one core."""
    worker = str(Path(__file__).with_name("whole_job_jax.py"))
    return PeerProcess("JAX", [PYTHON, worker, str(folder), str(core)], {"XLA_FLAGS": ONE_THREAD})


def jax_turn(folder: Path, seeds: int, cores: Sequence[int]) -> Turn:
    """Train all seeds in JAX, a process on each core; each takes the next seed when it is free."""
    waiting = deque(range(seeds))

    def work(core: int) -> list[float]:
        peer, steps = jax_process(folder, core), []
        with suppress(IndexError):
            while True:
                steps.append(peer.ask(f"train {waiting.popleft()}")["steps"])
        peer.end()
        return steps

    since = time.perf_counter()
    with ThreadPoolExecutor(len(cores)) as pool:
        found = list(pool.map(work, cores))
    return Turn(time.perf_counter() - since, [steps for of_core in found for steps in of_core])


def our_turn(options: Sequence[str], seeds: int, cores: Sequence[int]) -> Turn:
    """Train all seeds by the suite's own command, with these options, in a fresh store."""
    with tempfile.TemporaryDirectory() as store:
        command = [
            *(sys.executable, "-m", "bench", "run", "--task", TASK, "--base", VARIANT),
            *("--seeds", str(seeds), "--budget", f"{STEPS}steps", "--every", str(EVERY)),
            *("--batch", str(BATCH), "--stop", "solved", *options),
            *("--workers", str(len(cores)), "--store", store),
        ]
        since = time.perf_counter()
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - since
        if ended.returncode:
            raise SystemExit(f"bench run ended with {ended.returncode} and said: {ended.stderr}")
        with reading(Path(store)) as found:
            reached = [record.outcome["to_target"] for record in found.records()]
    return Turn(seconds, [math.inf if at is None else at["steps"] for at in reached])


def table(sides: Mapping[str, Sequence[Turn]]) -> Table:
    """Return a line for each side; the first is JAX, which others are compared with."""
    titles = ("seconds", "times as fast as JAX", "reached 0.99", "steps", "s per 1,000 steps")
    shown = Table("side", *titles, box=box.SIMPLE, pad_edge=False)
    first = next(iter(sides.values()))
    for side, turns in sides.items():
        steps = [of_seed for turn in turns for of_seed in turn.steps]
        ratios = [other.seconds / turn.seconds for turn, other in zip(turns, first, strict=True)]
        shown.add_row(
            side,
            interval([turn.seconds for turn in turns], ".1f"),
            interval(ratios, ".2f"),
            f"{sum(map(math.isfinite, steps))} of {len(steps)}",
            f"{statistics.median(steps):,.0f}",
            interval([turn.per_thousand for turn in turns], ".2f"),
        )
    return shown


def interval(values: Sequence[float], form: str) -> str:
    """Return the median of the rounds and the ends of its interval as text."""
    found = median_interval(values)
    return f"{found.median:{form}} ({found.low:{form}} to {found.high:{form}})"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=2)
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[: given.cores]
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        losses = hand_over(folder)
        peer = jax_process(folder, cores[0])
        theirs = list(peer.ask("losses").values())
        peer.end()
        if not np.allclose(losses, theirs, rtol=0, atol=CLOSE):
            raise SystemExit(f"not the same work: our losses are {losses}, JAX's {theirs}")
        ways: dict[str, Callable[[], Turn]] = {
            "JAX": lambda: jax_turn(folder, given.seeds, cores),
            **{
                side: partial(our_turn, options, given.seeds, cores)
                for side, options in OPTIONS.items()
            },
        }
        sides: dict[str, list[Turn]] = {side: [] for side in ways}
        for _ in range(given.rounds):
            for side, way in ways.items():
                sides[side].append(way())
    Console(highlight=False).print(table(sides))


if __name__ == "__main__":
    main()
