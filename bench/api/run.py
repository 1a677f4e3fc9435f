"""Runs plans: records them in a store, finds the runs still to do, and does those."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from bench.engines.contract import Engine, Event
from bench.engines.driver import Watcher, drive, to_do
from bench.plan.matrix import Plan
from bench.specs import RunSpec
from results.store import Store
from variants import BASE

Cost = Callable[[RunSpec], float]
"""Estimates the seconds that a run takes."""
Execute = Callable[[Store, Plan, Cost, Engine], None]
"""Does the runs of a plan that the store does not hold."""


class Silent:
    """A watcher that ignores all events."""

    def heard(self, event: Event) -> None:
        """Ignore an event."""

    def waits(self) -> None:
        """Ignore that the disk is full."""


def begin(store: Store, plan: Plan, rerun: bool = False) -> list[RunSpec]:
    """Record a plan as the last one and return its runs that the store does not hold.

    Args:
        store: Opened for writing.
        plan: The runs asked for.
        rerun: Drop finished runs of the plan first, so that all are to do.
    """
    store.set_plan(plan.rows(), asdict(BASE))
    if rerun:
        store.drop(spec.id for spec in plan.specs)
    return to_do(plan.specs, store)


def execute(
    store: Store, plan: Plan, cost: Cost, engine: Engine, watcher: Watcher | None = None
) -> None:
    """Do the runs of a plan that the store does not hold, and keep their records in it.

    Raises:
        EngineError: No run can be started.
    """
    todo = begin(store, plan)
    if todo:
        drive(todo, cost, store, engine, watcher or Silent(), keep_weights=False)
