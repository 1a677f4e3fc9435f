"""Kills drivers, workers and whole groups at random moments, then lets the same command go on."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from bench.engines.local import cores
from tests.bench.engines.test_kill import MATRIX, ROOT, RUNS, Outcomes, alive, outcomes
from tests.perf.break_it.trials import Attempt, Trial

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGSTOP)
"""What is sent; after a stop comes a SIGCONT."""
MOMENTS = {"local": 12.0, "ray": 30.0}
"""Seconds from its start within which a driver is killed, by its engine: about as long as it takes
to start and to do all runs."""
KILLS_A_STORE = 5
"""Kills before a store is run to its end and compared."""
PATIENCE = 600.0
"""Seconds that a command may take; it is made for machines that do other things too."""


def start(store: Path, engine: str) -> subprocess.Popen[bytes]:
    """Start the small matrix in a process group of its own."""
    matrix = store.parent / "small.toml"
    matrix.write_text(MATRIX)
    how = ["--workers", str(min(2, cores()))] if engine == "local" else ["--engine", engine]
    return subprocess.Popen(
        [sys.executable, "-m", "bench", "run", "--matrix", str(matrix), *how],
        cwd=ROOT,
        env=os.environ | {"BENCH_STORE": str(store)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


def kills(engine: str, folder: Path) -> Attempt:
    """Return what kills the drivers of a store KILLS_A_STORE times, and lets it be finished.

    The store is compared with one that nobody disturbed.
    """
    calm = folder / f"calm-{engine}" / "store"
    calm.parent.mkdir(parents=True)
    _finish(start(calm, engine))
    expected = outcomes(calm)
    if len(expected) != RUNS:
        raise SystemExit(f"{len(expected)} of {RUNS} runs are done when nobody disturbs them")

    def attempt(place: int, chance: random.Random) -> list[Trial]:
        store = folder / f"{engine}-{place}" / "store"
        store.parent.mkdir()
        said = [_kill_once(store, engine, chance) for _ in range(KILLS_A_STORE)]
        error = _finish(start(store, engine))
        wrong = _compared(store, expected, error)
        shutil.rmtree(store.parent, ignore_errors=True)
        return [Trial(wrong, f"store {place}: {', '.join(said)}") for _ in said]

    return attempt


def _kill_once(store: Path, engine: str, chance: random.Random) -> str:
    """Start a driver, kill something at a random moment, and return what was done."""
    driver = start(store, engine)
    time.sleep(chance.uniform(0.0, MOMENTS[engine]))
    number = chance.choice(SIGNALS)
    target = chance.choice(["driver", "worker", "group"])
    others = sorted(alive(store) - {driver.pid})
    with contextlib.suppress(ProcessLookupError):
        if target == "group":
            os.killpg(driver.pid, number)
        elif target == "worker" and others:
            os.kill(chance.choice(others), number)
        else:
            os.kill(driver.pid, number)
    if number == signal.SIGSTOP:
        time.sleep(chance.uniform(0.0, 2.0))
        for pid in (driver.pid, *others):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    time.sleep(chance.uniform(0.0, 2.0))
    with contextlib.suppress(ProcessLookupError):
        os.killpg(driver.pid, signal.SIGKILL)
    driver.communicate()
    return f"{number.name} to the {target}"


def _finish(driver: subprocess.Popen[bytes]) -> str:
    """Wait for a driver's end and return what it said on standard error."""
    try:
        return driver.communicate(timeout=PATIENCE)[1].decode()
    except subprocess.TimeoutExpired:
        os.killpg(driver.pid, signal.SIGKILL)
        driver.communicate()
        return "hung"


def _compared(store: Path, expected: Outcomes, error: str) -> str:
    """Return what is wrong with a store that was run to its end, or an empty string."""
    if error == "hung":
        return "hung"
    if "Traceback (most" in error:
        return "traceback"
    found = outcomes(store)
    if set(found) != set(expected):
        return "lost" if set(expected) - set(found) else "doubled"
    if len(list((store / "journal").iterdir())) != RUNS:
        return "left over"
    if found != expected:
        return "other numbers"
    for _ in range(50):
        if not alive(store):
            return ""
        time.sleep(0.1)
    return "process left"
