"""Proves that the driver stores what an engine tells, waits for room on a full disk, and makes jobs
only as they are taken."""

from __future__ import annotations

import subprocess
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from bench.engines import driver
from bench.engines.contract import IDLE, Event, Job
from bench.engines.driver import drive
from bench.specs import Budget, RunSpec, make
from results.packing import digest
from results.store import reading, verify, writing
from variants import BASE


def spec(seed: int) -> RunSpec:
    return make("opposites", "digest", VARIANT, Budget(steps=10), seed, "cpu")


VARIANT = asdict(BASE)
OUTCOME = {"status": "finished", "metric": "exact_match", "scores": {"test": {"exact_match": 0.5}}}


class Watcher:
    """Gives the disk room when it is told that there is none."""

    def __init__(self, disk: Path | None = None) -> None:
        self.disk = disk
        self.waited = 0
        self.ended = 0

    def on_event(self, event: Event) -> None:
        self.ended += event.kind == "finished"

    def on_disk_full(self) -> None:
        self.waited += 1
        if self.disk is not None:
            subprocess.run(["mount", "-o", "remount,size=9m", str(self.disk)], check=True)


class Trivial:
    """Runs that take no time and come out as told."""

    workers = 1

    def __init__(self, points: int = 0, outputs: int = 0) -> None:
        self.points = points
        self.outputs = outputs
        self.most = 0

    def state(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        pass

    def run(self, groups: Iterable[Job]) -> Iterator[Event]:
        for job in groups:
            (run,), (plain,) = job.ids, job.specs
            yield Event("started", run, {"spec": plain})
            for step in range(self.points):
                yield Event("point", run, {"point": {"step": step, "loss": 1.0}, "clock": {}})
            outcome = OUTCOME
            if self.outputs:
                content = run.encode() * self.outputs
                outcome = {**OUTCOME, "outputs": digest(content)}
                yield Event("outputs", run, {"content": content})
            record = {"id": run, "spec": plain, "outcome": outcome, "measured": {}}
            yield Event("finished", run, record)
            yield IDLE


def done(store: Path, count: int, watcher: Watcher, points: int = 3) -> None:
    with writing(store) as opened:
        drive(
            [spec(n) for n in range(count)], lambda _: 1.0, opened, Trivial(points), watcher, False
        )


def test_all_is_stored(tmp_path: Path) -> None:
    watcher = Watcher()
    done(tmp_path, 20, watcher)
    assert (watcher.ended, watcher.waited) == (20, 0)
    with reading(tmp_path) as opened:
        assert opened.ids() == {spec(seed).id for seed in range(20)}
        assert opened.journal.unfinished() == []


def test_outputs_are_stored_before_their_record_and_wait_for_room(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "PAUSE", 0.0)
    watcher = Watcher(tiny)
    with writing(tiny) as opened:
        drive([spec(n) for n in range(100)], lambda _: 1.0, opened, Trivial(20, 50), watcher, False)
        assert verify(opened, lambda found: found.id).problems == []
        records = list(opened.records())
        assert [opened.outputs.read(one) for one in records] == [
            one.id.encode() * 50 for one in records
        ]
    assert watcher.waited == 1


def test_a_full_disk_is_waited_for(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "PAUSE", 0.0)
    watcher = Watcher(tiny)
    done(tiny, 300, watcher, points=20)
    assert watcher.waited == 1
    with reading(tiny) as opened:
        stored = {record.id: dict(record.outcome) for record in opened.records(details=True)}
        assert opened.journal.unfinished() == []
    assert stored == {spec(seed).id: OUTCOME for seed in range(300)}


def test_jobs_are_made_as_they_are_taken(tmp_path: Path) -> None:
    """A million of them at once would not fit."""
    specs = [spec(seed) for seed in range(2_000)]
    assert len({one.id for one in specs}) == 2_000  # which are made once, and kept
    alive = []

    class Counts(Trivial):
        def run(self, groups: Iterable[Job]) -> Iterator[Event]:
            for number, event in enumerate(super().run(groups)):
                if number % 100 == 0:
                    alive.append(tracemalloc.get_traced_memory()[0])
                yield event

    with writing(tmp_path) as opened:
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        drive(specs, lambda _: 1.0, opened, Counts(), Watcher(), False)
        tracemalloc.stop()
    one_job = 2_000  # bytes of a spec as plain values, and more
    assert max(alive) - before < len(specs) * one_job
