"""Findings of runs as rows, which `bench doctor --json` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from results import naming
from results.doctor.examined import Finding, examined_run
from results.doctor.nearest import nearest_solved
from results.doctor.rules import ASKED, findings
from results.doctor.state import state_of
from results.grouping import setting_text
from results.record import Record

Row = dict[str, Any]


def diagnose(
    records: Iterable[Record],
    suite: Mapping[str, Any],
    store: Sequence[Record] = (),
    kept: Callable[[str], bool] = lambda run: False,
) -> list[Row]:
    """Return a row for each run: its state, and its findings, None if it was not examined.

    Args:
        records: the runs, with their curves.
        suite: the suite's base variant.
        store: all runs, among which those that solved the same task are looked for.
        kept: returns whether a run, given its id, can go on from where it ended.
    """
    return [_row(record, suite, store, kept(record.id)) for record in records]


def _row(record: Record, suite: Mapping[str, Any], store: Sequence[Record], kept: bool) -> Row:
    run = examined_run(record)
    found = None if run is None else [_plain(finding) for finding in findings(run)]
    state = state_of(record, suite, store)
    solved = state.kind in ("solved", "solved late")
    nearest = None if solved else nearest_solved(record, store, suite)
    return {
        "run": record.id,
        "task": record.task,
        "setting": setting_text(record),
        "variant": naming.name(record.variant, suite),
        "seed": record.seed,
        "status": record.status,
        "state": state.kind,
        "state_says": state.says,
        "steps_to_go": None if state.steps is None else state.steps._asdict(),
        "longer": state.command,
        "goes_on": kept and not record.spec["fault"],  # with a fault, none is gone on with
        "nearest_solved": None if nearest is None else nearest._asdict(),
        "asked": _asked() if found == [] else None,
        "findings": found,
    }


def _asked() -> dict[str, list[str]]:
    """Return the names of all questions by what they ask about."""
    return {
        about: [rule.__name__.replace("_", "-") for rule in rules] for about, rules in ASKED.items()
    }


def _plain(finding: Finding) -> dict[str, Any]:
    """Return what rows hold of a finding; places and reasons are of watched scripts alone."""
    keys = ("cause", "sure", "evidence", "change", "remedy")
    return {key: getattr(finding, key) for key in keys}
