"""Finds runs that can go on from where a shorter one ended, instead of starting anew.

With `--keep-weights` a run keeps its training state too. A longer run of the same course
(`RunSpec.course`) that begins in that state ends bit for bit as if it had begun at step 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from bench.specs import RunSpec
from results.record import Record

ENDED_WELL = ("finished", "solved")
"""Statuses of runs that can go on."""


class Ended(NamedTuple):
    """A run that ended after so many steps. reached: whether it reached its target."""

    steps: int
    run: str
    reached: bool


@dataclass(frozen=True)
class Longer:
    """The runs of a plan, of which some go on from shorter ones.

    Attributes:
        specs: The runs.
        origins: For each run that goes on, its id and that of the run it goes on from.
        anew: Number of runs that start at step 0, though a shorter one of theirs is stored.
    """

    specs: tuple[RunSpec, ...]
    origins: Mapping[str, str] = field(default_factory=dict)
    anew: int = 0


def going_on(
    specs: Sequence[RunSpec], records: Iterable[Record], kept: Callable[[str], bool]
) -> Longer:
    """Return the runs of a plan, those that go on with the evaluations of their shorter runs.

    A budget decides how often a run is evaluated, unless a matrix does. So a longer run would be
    evaluated at other steps, and could not go on. Where all runs of a plan can go on from shorter
    ones that were evaluated equally often, they are evaluated so too; else all are left as they
    are, because runs that are compared must be evaluated alike.

    Args:
        specs: The runs of the plan.
        records: Finished runs of the store.
        kept: Returns whether the training state of a run, given its id, is in the store.
    """
    shorter = _Shorter(specs, records, kept)
    as_they_are = _linked(specs, shorter)
    intervals = shorter.intervals - {spec.budget.interval for spec in specs}
    if as_they_are.origins or not intervals:
        return as_they_are
    for interval in sorted(intervals):
        changed = [_every(spec, interval) for spec in specs]
        linked = _linked(changed, shorter)
        done = sum(spec.id in shorter.stored for spec in changed)
        if len(linked.origins) + done == len(specs):
            return linked
    return as_they_are


def _every(spec: RunSpec, interval: int) -> RunSpec:
    """Return a spec with an interval; one that a matrix set stays."""
    if spec.budget.every or not spec.budget.steps:
        return spec
    return replace(spec, budget=replace(spec.budget, every=interval))


def _linked(specs: Sequence[RunSpec], shorter: _Shorter) -> Longer:
    """Return specs as they are, with the origins that they have.

    A run that ends when it is flat may have had to end before a shorter one did: it begins anew.
    """
    able = [spec for spec in specs if spec.budget.stop != "plateau"]
    todo = [spec for spec in able if spec.id not in shorter.stored]
    found = {spec.id: shorter.origin(spec) for spec in todo}
    origins = {run: origin for run, origin in found.items() if origin}
    anew = sum(shorter.has_any(spec) for spec in todo if spec.id not in origins)
    return Longer(tuple(specs), origins, anew)


class _Shorter:
    """Finished runs of a store, to be found by their course.

    intervals: between evaluations, of runs that kept their training state. stored: ids.
    """

    def __init__(
        self, specs: Sequence[RunSpec], records: Iterable[Record], kept: Callable[[str], bool]
    ) -> None:
        wanted = {(spec.task, spec.seed) for spec in specs if spec.budget.steps and not spec.fault}
        self.stored: set[str] = set()
        self.intervals: set[int] = set()
        self._ended: dict[str, list[Ended]] = {}
        self._lengths: dict[str, int] = {}
        for record in records:
            self.stored.add(record.id)
            if (record.task, record.seed) in wanted and record.status in ENDED_WELL:
                self._note(record, kept(record.id))

    def _note(self, record: Record, kept: bool) -> None:
        try:
            spec = RunSpec.read(dict(record.spec))
        except ValueError:  # of another version, which goes another course
            return
        steps = int(record.outcome["steps"])
        one = _every(replace(spec, budget=replace(spec.budget, every=0)), 1).course
        self._lengths[one] = min(self._lengths.get(one, steps), steps)
        if kept and steps % spec.budget.interval == 0:
            reached = record.outcome.get("to_target") is not None
            self._ended.setdefault(spec.course, []).append(Ended(steps, record.id, reached))
            self.intervals.add(spec.budget.interval)

    def origin(self, spec: RunSpec) -> str:
        """Return the id of the longest run that this one can go on from; empty if there is none."""
        fitting = [
            ended
            for ended in self._ended.get(spec.course, [])
            if ended.steps < spec.budget.steps
            # a run that stops at the target would have stopped there
            and not (ended.reached and spec.budget.stop == "solved")
        ]
        return max(fitting).run if fitting else ""

    def has_any(self, spec: RunSpec) -> bool:
        """Return whether a shorter run is stored, however often it was evaluated."""
        one = _every(replace(spec, budget=replace(spec.budget, every=0)), 1).course
        return self._lengths.get(one, spec.budget.steps) < spec.budget.steps
