"""Proves that whatever is killed, whenever, nothing is lost, nothing is done twice, nothing stays
behind, and the numbers are those of a run that nobody disturbed."""

from __future__ import annotations

import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench.cli.app import main
from bench.engines import choose
from bench.engines.ledger import TRIES
from bench.engines.local import cores
from results.store import reading, verify
from tests.in_process import InProcessEngine

ROOT = Path(__file__).parents[3]
MATRIX = """
seeds = 2
[[block]]
tasks = ["opposites", "increment"]
base = { hidden = 24, embedding = 16 }
steps = 120
every = 10
stop = "budget"
star.cell = ["rnn"]
"""
RUNS = 8
Outcomes = dict[str, dict[str, Any]]

POISON = """
import os, signal, sys
sys.path.insert(0, {root!r})
from bench import runner
whole = runner.execute_group

def execute_group(specs, data, reports, weights, **more):
    def deadly(point, clock):
        reports[0](point, clock)
        os.kill(os.getpid(), signal.SIGKILL)
    (spec,) = specs
    sick = spec.task == "opposites" and spec.seed == 1 and spec.variant["cell"] == "rnn"
    return whole(specs, data, [deadly] if sick else reports, weights, **more)

runner.execute_group = execute_group
PARTS = {{}}  # workers load this file as a plugin
if __name__ == "__main__":
    from bench.cli.app import main
    sys.exit(main([*sys.argv[1:], "--plugin", __file__]))
"""


def alive(store: Path) -> set[int]:
    """Processes of this store, whoever their parent is now."""
    mark = f"BENCH_STORE={store}\0".encode()
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (path / "environ").read_bytes():
                found.add(int(path.name))
        except OSError:
            continue
    return found


class Driver:
    """`bench run` of the matrix above in a process group of its own."""

    def __init__(self, store: Path, *start: str) -> None:
        self.store = store
        matrix = store.parent / "small.toml"
        matrix.write_text(MATRIX)
        command = ["run", "--matrix", str(matrix), "--workers", str(min(2, cores()))]
        self.process = subprocess.Popen(
            [sys.executable, *(start or ("-m", "bench")), *command],
            cwd=ROOT,
            env=os.environ | {"BENCH_STORE": str(store)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # who starts the tests in the background has them ignore Ctrl-C, which is inherited
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )

    def workers(self) -> set[int]:
        """Those of its processes that train."""
        found = set()
        for pid in alive(self.store) - {self.process.pid}:
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if b"spawn_main" in words:
                found.add(pid)
        return found

    def ended(self) -> int:
        """Runs whose journal has its last line."""
        journals = (self.store / "journal").glob("*.jsonl")
        return sum('"event": "finished"' in path.read_text("utf-8") for path in journals)

    def wait_for(self, ended: int) -> None:
        until(lambda: self.ended() >= ended)

    def wait_for_end_of(self, worker: int) -> None:
        until(lambda: worker not in self.workers())

    def wait(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=120)
        until(lambda: not alive(self.store))
        return self.process.returncode, out, err


def until(there: Callable[[], object]) -> None:
    for _ in range(7200):
        if there():
            return
        time.sleep(0.025)
    raise AssertionError("it never came")


def outcomes(store: Path) -> Outcomes:
    with reading(store) as opened:
        return {one.id: dict(one.outcome) for one in opened.records(details=True)}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """Outcomes of the same runs in this process."""
    folder = tmp_path_factory.mktemp("calm")
    (folder / "small.toml").write_text(MATRIX)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(choose, "LocalEngine", InProcessEngine)
        options = ["--matrix", str(folder / "small.toml"), "--store", str(folder / "store")]
        assert main(["run", *options]) == 0
    found = outcomes(folder / "store")
    assert len(found) == RUNS
    return found


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "store"
    for pid in alive(tmp_path / "store"):  # a failed test must not leave its processes either
        os.kill(pid, signal.SIGKILL)


def settle(store: Path, undisturbed: Outcomes) -> None:
    """Run to the end; all is as if nothing had happened."""
    code, _, err = Driver(store).wait()
    assert (code, err) == (0, "")
    assert outcomes(store) == undisturbed
    with reading(store) as opened:
        assert opened.journal.unfinished() == []
        assert len(list(opened.journal.folder.iterdir())) == RUNS
        assert verify(opened, lambda found: found.id).problems == []  # outputs are there too
        assert all("outputs" in one.outcome for one in opened.records())


def test_kills_at_any_moment_cost_nothing(store: Path, undisturbed: Outcomes) -> None:
    chance = random.Random(7)

    # the driver, as soon as it has begun something
    driver = Driver(store)
    until(lambda: list((store / "journal").glob("*.jsonl")))
    time.sleep(chance.random() * 0.3)
    os.kill(driver.process.pid, signal.SIGKILL)
    driver.wait()  # workers see that it is gone, in the middle of their runs

    # a worker, twice, and then the whole group at once
    driver = Driver(store)
    for _ in range(2):
        until(driver.workers)
        victim = chance.choice(sorted(driver.workers()))
        driver.wait_for(min(driver.ended() + 1, RUNS - 3))
        time.sleep(chance.random() * 0.1)
        os.kill(victim, signal.SIGKILL)
        driver.wait_for_end_of(victim)
    time.sleep(chance.random() * 0.3)
    os.killpg(driver.process.pid, signal.SIGKILL)
    driver.wait()

    kept = outcomes(store) if (store / "store.sqlite3").exists() else {}
    assert kept.items() <= undisturbed.items()
    settle(store, undisturbed)


def test_ctrl_c_ends_cleanly_and_tells_how_to_go_on(store: Path, undisturbed: Outcomes) -> None:
    # while its workers are starting
    driver = Driver(store)
    until(driver.workers)
    os.killpg(driver.process.pid, signal.SIGINT)
    code, _, err = driver.wait()
    assert code == 130
    head, command = err.rstrip("\n").split("; go on with: ")
    assert head == f"bench: stopped with {RUNS} of {RUNS} runs to do"
    assert goes_on(command, store)

    # in the middle
    driver = Driver(store)
    driver.wait_for(2)
    os.killpg(driver.process.pid, signal.SIGINT)
    code, _, err = driver.wait()
    assert code == 130
    told = re.fullmatch(r"bench: stopped with (\d) of 8 runs to do; go on with: (.*)\n", err)
    assert told, err
    assert goes_on(told[2], store)
    kept = outcomes(store)
    assert len(kept) == RUNS - int(told[1]) >= 2
    assert kept.items() <= undisturbed.items()


def goes_on(command: str, store: Path) -> bool:
    """Whether it is the same command, by a name that the shell knows."""
    matrix = str(store.parent / "small.toml")
    name, same = command.split(" run ")
    given = ["--matrix", matrix, "--workers", str(min(2, cores()))]
    return name in ("bench", "python -m bench") and same == shlex.join(given)


def test_a_run_that_always_kills_its_worker_fails_alone(store: Path, undisturbed: Outcomes) -> None:
    script = store.parent / "poisoned.py"
    script.write_text(POISON.format(root=str(ROOT)))
    code, out, err = Driver(store, str(script)).wait()
    assert (code, err) == (0, "")
    found = outcomes(store)
    assert set(found) == set(undisturbed)
    (sick,) = [run for run, outcome in found.items() if outcome["status"] == "failed"]
    assert found.pop(sick)["error"] == f"its process died {TRIES} times, the last time by signal 9"
    assert found.items() <= undisturbed.items()
    assert "1 failed" in out
    assert out.count("the run starts again") == TRIES - 1
