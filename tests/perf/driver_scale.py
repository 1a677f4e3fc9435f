"""How many trivial runs a second the driver gets into the store, without Ray and with it, and what
a queue of a million runs holds in memory:

    python -m tests.perf.driver_scale [--runs 5000] [--ray-runs 500] [--specs 1000000]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.cli.terminal.progress import Progress
from bench.engines.contract import IDLE, Engine, Event, Job
from bench.engines.driver import drive, to_do
from bench.specs import Budget, RunSpec, make
from results.store import writing
from variants import BASE

OUTCOME = {"status": "finished", "metric": "exact_match", "scores": {"test": {"exact_match": 0.5}}}
SEEDS = 10


def specs(count: int) -> list[RunSpec]:
    """Of many variants with ten seeds each, as a matrix has them."""
    made: list[RunSpec] = []
    budget = Budget(steps=10)
    for number in range(-(-count // SEEDS)):
        variant = asdict(replace(BASE, hidden=number + 1))
        made += [make("opposites", "digest", variant, budget, seed, "cpu") for seed in range(SEEDS)]
    return made[:count]


def trivial(job: Job) -> list[tuple[str, str, Any]]:
    """All that happens to a run that takes no time."""
    (run,), (plain,) = job.ids, job.specs
    point = {"point": {"step": 10, "loss": 1.0}, "clock": {"train_seconds": 0.0}}
    record = {"id": run, "spec": plain, "outcome": OUTCOME, "measured": {}}
    started = {"spec": plain, "node": "here"}
    return [("started", run, started), ("point", run, point), ("finished", run, record)]


class Trivial:
    """Does nothing, at once."""

    workers = 1

    def run(self, groups: Iterable[Job]) -> Iterator[Event]:
        for job in groups:
            yield from (Event(*told) for told in trivial(job))
        yield IDLE

    def state(self) -> dict[str, Any]:
        return {"engine": "none", "nodes": [], "running": 0, "retried": 0}

    def close(self) -> None:
        pass


def rate(engine: Engine, todo: list[RunSpec], folder: Path) -> float:
    """Finished runs a second, from the queue to the database."""
    with writing(folder) as store:
        by_id = {spec.id: spec for spec in todo}
        progress = Progress(by_id, lambda _: 1.0, 1, Console(quiet=True))
        since = time.perf_counter()
        drive(todo, lambda _: 1.0, store, engine, progress, False)
        took = time.perf_counter() - since
        assert len(store.ids()) == len(todo)
    return len(todo) / took


def on_ray(todo: list[RunSpec], folder: Path) -> float:
    """The same as Ray tasks, each of which does nothing."""
    from bench.engines.ray_engine import RayEngine

    def work(order: Any, data: object, plugins: object) -> Iterator[list[tuple[str, str, Any]]]:
        yield trivial(order.job)

    engine = RayEngine(None, folder, "cpu", lambda job: 1)
    engine._task = engine._ray.remote(work)
    found = rate(engine, todo, folder)
    engine.close()
    return found


class NotOne(Trivial):
    """Takes nothing from the queue."""

    def run(self, groups: Iterable[Job]) -> Iterator[Event]:
        yield IDLE


def held(count: int, folder: Path) -> tuple[float, float]:
    """GiB that this process holds at most with such a queue, and seconds until it stands."""
    since = time.perf_counter()
    with writing(folder) as store:
        todo = to_do(specs(count), store)
        by_id = {spec.id: spec for spec in todo}
        progress = Progress(by_id, lambda _: 1.0, 1, Console(quiet=True))
        drive(todo, lambda _: 1.0, store, NotOne(), progress, False)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return most / 2**30, time.perf_counter() - since


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5_000)
    parser.add_argument("--ray-runs", type=int, default=500)
    parser.add_argument("--specs", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where to write; not a disk of memory")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        place = Path(folder)
        print(f"{rate(Trivial(), specs(asked.runs), place / 'local'):.0f} runs a second, no Ray")
        if asked.ray_runs:
            found = on_ray(specs(asked.ray_runs), place / "ray")
            print(f"{found:.0f} runs a second as tasks of Ray")
        most, took = held(asked.specs, place / "many")
        print(f"{asked.specs} runs in the queue: {most:.2f} GiB at most, {took:.0f} s")


if __name__ == "__main__":
    main()
