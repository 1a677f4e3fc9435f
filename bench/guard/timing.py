"""Two versions timed in pairs, in fresh processes, with the guard's own proof beside them."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from bench.guard.subjects import Subject
from bench.guard.worker import PROTOCOL
from results.guard.verdict import LOOKS, PLANTED, GuardRow, Trial, timed_row

WINDOW = 0.05
"""Seconds that a timing lasts at the least."""
SLICES = 10
"""In which a timing is done, those of all processes mingled: where a neighbour takes the half of a
core for a moment, it takes it from all alike. PLANTED of them is a whole number."""
FIRST = 0.6
"""The share of the time that the first set of processes has; alarms are confirmed in the rest."""
SETS = 3
"""Most sets of fresh processes that an alarm is looked into with."""


class GuardError(Exception):
    """Nothing can be measured, and why, in a sentence."""


class Sides(NamedTuple):
    """Folders of the two versions, and what both are told."""

    reference: Path
    present: Path
    device: str
    data: Path | None
    plugins: tuple[str, ...]


class Side:
    """A process of one version."""

    def __init__(self, folder: Path, command: Sequence[str] = ()) -> None:
        environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
        environment["KINETO_LOG_LEVEL"] = "99"  # or torch's profiler tells of every start and stop
        environment.pop("PYTHONSAFEPATH", None)
        self.folder = folder
        self.process = subprocess.Popen(
            list(command) or [sys.executable, "-m", "bench.guard.worker"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def send(self, question: dict[str, Any]) -> None:
        """Ask, without waiting for the answer."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise GuardError(self._died()) from None

    def answer(self) -> dict[str, Any]:
        """To what was asked. GuardError if the process is gone, or says what is wrong."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise GuardError(self._died())
        found: dict[str, Any] = json.loads(line)
        if "error" in found:
            raise GuardError(f"the code in {self.folder} cannot be measured: {found['error']}")
        return found

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Both."""
        self.send(question)
        return self.answer()

    def stay(self, core: int) -> None:
        """Run on that core alone from here on."""
        with suppress(OSError):  # one that was taken away meanwhile
            os.sched_setaffinity(self.process.pid, {core})

    def _died(self) -> str:
        self.process.kill()
        _, errors = self.process.communicate()
        if "bench.guard" in errors and "No module named" in errors:
            return f"the code in {self.folder} is older than bench guard; name a later revision"
        last = (errors.strip().splitlines() or ["no reason given"])[-1]
        return f"the process of the code in {self.folder} ended: {last}"

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()


class Trio(NamedTuple):
    """Fresh processes: the reference, the present code, and the reference once more."""

    reference: Side
    present: Side
    again: Side


@contextmanager
def started(sides: Sides, subjects: Sequence[Subject]) -> Iterator[Trio]:
    """All three, prepared alike. GuardError if they do not do the same work."""
    with ExitStack() as stack:
        trio = Trio(*(Side(f) for f in (sides.reference, sides.present, sides.reference)))
        for side in trio:
            stack.callback(side.close)
        question = {
            "prepare": [list(subject) for subject in subjects],
            "device": sides.device,
            "data": None if sides.data is None else str(sides.data),
            "plugins": list(sides.plugins),
        }
        # one after the other: warming up is timed too
        answers = [side.ask(question) for side in trio]
        for side, told in zip(trio, answers, strict=True):
            _check(side, told, answers[0])
        yield trio


def _check(side: Side, told: dict[str, Any], other: dict[str, Any]) -> None:
    if told["protocol"] != PROTOCOL:
        raise GuardError(
            f"the code in {side.folder} speaks version {told['protocol']} of the guard's language, "
            f"this one {PROTOCOL}; compare with a later revision"
        )
    if told["strays"]:
        raise GuardError(
            f"the code in {side.folder} lacks {told['strays'][0]}, being older than bench guard; "
            "compare with a later revision"
        )
    unlike = [n for n, digest in told["workloads"].items() if other["workloads"].get(n) != digest]
    if unlike:
        raise GuardError(
            f"the two versions do not work on the same batches of {', '.join(unlike)}, so that "
            "times say nothing; leave those out with --task or --variant"
        )


