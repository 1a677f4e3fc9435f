"""Proves what the local engine promises: events in order, one thread a worker, and a dead worker's
run begun again, whenever it died."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bench.engines import local
from bench.engines.contract import Event, Job, Limits
from bench.engines.ledger import TRIES
from bench.engines.local import LocalEngine, cores
from bench.plugins import loading
from bench.specs import Budget, RunSpec, make
from tasks import build
from tests import half
from tests.clock import Clock
from variants import BASE

DIGEST = build("opposites").digest()


def spec(seed: int, steps: int = 20) -> RunSpec:
    budget = Budget(steps=steps, every=10, stop="budget")
    return make("opposites", DIGEST, asdict(BASE), budget, seed, "cpu")


def jobs(*specs: RunSpec) -> list[Job]:
    return [Job((one.plain(),), (one.id,), (None,)) for one in specs]


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
        if event.kind != "idle":
            heard.setdefault(event.id, []).append(event)
    assert set(heard) == {one.id for one in specs}
    for events in heard.values():
        assert [event.kind for event in events] == [
            "started",
            "point",
            "point",
            "outputs",
            "finished",
        ]
        assert [event.value["point"]["step"] for event in events[1:3]] == [10, 20]
        record = events[-1].value
        assert record["outcome"]["status"] in ("solved", "finished")
        assert record["measured"]["machine"]["threads"] == 1
        assert record["measured"]["beside"] in range(min(2, cores()))
        assert 0 < record["measured"]["core_share"] < 1.1
    assert children() == set()


def test_nothing_to_do_starts_nothing(tmp_path: Path) -> None:
    assert list(LocalEngine(1, tmp_path).run([])) == []


def test_whoever_stops_listening_leaves_no_worker(tmp_path: Path) -> None:
    events = LocalEngine(1, tmp_path).run(jobs(spec(0, 100_000)))
    assert next(event for event in events if event.kind != "idle").kind == "started"
    assert len(children()) == 1
    assert isinstance(events, Iterator)
    events.close()  # type: ignore[attr-defined]
    assert children() == set()


def test_a_worker_that_dies_between_two_runs_is_replaced(tmp_path: Path) -> None:
    """The engine has not yet heard that the first run ended when its worker is gone."""
    kept = tmp_path / "weights" / "first.safetensors"
    first = Job((spec(0).plain(),), (spec(0).id,), (kept,))
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


def test_deaths_between_runs_that_end_well_are_forgotten(tmp_path: Path) -> None:
    """As many as would end everything if nothing were done meanwhile."""
    many = [spec(seed) for seed in range(2 * TRIES)]
    kept = [tmp_path / "weights" / f"{one.id}.safetensors" for one in many]
    given = [Job((o.plain(),), (o.id,), (k,)) for o, k in zip(many, kept, strict=True)]
    place = {one.id: number for number, one in enumerate(many)}
    ended = set()
    for event in LocalEngine(1, tmp_path).run(given):
        number = place.get(event.id, 1)
        if event.kind == "started" and number % 2 == 0:
            until(kept[number].exists)
            (worker,) = children()
            until(idle, worker)
            os.kill(worker, signal.SIGKILL)
            until(dead, worker)
        if event.kind == "finished":
            ended.add(event.id)
    assert ended == set(place)


SICK = Path(__file__).parents[2] / "sick.py"


@pytest.fixture
def sick(registries_put_back: None) -> None:
    loading.load([SICK])


def of_cell(cell: str, seed: int = 0) -> RunSpec:
    budget = Budget(steps=20, every=10, stop="budget")
    variant = asdict(replace(BASE, cell=cell))
    plugin = loading.digest_of("opposites", variant)
    return make("opposites", DIGEST, variant, budget, seed, "cpu", plugin=plugin)


@pytest.mark.usefixtures("sick")
@pytest.mark.parametrize(
    ("cell", "limits", "reason"),
    [
        ("hangs", Limits(seconds=900), r"took longer than the 15 min that --time-limit allows"),
        ("leaks", Limits(bytes=2**30), r"its process held 1\.\d\d GiB, more than the 1 that --mem"),
        ("dies", Limits(), f"its process died {TRIES} times, the last time by signal 9"),
    ],
)
def test_a_sick_run_fails_alone(
    tmp_path: Path, cell: str, limits: Limits, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(local, "time", clock)
    specs = [of_cell("well"), of_cell(cell), of_cell("well", 1)]
    ended = {}
    for event in LocalEngine(1, tmp_path, [SICK], limits).run(jobs(*specs)):
        if event.kind == "started" and event.id == specs[1].id:
            clock.ahead = 1000.0
        if event.kind == "finished":
            ended[event.id] = event.value["outcome"]
    assert list(ended) == [one.id for one in specs]
    first, ill, last = ended.values()
    assert {first["status"], last["status"]} <= {"finished", "solved"}
    assert ill["status"] == "failed"
    assert re.match(reason, ill["error"])
    assert children() == set()


def test_a_worker_that_is_stopped_for_good_costs_its_run_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stopped in the middle of a message, so that there is always something to read."""
    monkeypatch.setattr("bench.engines.local.work", half.work)
    ended = {}
    for event in LocalEngine(1, tmp_path, limits=Limits(seconds=0.5)).run(jobs(spec(0), spec(1))):
        if event.kind == "finished":
            ended[event.id] = event.value["outcome"]["error"]
    assert list(ended) == [spec(0).id, spec(1).id]
    assert all("took longer" in error for error in ended.values())
    assert children() == set()


def test_a_run_goes_on_from_its_checkpoint_in_a_new_worker(tmp_path: Path) -> None:
    calm = [e for e in LocalEngine(1, tmp_path).run(jobs(spec(0, 60))) if e.kind == "finished"]
    script = tmp_path / "often.py"
    script.write_text(OFTEN.format(root=str(ROOT), folder=str(tmp_path), spec=spec(0, 60).plain()))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["outcome"] == calm[0].value["outcome"]
    assert record["measured"]["resumed"] == 1


ROOT = Path(__file__).parents[3]
OFTEN = """
import json, os, signal, sys
sys.path.insert(0, {root!r})
from bench.training import checkpoint
checkpoint.EVERY = 0.0
PARTS = {{}}  # workers load this file as a plugin
whole = checkpoint.Checkpoint.write

def keep(self, states, shared=None):
    whole(self, states, shared)
    if states[0].step == 33 and not states[0].resumed:
        os.kill(os.getpid(), signal.SIGKILL)

checkpoint.Checkpoint.write = keep
if __name__ == "__main__":
    from pathlib import Path
    from bench.engines.local import LocalEngine
    from bench.engines.contract import Job
    from bench.specs import RunSpec
    spec = RunSpec.read({spec!r})
    folder = Path({folder!r})
    job = Job((spec.plain(),), (spec.id,), (None,), folder / "one.safetensors")
    for event in LocalEngine(1, folder, [Path(__file__)]).run([job]):
        if event.kind == "finished":
            print(json.dumps(event.value))
"""


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
from bench.engines.local import _sheltered
with _sheltered():
    resource_tracker.ensure_running()
    assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
"""
    subprocess.run([sys.executable, "-c", script], check=True)
