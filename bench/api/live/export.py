"""Tells a tracker of runs while another process does them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.api.live.following import Follower, RunUnderWay, Sight
from bench.api.store import is_of
from results.export.tracked import TrackedRun, Tracker, curve_values, export, final_values
from results.record import Record
from results.store import reading
from results.tuning import is_reported

Points = Sequence[Mapping[str, Any]]


class LiveExport:
    """Tells a tracker what is new at each look, and each run once.

    It reads the store alone: whoever does the runs does not wait for the tracker.
    """

    def __init__(self, folder: Path, tracker: Tracker, tasks: Sequence[str] | None = None) -> None:
        """Follow the last plan of a store.

        Args:
            folder: the store.
            tracker: is told of its runs.
            tasks: labels or names of tasks; None for all.
        """
        self._folder, self._tracker, self._tasks = folder, tracker, tasks
        self._follower = Follower(folder)
        self._open: dict[str, TrackedRun] = {}
        self._told: dict[str, int] = {}
        self._ended: dict[str, float] = {}
        self.added = 0
        """Number of runs that the tracker got whole."""

    def look(self, now: float) -> Sight:
        """Tell the tracker what is new, and return how the runs stand.

        Args:
            now: the time, in seconds since 1970.

        Raises:
            StoreError: There is no store, or it cannot be read.
            TrackerError: The tracker refuses.
        """
        sight = self._follower.look(now)
        for run in sight.running:
            if self._is_asked_for(run.begun.spec):
                self._tell(run)
        new = [one for one in reversed(sight.done) if self._is_asked_for(one.record.spec)]
        new = [one for one in new if self._ended.get(one.record.id) != one.at]
        with reading(self._folder) as store:
            for record in store.records([one.record.id for one in new], details=True):
                self._end(record)
        self._ended |= {one.record.id: one.at for one in new}
        return sight

    def _is_asked_for(self, spec: Mapping[str, Any]) -> bool:
        return is_reported(spec) and (self._tasks is None or is_of(str(spec["task"]), self._tasks))

    def _tell(self, run: RunUnderWay) -> None:
        """Tell the evaluations of a run that is being done, as far as they are new."""
        begun, name = run.begun, str(run.planned.id)
        told = self._told.get(name, 0)
        if name not in self._open or told > len(begun.points):  # it began again
            started = {"began": begun.at - run.seconds}
            self._open[name] = self._tracker.begin(Record(name, begun.spec, {}, started))
            told = 0
        news = _part(name, begun.spec, begun.points[told:], begun.clock[told:])
        self._open[name].log(list(curve_values(news)))
        self._told[name] = len(begun.points)

    def _end(self, record: Record) -> None:
        """Tell what is left to tell of a run that has ended."""
        run, told = self._open.pop(record.id, None), self._told.pop(record.id, 0)
        if run is None:
            self.added += export([record], self._tracker)
            return
        curve, clock = record.outcome.get("curve", []), record.measured.get("clock", [])
        news = _part(record.id, record.spec, curve[told:], clock[told:])
        run.log([*curve_values(news), *final_values(record)])
        run.end(record)
        self.added += 1


def _part(run: str, spec: Mapping[str, Any], points: Points, clock: Points) -> Record:
    """Return a record that holds a part of a run's curve alone."""
    return Record(run, spec, {"curve": points}, {"clock": clock})
