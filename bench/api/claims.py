"""Tries what others reported: plans the runs of claims, and judges the runs that there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.api.run import Execute, execute, tuning_runs
from bench.engines.contract import Engine
from bench.plan import claim_file
from bench.plan.claim_file import Claim, PlannedSides
from bench.plan.estimate import Estimate
from bench.plan.matrix import Plan
from bench.training.process import cached_task
from results import store as stores
from results.compare.claims import ClaimRow, ClaimSource, claim_rows
from results.record import Record
from results.seeds import Seeds
from results.store import Store
from results.tables.comparison_notes import duration_text
from results.tuning import choices, labelled
from tasks import Task


class PlannedClaim(NamedTuple):
    """A claim, as it was named, its task, and its runs on a device, with a folder of corpora."""

    given: str
    claim: Claim
    task: Task
    sides: PlannedSides
    device: str
    data: Path

    def again(self, known: Sequence[Record]) -> PlannedClaim:
        """Return the claim planned anew, given the tuning runs of a store."""
        return self._replace(sides=self.claim.plans(self.task, self.device, self.data, known))

    def records(self, store: Store | None) -> dict[str, list[Record]]:
        """Return the finished runs of each side, and what tuning chose of them.

        There are none without a store, or before tuning has chosen.
        """
        if store is None or not self.sides.chosen:
            return {side: [] for side in self.sides.plans}
        made = choices(store.tuning_runs()) if self.claim.tune else {}
        return {
            side: [
                labelled(record, made)
                for record in store.records([spec.id for spec in plan.specs], details=True)
            ]
            for side, plan in self.sides.plans.items()
        }


def planned_claims(
    names: Sequence[str],
    device: str,
    folder: Path,
    seeds: Seeds | None = None,
    redo: bool = False,
) -> list[PlannedClaim]:
    """Read claims and plan their runs.

    Args:
        names: Claims of the suite, or TOML files; all claims of the suite if empty.
        device: `cpu` or `cuda`.
        folder: The store, which holds corpora in its folder `data`.
        seeds: Those that all claims are tried with; None for each claim's own.
        redo: Tuning runs that failed by the machine's fault are to be done again.

    Raises:
        ValueError: A claim is unknown, a side of it does not apply, or seeds is no number of seeds.
    """
    data, known = folder / "data", tuning_runs(folder, redo)
    planned = []
    for name in names or claim_file.names():
        claim = claim_file.read_claim(name).with_seeds(seeds)
        task = cached_task(claim.task, data)
        sides = claim.plans(task, device, data, known)
        planned.append(PlannedClaim(name, claim, task, sides, device, data))
    return planned


def whole_plan(planned: Iterable[PlannedClaim]) -> Plan:
    """Return one plan of all runs that claims report, each run once."""
    return _together(plan for entry in planned for plan in entry.sides.plans.values())


def tuning_plan(planned: Iterable[PlannedClaim]) -> Plan:
    """Return one plan of the runs that choose what is not chosen yet; it is empty in the end."""
    return _together(entry.sides.tuning for entry in planned if not entry.sides.chosen)


def _together(plans: Iterable[Plan]) -> Plan:
    return Plan(tuple({spec.id: spec for plan in plans for spec in plan.specs}.values()), ())


class ClaimCost(NamedTuple):
    """States how many runs a claim needs, if none is stored, and their time by rule of thumb.

    runs: those that are reported. tuning: those that choose values first; where a choice lies at an
    edge there are some more. seconds: of all with one worker.
    """

    runs: int
    tuning: int
    seconds: float


def cost_of(planned: PlannedClaim) -> ClaimCost:
    """Return what a claim costs from the start."""
    start = planned.again(())
    specs = [spec for plan in start.sides.plans.values() for spec in plan.specs]
    tuning = start.sides.tuning.specs
    cost = Estimate({planned.claim.task: planned.task}, ())
    return ClaimCost(len(specs), len(tuning), sum(map(cost, (*specs, *tuning))))


def described(planned: PlannedClaim) -> dict[str, Any]:
    """Return what a claim says and how it is tried, and in `cost` its runs and their time."""
    cost = cost_of(planned)
    tuning = f" and {cost.tuning} that tune" * bool(cost.tuning)
    text = f"{cost.runs} runs{tuning}, {duration_text(cost.seconds)} of one core by rule of thumb"
    return planned.claim.description() | {"cost": text}


def run_claims(
    planned: Sequence[PlannedClaim], store: Store, engine: Engine, run: Execute = execute
) -> list[ClaimRow]:
    """Do the runs that claims need and the store does not hold, and return the verdicts.

    Runs that choose values for the sides come first.

    Args:
        planned: The claims.
        store: Opened for writing.
        engine: Does the runs.
        run: Does the runs of a plan, perhaps showing progress.
    """
    tasks = {entry.claim.task: entry.task for entry in planned}
    while (tuning := tuning_plan(planned)).specs:
        run(store, tuning, Estimate(tasks, store.all_runs()), engine)
        known = store.tuning_runs()
        planned = [entry.again(known) for entry in planned]
    run(store, whole_plan(planned), Estimate(tasks, store.all_runs()), engine)
    return verdict_rows(planned, store)


def stored_verdicts(planned: Sequence[PlannedClaim], folder: Path) -> list[ClaimRow]:
    """Return the verdicts by the runs of a store, which need not exist."""
    if not stores.exists(folder):
        return verdict_rows(planned, None)
    with stores.reading(folder) as store:
        return verdict_rows(planned, store)


def stored_records(planned: PlannedClaim, folder: Path) -> dict[str, list[Record]]:
    """Return the finished runs of each side of a claim; the store need not exist."""
    if not stores.exists(folder):
        return planned.records(None)
    with stores.reading(folder) as store:
        return planned.records(store)


def verdict_rows(planned: Iterable[PlannedClaim], store: Store | None) -> list[ClaimRow]:
    """Return a row per comparison of each claim, with its effect and verdict."""
    return [row for entry in planned for row in _rows_of(entry, entry.records(store))]


def _rows_of(planned: PlannedClaim, sides: Mapping[str, Sequence[Record]]) -> Iterable[ClaimRow]:
    claim = planned.claim
    source: ClaimSource = {
        "claim": claim.name,
        "given": planned.given,
        "about": claim.about,
        "source": claim.source,
    }
    return claim_rows(source, claim.task, claim.comparisons, sides, planned.task.metric)
