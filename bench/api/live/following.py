"""Follows the runs that another process does, by reading its store. Loads no torch."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.plan.estimate import share_done
from bench.plan.remaining import Remaining, TimeLeft
from bench.specs import RunSpec
from results import store as stores
from results.grouping import test_score
from results.journal import UnderWay
from results.record import Record
from results.store import Planned, Store

LOOKED_EVERY = 2.0
"""Seconds between two looks at a store."""
RATE_SECONDS = 300.0
"""Seconds over which a rate is taken."""
LATEST = 5
"""Number of finished runs that are told one by one."""


class RunUnderWay(NamedTuple):
    """Holds a run that is being done.

    begun: what its journal says so far. steps: of its budget, 0 for another kind of budget. share:
    of its budget that is used up.
    """

    planned: Planned
    begun: UnderWay
    steps: int
    share: float

    @property
    def last(self) -> Mapping[str, Any] | None:
        """Return its last evaluation; None before the first."""
        return self.begun.points[-1] if self.begun.points else None

    @property
    def seconds(self) -> float:
        """Return the seconds spent on it by then."""
        return sum(self.begun.clock[-1].values()) if self.begun.clock else 0.0


class RunDone(NamedTuple):
    """Holds a run that has ended, and when, in seconds since 1970."""

    planned: Planned
    record: Record
    at: float

    @property
    def seconds(self) -> float:
        """Return how long it took."""
        return float(self.record.measured.get("run_seconds") or 0.0)

    @property
    def score(self) -> float | None:
        """Return its deciding score on test; None if it has none."""
        return test_score(self.record.outcome)


class Sight(NamedTuple):
    """Says how far a matrix is at one moment.

    planned: number of its runs. done: those that ended, the latest first. running: those that are
    being done. waiting: number of the others. per_minute: runs that ended per minute; None if
    nothing ended lately. left: None until a run has ended. active: a driver is at work.
    """

    planned: int
    done: Sequence[RunDone]
    running: Sequence[RunUnderWay]
    waiting: int
    per_minute: float | None
    left: TimeLeft | None
    active: bool

    @property
    def statuses(self) -> Counter[str]:
        """Return how many runs ended in which way."""
        return Counter(one.record.status for one in self.done)


class Follower:
    """Looks at a store again and again; what was read once is not read again.

    It writes nothing, and opens the store for each look alone.
    """

    def __init__(self, folder: Path) -> None:
        """Follow the last plan of the store in a folder."""
        self._folder = folder
        self._known: dict[str, tuple[float, Record]] = {}

    def look(self, now: float) -> Sight:
        """Return how things stand.

        Args:
            now: the time, in seconds since 1970.

        Raises:
            StoreError: There is no store, or it cannot be read.
        """
        with stores.reading(self._folder) as store:
            planned = {one.id: one for one in store.plan() if one.id is not None}
            self._read_new(store)
            done = self._done(planned, store.again())
            active = stores.has_driver(self._folder)
            ended = {one.record.id for one in done}
            todo = [one for run, one in planned.items() if run not in ended]
            running = _running(store, todo) if active else []
        return Sight(
            planned=len(planned),
            done=done,
            running=running,
            waiting=len(todo) - len(running),
            per_minute=_rate(done, now),
            left=_left(done, running, todo, now) if done and active else None,
            active=active,
        )

    def _read_new(self, store: Store) -> None:
        """Read the runs that ended, or ended again, since the last look."""
        times = store.finished_at()
        new = [run for run, at in times.items() if self._known.get(run, (0.0,))[0] != at]
        for record in store.records(new):
            self._known[record.id] = (times[record.id], record)

    def _done(self, planned: Mapping[str, Planned], again: set[str]) -> list[RunDone]:
        done = [
            RunDone(one, record, at)
            for run, one in planned.items()
            if run not in again and run in self._known
            for at, record in [self._known[run]]
        ]
        return sorted(done, key=lambda one: one.at, reverse=True)


def _running(store: Store, todo: Iterable[Planned]) -> list[RunUnderWay]:
    """Return the runs that the driver is at, as far as their journals say."""
    found = []
    for one in todo:
        begun = store.journal.under_way(str(one.id))
        if begun is not None:
            spec = RunSpec.read(dict(begun.spec))
            share = share_done(spec, begun.points[-1]) if begun.points else 0.0
            found.append(RunUnderWay(one, begun, spec.budget.steps, share))
    # a driver that was killed left journals too: those of this one were written last
    found.sort(key=lambda run: run.begun.at, reverse=True)
    count = store.engine_state().get("running")
    return found if count is None else found[:count]


def _rate(done: Sequence[RunDone], now: float) -> float | None:
    """Return how many runs ended per minute of late; None if none did."""
    late = [one for one in done if one.at > now - RATE_SECONDS]
    if not late:
        return None
    first = min(one.at - one.seconds for one in late)
    return 60 * len(late) / min(max(now - first, 1.0), RATE_SECONDS)


def _left(
    done: Sequence[RunDone], running: Sequence[RunUnderWay], todo: Sequence[Planned], now: float
) -> TimeLeft:
    """Estimate the time left from what the runs so far took, those of the same variant first."""
    costs = _Costs(done)
    expected = {str(one.id): costs.of(one) for one in (*(ended.planned for ended in done), *todo)}
    remaining = Remaining(expected, max(len(running), 1))
    for ended in reversed(done):
        remaining.started(ended.record.id, ended.at - ended.seconds)
        remaining.ended(ended.record.id, ended.at)
    for run in running:
        remaining.started(str(run.planned.id), run.begun.at - run.seconds)
        remaining.advanced(str(run.planned.id), run.share, run.begun.at)
    return remaining.left(now)


class _Costs:
    """Knows the seconds that a run takes: those of its variant, its task, or of any run."""

    def __init__(self, done: Sequence[RunDone]) -> None:
        self._seconds: dict[tuple[str, ...], list[float]] = {}
        for one in done:
            for key in self._keys(one.planned):
                self._seconds.setdefault(key, []).append(one.seconds)
        self._means = {key: statistics.fmean(found) for key, found in self._seconds.items()}

    @staticmethod
    def _keys(planned: Planned) -> list[tuple[str, ...]]:
        return [(planned.task, planned.variant), (planned.task,), ()]

    def of(self, planned: Planned) -> float:
        """Return the seconds of a run like this one."""
        return next(self._means[key] for key in self._keys(planned) if key in self._means)
