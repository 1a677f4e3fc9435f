"""Proves what the local engine promises: events in order, one thread a worker, and a dead worker's
run begun again, whenever it died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from bench.local import LocalEngine, cores
from bench.specs import Budget, RunSpec, make
from bench.worker import Event, Job
from tasks import build
from variants import BASE

DIGEST = build("opposites").digest()


def spec(seed: int, steps: int = 20) -> RunSpec:
    budget = Budget(steps=steps, every=10, stop="budget")
    return make("opposites", DIGEST, asdict(BASE), budget, seed, "cpu")


def jobs(*specs: RunSpec) -> list[Job]:
    return [Job((one.plain(),), (None,)) for one in specs]


def children() -> set[int]:
    """Processes that this one started and that train."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            words = (path / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == os.getpid() and b"spawn_main" in words:
            found.add(int(path.name))
    return found


@pytest.mark.parametrize("workers", [-1, 0, cores() + 1, 10_000])
def test_more_workers_than_cores_are_refused(tmp_path: Path, workers: int) -> None:
    with pytest.raises(ValueError, match=f"workers={workers} .*give 1 to {cores()}"):
        LocalEngine(workers, tmp_path)


def test_events_of_a_run_come_in_order_and_workers_end(tmp_path: Path) -> None:
    specs = [spec(0), spec(1), spec(2)]
    heard: dict[str, list[Event]] = {}
    for event in LocalEngine(min(2, cores()), tmp_path).run(jobs(*specs)):
        heard.setdefault(event.id, []).append(event)
    assert set(heard) == {one.id for one in specs}
    for events in heard.values():
        assert [event.kind for event in events] == ["started", "point", "point", "finished"]
        assert [event.value["point"]["step"] for event in events[1:3]] == [10, 20]
        record = events[-1].value
        assert record["outcome"]["status"] in ("solved", "finished")
        assert record["measured"]["machine"]["threads"] == 1
        assert record["measured"]["beside"] in range(min(2, cores()))
    assert children() == set()


def test_nothing_to_do_starts_nothing(tmp_path: Path) -> None:
    assert list(LocalEngine(1, tmp_path).run([])) == []


def test_whoever_stops_listening_leaves_no_worker(tmp_path: Path) -> None:
    events = LocalEngine(1, tmp_path).run(jobs(spec(0, 100_000)))
    assert next(events).kind == "started"
    assert len(children()) == 1
    assert isinstance(events, Iterator)
    events.close()  # type: ignore[attr-defined]
    assert children() == set()


def test_a_worker_that_dies_between_two_runs_is_replaced(tmp_path: Path) -> None:
    """The engine has not yet heard that the first run ended when its worker is gone."""
    kept = tmp_path / "weights" / "first.safetensors"
    first = Job((spec(0).plain(),), (kept,))
    ended = []
    for event in LocalEngine(1, tmp_path).run([first, *jobs(spec(1))]):
        if event.kind == "started" and event.id == spec(0).id:
            until(kept.exists)
            (worker,) = children()
            until(idle, worker)
            os.kill(worker, signal.SIGKILL)
            until(dead, worker)
        if event.kind == "finished":
            ended.append((event.id, event.value["outcome"]["status"]))
    assert [run for run, _ in ended] == [spec(0).id, spec(1).id]
    assert all(status != "failed" for _, status in ended)


def idle(worker: int) -> bool:
    """Whether it used no processor for a while: it has sent all that it had to."""
    before = used(worker)
    time.sleep(0.5)
    return used(worker) == before


def dead(worker: int) -> bool:
    return Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def used(worker: int) -> list[str]:
    return Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[11:13]


def until(there: Callable[..., bool], *of: int) -> None:
    for _ in range(600):
        if there(*of):
            return
        time.sleep(0.05)
    raise AssertionError("it never came")


def test_what_is_sheltered_stays_so_when_multiprocessing_starts() -> None:
    """Its resource tracker, started with a process, would let Ctrl-C through to that process."""
    script = """
import signal
from multiprocessing import resource_tracker
from bench.local import _sheltered
with _sheltered():
    resource_tracker.ensure_running()
    assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
"""
    subprocess.run([sys.executable, "-c", script], check=True)
