"""Times two versions of the code in pairs, in fresh processes, with a check of the method itself.

A round times every subject in three processes: the reference, the present code, and the reference
once more. The third shows how far two processes of identical code differ. A fourth time, that of
the third process with PLANTED more to do, shows whether a real slow-down would be found.
"""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from bench.guard.processes import GuardSetup, ProcessTrio, VersionProcess, started
from bench.guard.subjects import Subject
from results.guard.verdict import LOOKS, PLANTED, GuardRow, Trial, timed_row

TIMING_SECONDS = 0.05
"""Least number of seconds that one timing lasts."""
SLICES = 10
"""Number of slices that a timing is divided into.

The slices of all processes are mixed: where another program takes half of the core for a moment,
it slows down all processes equally. PLANTED * SLICES is a whole number.
"""
FIRST_SHARE = 0.6
"""Share of the time that the first set of processes gets; the rest is for confirming alarms."""
MOST_SETS = 3
"""Largest number of sets of fresh processes in which a subject is timed."""


def time_versions(
    setup: GuardSetup,
    subjects: Sequence[Subject],
    threshold: float,
    minutes: float,
    report: Callable[[str], None],
    start: Callable[..., Any] = started,
) -> list[GuardRow]:
    """Time rounds until every verdict is settled or the time is up, and return a row per subject.

    An alarm is confirmed in fresh processes, as two processes of identical code differ a little
    for as long as they live.

    Args:
        threshold: The slow-down that matters, as a share.
        minutes: The time limit.
        report: Called with sentences about the progress.
        start: Starts the three processes.

    Raises:
        GuardError: Nothing can be measured.
    """
    until = time.perf_counter() + 60 * minutes
    trials: dict[str, list[Trial]] = {subject.name: [] for subject in subjects}
    counts: dict[str, dict[str, tuple[int | None, int | None]]] = {}
    remaining = list(subjects)
    order = random.Random(time.time_ns())
    for share in (FIRST_SHARE, *[1.0] * (MOST_SETS - 1)):
        with start(setup, remaining) as trio:
            now = time.perf_counter()
            stop = now + share * max(until - now, 0.0)
            current = _new_trials(trials, remaining, threshold)
            # counts are the same in every set
            counts = counts or {s.name: _different_counts(trio, s.name) for s in subjects}
            _rounds(trio, current, stop, order, report)
        remaining = [s for s in remaining if _needs_another_set(trials[s.name])]
        if not remaining or time.perf_counter() >= until:
            break
        report(f"looking again at {len(remaining)} in fresh processes")
    return [timed_row(trials[s.name], counts[s.name]) for s in subjects]


def _new_trials(
    trials: dict[str, list[Trial]], subjects: Sequence[Subject], threshold: float
) -> dict[str, Trial]:
    """Begin a trial of each of these subjects, and add it to the subject's trials."""
    current = {subject.name: Trial(subject.name, threshold) for subject in subjects}
    for name, trial in current.items():
        trials[name].append(trial)
    return current


def _needs_another_set(trials: Sequence[Trial]) -> bool:
    """Return whether fresh processes could settle a subject: its first alarm, or no verdict yet."""
    verdicts = [trial.judged.verdict for trial in trials]
    if len(verdicts) == 1:
        return verdicts[0] in ("slower", "faster") or trials[0].false_alarm
    return verdicts[-1] == "cannot tell"


def _different_counts(trio: ProcessTrio, name: str) -> dict[str, tuple[int | None, int | None]]:
    """Return the counts of a subject that differ, as (reference, present)."""
    # both count at the same time, as counts do not depend on the load
    trio.reference.send({"count": name})
    trio.present.send({"count": name})
    before, now = trio.reference.answer(), trio.present.answer()
    return {key: (before.get(key), now[key]) for key in now if before.get(key) != now[key]}


def _rounds(
    trio: ProcessTrio,
    trials: dict[str, Trial],
    stop: float,
    order: random.Random,
    report: Callable[[str], None],
) -> None:
    """Time rounds of all subjects, in random order, until all are settled or the time is up."""
    passes = {name: _passes(trio.reference, name) for name in trials}
    unsettled = dict(trials)
    done = 0
    while unsettled and time.perf_counter() < stop:
        for name in order.sample(list(unsettled), len(unsettled)):
            reference, present, again, planted = _timed(trio, name, passes[name], order)
            trial = unsettled[name]
            trial.present.append(present / reference)
            trial.again.append(again / reference)
            trial.planted.append(planted / reference)
        done += 1
        # verdicts are looked at a few times only: each look is another chance of a false alarm
        if done in LOOKS:
            unsettled = {name: trial for name, trial in unsettled.items() if not trial.settled}
            report(f"{done} rounds, {len(unsettled)} of {len(trials)} verdicts open")
        if done == LOOKS[-1]:
            break


def _timed(trio: ProcessTrio, name: str, passes: int, order: random.Random) -> list[float]:
    """Time one round of a subject.

    Args:
        passes: The number of passes in a slice.

    Returns:
        Seconds of the reference, the present code, the reference once more, and of that with
        PLANTED more to do.
    """
    cores = _cores()
    if cores:
        # other cores may be slower or busier, and a process tends to stay on its own
        core = order.choice(cores)
        for process in trio:
            process.pin(core)
    seconds, planted = [0.0] * len(trio), 0.0
    with_more = order.sample(range(SLICES), round(PLANTED * SLICES))
    for number in range(SLICES):
        # None stands for the planted work, which the third process does
        places = [*range(len(trio)), *([None] if number in with_more else [])]
        for place in order.sample(places, len(places)):
            process = trio.again if place is None else trio[place]
            took = float(process.ask({"time": name, "passes": passes})["seconds"])
            if place is None:
                planted += took
            else:
                seconds[place] += took
    return [*seconds, seconds[-1] + planted]


def _cores() -> list[int]:
    """Return the cores that processes can be pinned to; none if the system does not support it."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def _passes(process: VersionProcess, name: str) -> int:
    """Return the number of passes in a slice, such that a timing lasts long enough."""
    took = min(float(process.ask({"time": name, "passes": 1})["seconds"]) for _ in range(3))
    return math.ceil(TIMING_SECONDS / SLICES / max(took, 1e-6))
