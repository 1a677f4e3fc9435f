"""Proves what is seen of a matrix from another terminal, and that looking changes nothing."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bench.api.live.export import LiveExport
from bench.api.live.following import Follower
from results.export.tracked import Logged
from results.record import Record
from results.store import Planned, Store, writing
from tests.bench.cli.commands import ROOT, Bench
from tests.records import SUITE, record

RUNS = [
    record(seed, score, 900, cell=cell, stop="solved")
    for cell in ("gru", "lstm")
    for seed, score in ((3, 0.5), (4, 0.6))
]
CLOCK = {"train_seconds": 1.5, "evaluate_seconds": 0.5}


def planned(run: Record) -> Planned:
    return Planned(run.id, run.task, f"cell={run.variant['cell']}", run.seed)


def point(step: int) -> dict[str, Any]:
    return {"step": step, "tokens": 40 * step, "loss": 1.25}


@pytest.fixture
def driver(store: Path) -> Iterator[Store]:
    """A store that a driver writes to: one run has ended, one is half done, two wait."""
    with ExitStack() as stack:
        opened = stack.enter_context(writing(store))
        opened.set_plan(
            [*map(planned, RUNS), Planned(None, "opposites", "base", None, "no")], SUITE
        )
        for run in RUNS[:2]:
            opened.begin(run.id, run.spec)
        opened.point(RUNS[0].id, point(50), CLOCK)
        opened.add(RUNS[0])
        opened.point(RUNS[1].id, point(25), CLOCK)
        opened.write_engine_state({"engine": "local", "nodes": [], "running": 1, "retried": 0})
        yield opened


def contents(folder: Path) -> dict[str, str]:
    """Return a digest of every file of a store."""
    # SQLite notes readers in the index of its log
    files = [
        path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("-shm")
    ]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_what_is_seen_is_what_the_store_holds(store: Path, driver: Store) -> None:
    before = contents(store)
    follower = Follower(store)
    now = driver.finished_at()[RUNS[0].id] + 10
    sight = follower.look(now)
    assert contents(store) == before
    assert sight.active
    assert (sight.planned, len(sight.done), sight.waiting) == (4, 1, 2)
    (running,) = sight.running
    assert running.planned == planned(RUNS[1])
    assert running.last == point(25)
    assert (running.steps, running.seconds) == (100, 2.0)
    # a run that may stop early is expected to, at three quarters of its budget
    assert running.share == pytest.approx(25 / 75)
    assert sight.done[0].score == RUNS[0].outcome["scores"]["test"]["exact_match"]
    # it took 2 s and ended 10 s ago: one run in 12 s
    assert sight.per_minute == pytest.approx(5.0)
    assert sight.left is not None
    # two waiting ones of 2 s each, and less than what the running one had left
    assert 4 < sight.left.about < 6

    driver.add(RUNS[1])
    driver.begin(RUNS[2].id, RUNS[2].spec)
    sight = follower.look(now + 60)
    assert {one.record.id for one in sight.done} == {run.id for run in RUNS[:2]}
    assert [run.planned for run in sight.running] == [planned(RUNS[2])]
    assert sight.running[0].last is None


def test_a_run_that_is_done_again_counts_as_to_do(store: Path, driver: Store) -> None:
    driver.ask_again([RUNS[0].id])
    driver.begin(RUNS[0].id, RUNS[0].spec)
    driver.write_engine_state({"engine": "local", "nodes": [], "running": 2, "retried": 0})
    sight = Follower(store).look(0.0)
    assert not sight.done
    assert {run.planned for run in sight.running} == {planned(run) for run in RUNS[:2]}
    assert sight.left is None


def test_it_ends_when_the_runs_are_done(
    bench: Bench, driver: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(seconds: float) -> None:
        for run in RUNS[1:]:
            driver.add(run)
        driver.close()
        monkeypatch.setattr("bench.api.live.following.stores.has_driver", lambda folder: False)

    monkeypatch.setattr("bench.cli.terminal.following.time.sleep", meanwhile)
    code, out, _ = bench("status", "--watch")
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "1 of 4 runs, 1 solved"
    assert lines[1].startswith("1 running, 2 waiting, ")
    assert " runs a minute, about " in lines[1]
    assert lines[2:6] == [
        "running:",
        "  opposites cell=gru seed 4 step 25 of 100, loss 1.250",
        "latest:",
        "  opposites cell=gru seed 3 solved, exact match 0.500",
    ]
    assert lines[6] == "4 of 4 runs, 4 solved"
    assert lines[-1] == "all runs are done"
    assert max(map(len, lines)) <= 80


def test_ctrl_c_ends_the_watching_alone(
    bench: Bench, driver: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.cli.terminal.following.time.sleep", pressed)
    code, out, _ = bench("status", "--watch")
    assert code == 0
    assert out.splitlines()[-1] == "no longer watched; the runs go on"
    driver.add(RUNS[1])  # which still works


def test_without_a_driver_it_says_so_and_ends(bench: Bench, filled: Path) -> None:
    with writing(filled) as opened:
        opened.set_plan(map(planned, RUNS), SUITE)
    code, out, _ = bench("status", "--watch")
    assert code == 0
    assert out.splitlines()[-1] == (
        "no driver is at work; 4 runs to do: the command that began them goes on"
    )


def test_it_is_refused_where_it_cannot_be_heeded(bench: Bench, filled: Path) -> None:
    code, _, said = bench("status", "--watch", "--json")
    assert code == 2
    assert "--json does nothing with --watch; leave one out" in said
    assert bench("status", "--watch", "--store", "elsewhere")[0] == 2


def test_a_tracker_is_told_while_runs_go(store: Path, driver: Store) -> None:
    told: dict[str, list[Logged]] = {}
    whole: set[str] = set()

    class Run:
        def __init__(self, run: str) -> None:
            self.run = run
            told[run] = []

        def log(self, values: Sequence[Logged]) -> None:
            told[self.run] += values

        def end(self, record: Record) -> None:
            whole.add(record.id)

    class Told:
        def has(self, record: Record) -> bool:
            return record.id in whole

        def begin(self, record: Record) -> Run:
            return Run(record.id)

    live = LiveExport(store, Told())
    running, waiting = RUNS[1], RUNS[2]
    for _ in range(2):  # what was told is not told again
        assert live.look(0.0).active
        assert [value for value in told[running.id] if value.key == "loss"] == [
            Logged(25, 1.5, "loss", 1.25)
        ]
    assert whole == {RUNS[0].id}
    assert waiting.id not in told
    driver.point(running.id, point(50), CLOCK)
    live.look(0.0)
    assert [value.step for value in told[running.id] if value.key == "loss"] == [25, 50]
    # it starts anew, as after its process died: what was told before is forgotten
    driver.begin(running.id, running.spec)
    live.look(0.0)
    assert told[running.id] == []
    for run in (running, waiting):
        driver.add(run)
    live.look(0.0)
    assert whole == {run.id for run in RUNS[:3]}
    assert live.added == 3
    for run in (running, waiting):
        values = [value for value in told[run.id] if value.key == "valid_loss"]
        assert [value.step for value in values] == [10, 20, 30]
        assert [v.value for v in told[run.id] if v.key == "test/exact_match"] == [
            run.outcome["scores"]["test"]["exact_match"]
        ]


def test_following_ends_with_the_driver(bench: Bench, filled: Path, tmp_path: Path) -> None:
    with writing(filled) as opened:
        opened.set_plan([planned(one) for one in opened.records()], SUITE)
    place = str(tmp_path / "events")
    told = bench("export", "--format", "tensorboard", "--output", place, "--follow")
    assert told[:2] == (0, f"{place}: 4 runs\n")
    assert len([*Path(place).rglob("events.out.*")]) == 4
    assert bench("export", "--format", "csv", "--follow")[0] == 2


def test_it_loads_no_torch() -> None:
    code = "import sys, bench.cli.terminal.following; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
