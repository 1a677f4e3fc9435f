"""Findings of runs as rows, which `bench doctor --json` prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from results import naming
from results.doctor.examined import Finding, examined_run
from results.doctor.rules import findings
from results.grouping import setting_text
from results.record import Record

Row = dict[str, Any]


def diagnose(records: Iterable[Record], suite: Mapping[str, Any]) -> list[Row]:
    """Return a row for each run, with its findings, or None for them if it was not examined."""
    return [_row(record, suite) for record in records]


def _row(record: Record, suite: Mapping[str, Any]) -> Row:
    run = examined_run(record)
    return {
        "run": record.id,
        "task": record.task,
        "setting": setting_text(record),
        "variant": naming.name(record.variant, suite),
        "seed": record.seed,
        "status": record.status,
        "findings": None if run is None else [_plain(finding) for finding in findings(run)],
    }


def _plain(finding: Finding) -> dict[str, Any]:
    """Return what rows hold of a finding; places and reasons are of watched scripts alone."""
    keys = ("cause", "sure", "evidence", "change", "remedy")
    return {key: getattr(finding, key) for key in keys}
