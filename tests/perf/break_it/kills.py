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
"""Seconds from its start within which a driver may be killed, by its engine: about as long as it
takes to start."""
IN_TRAINING = 0.6
"""Share of kills that come after the next line of a journal, while runs are trained."""
KILLS_A_PLACE = 5
"""Kills that one place of this kind has."""
PATIENCE = 900.0
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
    """Return what kills drivers of a store, then lets it be finished and compares it.

    What it is compared with is a store that nobody disturbed. Where a store is finished before it
    got all its kills, another gets the rest.
    """
    calm = folder / f"calm-{engine}" / "store"
    calm.parent.mkdir(parents=True)
    _ended(start(calm, engine))
    expected = outcomes(calm)
    if len(expected) != RUNS:
        raise SystemExit(f"{len(expected)} of {RUNS} runs are done when nobody disturbs them")

    def attempt(place: int, chance: random.Random) -> list[Trial]:
        trials: list[Trial] = []
        while len(trials) < KILLS_A_PLACE:
            store = folder / f"{engine}-{place}-{len(trials)}" / "store"
            store.parent.mkdir(exist_ok=True)
            said, wrong = _disturbed(store, engine, chance, KILLS_A_PLACE - len(trials))
            wrong = wrong or _ended(start(store, engine)) or _compared(store, expected)
            shutil.rmtree(store.parent, ignore_errors=True)
            trials += [Trial(wrong, f"store {place}: {', '.join(said)}") for _ in said]
        return trials

    return attempt


def _disturbed(
    store: Path, engine: str, chance: random.Random, count: int
) -> tuple[list[str], str]:
    """Kill at most so many times, starting the command again whenever it ended before its time.

    Returns what was done, and what was wrong with how a driver ended.
    """
    said: list[str] = []
    driver = start(store, engine)
    while True:
        _wait(driver, store, chance.random() < IN_TRAINING, chance.uniform(0.0, MOMENTS[engine]))
        if driver.poll() is None and len(said) < count:
            what, deadly = _hit(driver, store, chance)
            said.append(what)
            if not deadly:
                continue
        if len(said) == count and driver.poll() is None:
            os.killpg(driver.pid, signal.SIGKILL)
        if wrong := _ended(driver):
            return said, wrong
        if len(said) == count or driver.returncode == 0:
            return said, ""
        driver = start(store, engine)


def _wait(driver: subprocess.Popen[bytes], store: Path, in_training: bool, seconds: float) -> None:
    """Wait until a driver is to be killed, or has ended.

    in_training: wait for a line of a journal first, and then for a second at most.
    """
    before = _written(store)
    while in_training and driver.poll() is None and _written(store) == before:
        time.sleep(0.02)
    with contextlib.suppress(subprocess.TimeoutExpired):
        driver.wait(seconds / 10 if in_training else seconds)


def _written(store: Path) -> int:
    """Return the bytes of all journals."""
    total = 0
    for path in (store / "journal").glob("*.jsonl"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total


def _hit(driver: subprocess.Popen[bytes], store: Path, chance: random.Random) -> tuple[str, bool]:
    """Send a signal to something; return what was done, and whether the driver dies of it."""
    number = chance.choice(SIGNALS)
    target = chance.choice(["driver", "worker", "group"])
    others = sorted(alive(store) - {driver.pid})
    if target == "worker" and not others:
        target = "driver"
    with contextlib.suppress(ProcessLookupError):
        if target == "group":
            os.killpg(driver.pid, number)
        else:
            os.kill(driver.pid if target == "driver" else chance.choice(others), number)
    if number == signal.SIGSTOP:
        time.sleep(chance.uniform(0.0, 2.0))
        for pid in (driver.pid, *others):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    return f"{number.name} to the {target}", number != signal.SIGSTOP and target != "worker"


def _ended(driver: subprocess.Popen[bytes]) -> str:
    """Wait for a driver's end, and return what was wrong with it."""
    try:
        error = driver.communicate(timeout=PATIENCE)[1].decode()
    except subprocess.TimeoutExpired:
        os.killpg(driver.pid, signal.SIGKILL)
        driver.communicate()
        return "hung"
    # Python itself may be stopped before it knows of the suite
    ours = "Traceback (most" in error and f'File "{ROOT}/bench' in error
    return "traceback" if ours else ""


def _compared(store: Path, expected: Outcomes) -> str:
    """Return what is wrong with a store that was run to its end, or an empty string."""
    found = outcomes(store)
    if set(found) != set(expected):
        return "lost" if set(expected) - set(found) else "doubled"
    if len(list((store / "journal").iterdir())) != RUNS:
        return "left over"
    if found != expected:
        return "other numbers"
    for _ in range(100):
        if not alive(store):
            return ""
        time.sleep(0.1)
    return "process left"
