"""Finds the run of a store that solved a task and is nearest to one that did not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from results import metrics, naming
from results.grouping import budget_of, setting_text
from results.record import Record


class NearestSolved(NamedTuple):
    """The nearest run that solved the task, and what it had otherwise.

    differences: values of axes, budget or fault, each as `learning_rate=0.01 instead of 0.1`; none
    if only the seed differs. says: the same as a sentence.
    """

    run: str
    differences: tuple[str, ...]
    says: str


def nearest_solved(
    record: Record, others: Sequence[Record], suite: Mapping[str, Any]
) -> NearestSolved | None:
    """Return the nearest run that solved the same task; None if no run of the store did.

    Nearest has the fewest differences; among these, the one that took the fewest tokens.
    """
    solved = [
        other
        for other in others
        if other.task == record.task and other.id != record.id and other.outcome.get("to_target")
    ]
    if not solved:
        return None
    found = min(solved, key=lambda other: (len(_differences(record, other, suite)), _took(other)))
    differing = _differences(record, found, suite)
    variant = [other for other in others if _alike(other, found)]
    count = sum(bool(other.outcome.get("to_target")) for other in variant)
    had = ", ".join(differing) or f"seed {found.seed} instead of {record.seed}, nothing else"
    took = metrics.short(_took(found))
    says = (
        f"{found.id[:8]} solved it after {took} tokens with {had} "
        f"({count} of its {len(variant)} seeds did)"
    )
    return NearestSolved(found.id, tuple(differing), says)


def _took(record: Record) -> float:
    return float(record.outcome["to_target"]["tokens"])


def _alike(record: Record, other: Record) -> bool:
    """Return whether two runs differ in nothing but their seeds."""
    return {**record.spec, "seed": 0} == {**other.spec, "seed": 0}


def _differences(record: Record, other: Record, suite: Mapping[str, Any]) -> list[str]:
    ours, theirs = {**suite, **record.variant}, {**suite, **other.variant}
    found = naming.differences(theirs, ours)
    said = [
        f"{axis}={naming.text(value)} instead of "
        f"{naming.text(ours.get(naming.SHORTHANDS.get(axis, (axis,))[0]))}"
        for axis, value in found.items()
    ]
    budgets = [budget_of(setting_text(run)) for run in (other, record)]
    said += [f"{budgets[0]} instead of {budgets[1]}"] if budgets[0] != budgets[1] else []
    faults = [run.spec["fault"] for run in (other, record)]
    if faults[0] != faults[1]:
        said.append(f"fault {faults[0]}" if faults[0] else f"without the fault {faults[1]}")
    batches = [run.spec["budget"]["batch"] for run in (other, record)]
    said += [f"batch {batches[0]} instead of {batches[1]}"] if batches[0] != batches[1] else []
    return said
