"""Examines stored runs that were not examined, and tests the advice of a diagnosis."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.engines.contract import Counting, EngineError, uncounted
from bench.engines.in_process import run_in_process
from bench.plan.again import as_advised, as_installed
from bench.plugins.loading import digest_of
from bench.specs import RunSpec
from bench.training.process import cached_task
from results.doctor.cure import improvement
from results.doctor.examined import examined_run
from results.doctor.rules import findings
from results.errors import StoreError
from results.naming import name
from results.record import Record
from results.store import reading, writing
from variants import axes, inapplicable

FOUND = ("health", "findings")
"""Keys of an outcome that an examination adds."""
NEAR = 1e-2
"""Relative difference up to which losses of a replica and of its run alone differ by rounding."""


def examine_again(record: Record, folder: Path, count: Counting = uncounted) -> Record:
    """Run a stored run again with an examination, and return its record with what was found.

    If the outcome is identical, the examination is stored in the old record, which keeps its
    timings; a run that was trained with others, as replicas, may differ by rounding. Where another
    driver holds the store, the examination is only returned. count: called with the step that is
    reached, and how many there are.

    Raises:
        ValueError: The spec cannot be run by this version, or its plugin is not loaded.
        EngineError: The run fails now.
    """
    _check_plugin(record)
    again = run_in_process(
        as_installed(RunSpec.read(dict(record.spec))), folder / "data", examined=True, count=count
    )
    if again.status == "failed":
        raise EngineError(f"it now fails: {again.outcome['error']}; the run stays as it was")
    kept = {key: record.outcome[key] for key in ("outputs",) if key in record.outcome}
    if _is_replica(record) and _is_near(record, again):
        found = {key: again.outcome[key] for key in FOUND if key in again.outcome}
        examined, same = (
            Record(record.id, record.spec, {**record.outcome, **found}, record.measured),
            True,
        )
    else:
        examined = Record(record.id, record.spec, {**again.outcome, **kept}, record.measured)
        same = again.id == record.id and _without_findings(record) == _without_findings(examined)
    if same:
        with contextlib.suppress(StoreError), writing(folder) as store:
            store.add(examined)
    return examined


def _check_plugin(record: Record) -> None:
    """Raise a ValueError for a run of a plugin that is not loaded."""
    if record.spec.get("plugin") and not digest_of(record.task, record.variant):
        raise ValueError(f"run {record.id} was made with a plugin; give it with --plugin FILE")


def _without_findings(record: Record) -> dict[str, Any]:
    """Return an outcome without what an examination adds to it."""
    return {**record.outcome, **dict.fromkeys(FOUND, 0)}


def _is_replica(record: Record) -> bool:
    """Return whether a run was trained together with others."""
    return bool(record.spec["execution"] == "replicas")


def _is_near(record: Record, again: Record) -> bool:
    """Return whether a replica and the same run by itself differ by no more than rounding."""
    ours, theirs = record.outcome, again.outcome
    if any(ours.get(key) != theirs.get(key) for key in ("status", "steps", "best_step")):
        return False
    losses = [[point["loss"] for point in outcome.get("curve", ())] for outcome in (ours, theirs)]
    if len(losses[0]) != len(losses[1]):
        return False
    # a loss that is not finite is None
    return all(
        bool(a == b) or (a is not None and b is not None and math.isclose(a, b, rel_tol=NEAR))
        for a, b in zip(*losses, strict=True)
    )


@dataclass(frozen=True)
class Cure:
    """The outcome of a run that was done again as its first finding advises.

    Attributes:
        run: Id of the stored run.
        cause: What the doctor found.
        change: What it advised.
        tried: Id of the run that tested the advice.
        variant: What that run had otherwise than the stored one, or its variant if none of that.
        helped: It came out better.
        scored: It did so by its score, not by its loss alone.
        said: Scores and losses before and now, as text.
    """

    run: str
    cause: str
    change: str
    tried: str
    variant: str
    helped: bool
    said: str
    scored: bool


def confirm(
    record: Record, suite: Mapping[str, Any], folder: Path, count: Counting = uncounted
) -> Iterator[Cure]:
    """Do a run again as its first finding advises, remedy by remedy until one helps.

    Yields what came of each, up to the first that helps the score; a lower loss alone does not end
    the search, as a model may give the same outputs with more certainty.

    Args:
        record: The stored run, examined.
        suite: The suite's base variant, for names.
        folder: The store, which keeps the new run.
        count: Called with the step that a run has reached, and how many there are.

    Raises:
        ValueError: Nothing was found, or the advice changes nothing or does not apply.
        EngineError: The new run cannot be done.
        StoreError: Another driver holds the store.
    """
    examined = examined_run(record)
    found = findings(examined) if examined else []
    if not found:
        raise ValueError(f"nothing was found in run {record.id}, so there is no advice to test")
    _check_plugin(record)
    first = found[0]
    for number, remedy in enumerate((first.remedy, *first.others)):
        try:
            done = _stored_or_run(as_advised(record, first, remedy), folder, count)
        except ValueError:
            if number:
                continue  # a further remedy that does not apply here is none
            raise
        found_better = improvement(record, done)
        yield Cure(
            record.id,
            first.cause,
            first.change,
            done.id,
            _changes(done, record, suite),
            found_better.helped,
            found_better.text,
            found_better.scored,
        )
        if found_better.scored:
            return


def _changes(done: Record, record: Record, suite: Mapping[str, Any]) -> str:
    """Return what a run's variant has otherwise than a stored one's, or its name if it has not."""
    changed = name(done.variant, record.variant)
    return name(done.variant, suite) if changed == "base" else changed


def _stored_or_run(spec: RunSpec, folder: Path, count: Counting) -> Record:
    """Return a run's record from the store, or run it now and keep it there."""
    task = cached_task(spec.task, folder / "data")
    reason = inapplicable(axes.from_record(spec.variant), task.facts.tagging)
    if reason:
        raise ValueError(f"the advice does not apply here: {reason}")
    with reading(folder) as store:
        known = list(store.records([spec.id], details=True))
    if known:
        return known[0]
    with writing(folder) as store:
        store.begin(spec.id, spec.plain())
        record = run_in_process(spec, folder / "data", keep=store.keep_outputs, count=count)
        store.add(record)
    return record
