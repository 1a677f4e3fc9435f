"""Tries what others reported: plans the runs of claims, and judges the runs that there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.api.run import Execute, execute
from bench.engines.contract import Engine
from bench.plan import claim_file
from bench.plan.claim_file import Claim
from bench.plan.estimate import Estimate
from bench.plan.matrix import Plan
from bench.training.process import cached_task
from results import store as stores
from results.compare.claims import ClaimRow, ClaimSource, claim_rows
from results.record import Record
from results.seeds import Seeds
from results.store import Store
from tasks import Task


class PlannedClaim(NamedTuple):
    """A claim, as it was named, its task, and the runs of each of its sides."""

    given: str
    claim: Claim
    task: Task
    plans: Mapping[str, Plan]

    def records(self, store: Store | None) -> dict[str, list[Record]]:
        """Return the finished runs of each side; none where there is no store."""
        if store is None:
            return {side: [] for side in self.plans}
        return {
            side: list(store.records([spec.id for spec in plan.specs], details=True))
            for side, plan in self.plans.items()
        }


def planned_claims(
    names: Sequence[str], device: str, folder: Path, seeds: Seeds | None = None
) -> list[PlannedClaim]:
    """Read claims and plan their runs.

    Args:
        names: Claims of the suite, or TOML files; all claims of the suite if empty.
        device: `cpu` or `cuda`.
        folder: The store, which holds corpora in its folder `data`.
        seeds: Those that all claims are tried with; None for each claim's own.

    Raises:
        ValueError: A claim is unknown, a side of it does not apply, or seeds is no number of seeds.
    """
    data = folder / "data"
    planned = []
    for name in names or claim_file.names():
        claim = claim_file.read_claim(name).with_seeds(seeds)
        task = cached_task(claim.task, data)
        planned.append(PlannedClaim(name, claim, task, claim.plans(task, device, data)))
    return planned


def whole_plan(planned: Iterable[PlannedClaim]) -> Plan:
    """Return one plan of all runs that claims need, each run once."""
    specs = {
        spec.id: spec for entry in planned for plan in entry.plans.values() for spec in plan.specs
    }
    return Plan(tuple(specs.values()), ())


def run_claims(
    planned: Sequence[PlannedClaim], store: Store, engine: Engine, run: Execute = execute
) -> list[ClaimRow]:
    """Do the runs that claims need and the store does not hold, and return the verdicts.

    Args:
        planned: The claims.
        store: Opened for writing.
        engine: Does the runs.
        run: Does the runs of a plan, perhaps showing progress.
    """
    tasks = {entry.claim.task: entry.task for entry in planned}
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
    tuned = claim.rates == "tuned"
    return claim_rows(source, claim.task, claim.comparisons, sides, planned.task.metric, tuned)
