"""Gives what a store holds as pandas DataFrames, one row for each run, evaluation or output."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from bench.api.store import find_run, runs_of
from bench.notebook.stores import Names, folder_of, names, sentences
from results import naming
from results.grouping import setting_text, test_score
from results.record import Record
from results.store import reading

KINDS = {
    "seed": "int64",
    "steps": "int64",
    "tokens": "int64",
    "score": "float64",
    "train_seconds": "float64",
    "tokens_per_second": "float64",
    "tokens_to_target": "float64",
    "seconds_to_target": "float64",
    "peak_mib": "float64",
    "parameters": "Int64",
}
"""Data types of the columns of `runs` that are numbers; NaN where a run has none."""
MIB = 2**20


@sentences()
def runs(store: str | Path | None = None, task: Names = None) -> pd.DataFrame:
    """Return one row per finished run, with its id as index.

    Columns: task, setting, variant, seed, status, metric, score (on test), steps, tokens (target
    tokens trained on), train_seconds, tokens_per_second, tokens_to_target, seconds_to_target,
    peak_mib, parameters, findings (causes that the doctor found), and each axis that varies.

    Args:
        store: Folder of the store; None for BENCH_STORE or `.bench`.
        task: Labels or names of tasks; None for all.

    Raises:
        ValueError: There is no store, or no such run.
    """
    with reading(folder_of(store)) as opened:
        records, suite = runs_of(opened, names(task)), opened.base()
    base = naming.shared_base([record.variant for record in records], suite)
    frame = pd.DataFrame([_run_row(record, base) for record in records]).set_index("run")
    present = {axis: [r.variant.get(axis, suite.get(axis)) for r in records] for axis in base}
    for axis, values in present.items():
        if len(set(map(str, values))) > 1:
            frame[axis] = values
    return frame.astype(KINDS)


def _run_row(record: Record, base: dict[str, Any]) -> dict[str, Any]:
    outcome, measured = record.outcome, record.measured
    peak = measured.get("peak_bytes")
    return {
        "run": record.id,
        "task": record.task,
        "setting": setting_text(record),
        "variant": naming.name(record.variant, base),
        "seed": record.seed,
        "status": record.status,
        "metric": outcome.get("metric"),
        "score": test_score(outcome),
        "steps": outcome.get("steps", 0),
        "tokens": outcome.get("tokens", 0),
        "train_seconds": measured.get("train_seconds"),
        "tokens_per_second": measured.get("tokens_per_second"),
        "tokens_to_target": (outcome.get("to_target") or {}).get("tokens"),
        "seconds_to_target": measured.get("seconds_to_target"),
        "peak_mib": None if peak is None else peak / MIB,
        "parameters": outcome.get("parameters"),
        "findings": ", ".join(outcome.get("findings") or ()),
    }


@sentences()
def curves(store: str | Path | None = None, task: Names = None) -> pd.DataFrame:
    """Return one row per run and evaluation while training.

    Columns: run, task, variant, seed, step, tokens, epoch, loss (mean per token in nats, of the
    training steps since the last evaluation), valid_loss, the scores on validation examples, and
    what else was measured there. Arguments and errors as in `runs`.
    """
    with reading(folder_of(store)) as opened:
        records, suite = runs_of(opened, names(task), details=True), opened.base()
    base = naming.shared_base([record.variant for record in records], suite)
    return pd.DataFrame([row for record in records for row in _points(record, base)])


def _points(record: Record, base: dict[str, Any]) -> Iterator[dict[str, Any]]:
    named = _named(record, base)
    for point in record.outcome.get("curve") or ():
        yield {**named, **point}


@sentences()
def outputs(run: str, store: str | Path | None = None) -> pd.DataFrame:
    """Return the outputs that a run keeps, one row each: source, reference, output, ended.

    Args:
        run: A run's id, or its first digits.
        store: Folder of the store; None for BENCH_STORE or `.bench`.

    Raises:
        ValueError: There is no such store or run.
    """
    with reading(folder_of(store)) as opened:
        (record,) = opened.records([find_run(opened, run)], details=True)
    return pd.DataFrame(record.outcome.get("samples") or [])


def _named(record: Record, base: dict[str, Any]) -> dict[str, Any]:
    return {
        "run": record.id,
        "task": record.task,
        "variant": naming.name(record.variant, base),
        "seed": record.seed,
    }