def guard(
    sides: Sides,
    subjects: Sequence[Subject],
    threshold: float,
    minutes: float,
    report: Callable[[str], None],
    start: Callable[..., Any] = started,
) -> list[GuardRow]:
    """Rounds until every verdict stands or time is up; alarms are looked into in fresh processes.

    report: told what is going on.
    """
    until = time.perf_counter() + 60 * minutes
    trials: dict[str, list[Trial]] = {subject.name: [] for subject in subjects}
    counts: dict[str, dict[str, Any]] = {}
    looked_into = list(subjects)
    order = random.Random(time.time_ns())
    for number in range(SETS):
        with start(sides, looked_into) as trio:
            # an alarm must have time left to be confirmed in
            share = FIRST if number == 0 else 1.0
            now = time.perf_counter()
            stop = now + share * max(until - now, 0.0)
            found = {s.name: Trial(s.name, threshold) for s in looked_into}
            for name, trial in found.items():
                trials[name].append(trial)
            if number == 0:
                counts = {s.name: _differences(trio, s.name) for s in subjects}
            _rounds(trio, found, stop, order, report)
        alarmed = [
            subject
            for subject in looked_into
            if _open(trials[subject.name]) and time.perf_counter() < until
        ]
        if not alarmed:
            break
        looked_into = alarmed
        report(f"looking again at {len(alarmed)} in fresh processes")
    return [timed_row(trials[s.name], counts[s.name]) for s in subjects]


def _open(trials: Sequence[Trial]) -> bool:
    """Whether fresh processes would tell more: after the first alarm, or where one was not told."""
    verdicts = [trial.judged.verdict for trial in trials]
    if len(verdicts) == 1:
        return verdicts[0] in ("slower", "faster") or trials[0].false_alarm
    return verdicts[-1] == "cannot tell"


def _differences(trio: Trio, name: str) -> dict[str, tuple[int | None, int | None]]:
    trio.reference.send({"count": name})
    trio.present.send({"count": name})
    before, now = trio.reference.answer(), trio.present.answer()
    return {key: (before.get(key), now[key]) for key in now if before.get(key) != now[key]}


def _rounds(
    trio: Trio,
    trials: dict[str, Trial],
    stop: float,
    order: random.Random,
    report: Callable[[str], None],
) -> None:
    passes = {name: _passes(trio.reference, name) for name in trials}
    going = dict(trials)
    done = 0
    while going and time.perf_counter() < stop:
        for name in order.sample(list(going), len(going)):
            seconds = _timed(trio, name, passes[name], order)
            for place, ratios in enumerate(
                (going[name].present, going[name].again, going[name].planted), 1
            ):
                ratios.append(seconds[place] / seconds[0])
        done += 1
        if done in LOOKS:
            going = {name: trial for name, trial in going.items() if not trial.settled}
            report(f"{done} rounds, {len(going)} of {len(trials)} verdicts open")
        if done == LOOKS[-1]:
            break


def _timed(trio: Trio, name: str, passes: int, order: random.Random) -> list[float]:
    """One round of a subject: seconds of the reference, the present code, the reference again, and
    that with PLANTED more to do. passes: of a slice."""
    cores = _cores()
    if cores:
        # the others may be slower or busier, and a process likes to stay where it was
        core = order.choice(cores)
        for side in trio:
            side.stay(core)
    seconds, planted = [0.0] * len(trio), 0.0
    more = order.sample(range(SLICES), round(PLANTED * SLICES))
    for slice_ in range(SLICES):
        places = [*range(len(trio)), *([None] if slice_ in more else [])]
        for place in order.sample(places, len(places)):
            side = trio.again if place is None else trio[place]
            took = float(side.ask({"time": name, "passes": passes})["seconds"])
            if place is None:
                planted += took
            else:
                seconds[place] += took
    return [*seconds, seconds[-1] + planted]


def _cores() -> list[int]:
    """That processes can be told to run on; none where the system does not let them be told."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def _passes(side: Side, name: str) -> int:
    """Of a slice, by which a timing lasts long enough."""
    took = min(float(side.ask({"time": name, "passes": 1})["seconds"]) for _ in range(3))
    return math.ceil(WINDOW / SLICES / max(took, 1e-6))
