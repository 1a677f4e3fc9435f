"""Gives what a store holds as pandas DataFrames, one row for each run, evaluation or output."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.api.outputs import example_rows, read_outputs
from bench.api.rescore import OwnMetric, rescore
from bench.api.store import check_tasks, choose, is_of, runs_of, with_trends
from bench.notebook.stores import Names, RunName, folder_of, names, run_of, sentences
from bench.specs import BATCHING
from results import naming
from results.grouping import budget_of, setting_text, test_score
from results.mistakes import ExampleRow
from results.record import Record
from results.stats.flattening import trend_of
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
RUN_SETTINGS = (
    "budget",
    "batch",
    "stop",
    "batching",
    "decoding",
    "fault",
    "device",
    "execution",
    "data",
    "plugin",
    "torch",
)
"""Settings besides the axes that are columns of `runs` where they vary."""
MIB = 2**20


@sentences()
def runs(
    store: str | Path | None = None,
    task: Names = None,
    *,
    stores: Sequence[str | Path] | None = None,
) -> pd.DataFrame:
    """Return one row per finished run, with its id as index.

    Columns: task, setting, variant, seed, status, trend (whether it had flattened when training
    ended: `flattened`, `still rising`, `cannot tell`), metric, score (on test), steps, tokens
    (target tokens trained on), train_seconds, tokens_per_second, tokens_to_target,
    seconds_to_target, peak_mib, parameters, findings (causes that the doctor found), machine (times
    compare on one alone), and what varies of the axes and of budget, batch, stop, batching,
    decoding, fault, device, execution, data, plugin (its digest) and torch.

    Args:
        store: Folder of the store; None for BENCH_STORE or `.bench`.
        task: Labels or names of tasks; None for all.
        stores: Folders of several stores instead; a run that several have is taken from the first,
            unless it failed there.

    Raises:
        ValueError: There is no store, or no such run; or both store and stores were given.
    """
    records, suite = _records_of(_folders(store, stores), names(task))
    base = naming.shared_base([record.named for record in records], suite)
    frame = pd.DataFrame([_run_row(record, base) for record in records]).set_index("run")
    tasks = [record.task for record in records]
    for name, values in _present(records, base, suite).items():
        # each task has data of its own, which is no difference
        if _varies(values, of_each=tasks if name == "data" else [""] * len(tasks)):
            frame[name] = values
    return frame.astype(KINDS)


def _folders(store: str | Path | None, stores: Sequence[str | Path] | None) -> Sequence[str | Path]:
    """Return the folders of the stores to read, of which a caller names one or several."""
    if stores is None:
        return [folder_of(store)]
    if store is not None:
        raise ValueError("store and stores were both given; give all folders as stores")
    if not stores:
        raise ValueError("stores is empty; give the folder of one store or more")
    return stores


def _present(
    records: Sequence[Record], axes: Iterable[str], suite: dict[str, Any]
) -> dict[str, list[Any]]:
    """Return the value of each axis and of each setting, run by run."""
    values = {axis: [r.variant.get(axis, suite.get(axis)) for r in records] for axis in axes}
    return values | {name: [_setting(r, name) for r in records] for name in RUN_SETTINGS}


def _varies(values: Sequence[Any], of_each: Sequence[str]) -> bool:
    """Return whether runs of which these are alike have different values."""
    return len(set(zip(of_each, map(str, values), strict=True))) > len(set(of_each))


def _setting(record: Record, name: str) -> Any:
    """Return a setting of a run; its budget in words, such as `500 steps`."""
    budget = record.spec["budget"]
    if name == "budget":
        return budget_of(setting_text(record))
    written = {"batching": BATCHING[0], **budget}
    return record.spec[name] if name in record.spec else written.get(name)


def _records_of(
    folders: Sequence[str | Path], tasks: Sequence[str] | None
) -> tuple[list[Record], dict[str, Any]]:
    """Return the runs of stores, each once, and the suite's base as the first that has one.

    A store need not have runs of these tasks if another has.
    """
    if len(folders) == 1:
        # what is lacking is said of this store
        with reading(Path(folders[0])) as opened:
            records = with_trends(opened, runs_of(opened, tasks))
            return sorted(records, key=lambda record: record.id), opened.base()
    found, suite = _each_once(folders)
    if not found:
        raise ValueError(f"none of {', '.join(map(str, folders))} has a finished run; name others")
    if tasks:
        check_tasks(found, tasks)
    return [record for record in found if not tasks or is_of(record.task, tasks)], suite


def _each_once(folders: Sequence[str | Path]) -> tuple[list[Record], dict[str, Any]]:
    """Return all runs of several stores by id, and the base of the first store that has one.

    A run that several have is taken from the first in which it did not fail.
    """
    found: dict[str, Record] = {}
    suite: dict[str, Any] = {}
    for folder in folders:
        with reading(Path(folder)) as opened:
            suite = suite or opened.base()
            for record in with_trends(opened, list(opened.records())):
                known = found.get(record.id)
                if known is None or (known.status == "failed" and record.status != "failed"):
                    found[record.id] = record
    return [found[run] for run in sorted(found)], suite


def _machine(record: Record) -> str:
    """Return the host and processor that a run was timed on; "" if it was not timed."""
    described = record.measured.get("machine") or {}
    parts = (record.measured.get("host"), described.get("processor"))
    return ", ".join(str(part) for part in parts if part)


def _run_row(record: Record, base: dict[str, Any]) -> dict[str, Any]:
    outcome, measured = record.outcome, record.measured
    peak = measured.get("peak_bytes")
    return {
        "run": record.id,
        "task": record.task,
        "setting": setting_text(record),
        "variant": naming.name(record.named, base),
        "seed": record.seed,
        "status": record.status,
        "trend": trend_of(record),
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
        "machine": _machine(record),
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
    base = naming.shared_base([record.named for record in records], suite)
    frame = pd.DataFrame([row for record in records for row in _points(record, base)])
    if frame.empty:  # no run was evaluated, but whoever groups by a column finds it
        frame = pd.DataFrame(columns=[*NAMES_OF_RUN, *POINTS])
    numbers = [column for column in frame if column not in NAMES_OF_RUN]
    return frame.astype({**dict.fromkeys(numbers, "float64"), "step": "int64", "tokens": "int64"})


NAMES_OF_RUN = ("run", "task", "variant", "seed")
"""Columns of `curves` that say whose a row is."""
POINTS = ("step", "tokens", "epoch", "loss", "valid_loss")
"""Columns of `curves` that every evaluation has."""


def _points(record: Record, base: dict[str, Any]) -> Iterator[dict[str, Any]]:
    named = _named(record, base)
    for point in record.outcome.get("curve") or ():
        yield {**named, **point}


@sentences()
def outputs(
    run: RunName, store: str | Path | None = None, *, split: str | None = None, task: Names = None
) -> pd.DataFrame:
    """Return all outputs of a run, one row per example of the splits that are scored at the end.

    Columns: split, example (its number), length (of the source, in symbols), source, reference,
    output, ended (before the limit), right (in full), and a column for each score that a single
    example has, such as exact_match, chrf, span_f1.

    Of a run that an older version did, only the samples in its record can be returned, with a
    warning.

    Args:
        run: A run's id or its first digits, the number of a row of `bench table`, or a variant, of
            whose runs the worst is taken.
        store: Folder of the store; None for BENCH_STORE or `.bench`.
        split: One split; None for all.
        task: Labels or names of tasks, for the runs of a variant.

    Raises:
        ValueError: There is no such store, run or split, or the data that the run was tested on
            are not in the store.
    """
    asked, tasks = run_of(run), names(task)
    with reading(folder_of(store)) as opened:
        (record,) = opened.records([choose(opened, asked, tasks).run.id], details=True)
        if "outputs" not in record.outcome and record.outcome.get("samples"):
            warnings.warn(
                f"run {record.id} was done by an older version, which kept no outputs; these are "
                "its samples",
                stacklevel=3,
            )
            return pd.DataFrame(record.outcome["samples"])
        found = read_outputs(opened, record, split)
    rows = [row for one in found for row in example_rows(one)]
    return pd.DataFrame([_output_row(row) for row in rows])


def _output_row(row: ExampleRow) -> dict[str, Any]:
    """Return an example with a column for each of its scores."""
    left = {key: value for key, value in row.items() if key not in ("run", "score", "scores")}
    return {**left, **row["scores"]}


@sentences()
def score(
    run: RunName,
    metric: str | OwnMetric,
    *,
    split: str | None = None,
    task: Names = None,
    store: str | Path | None = None,
) -> pd.DataFrame:
    """Return scores of kept outputs by another metric, one row per run and split.

        bench.score("cell=lstm", "ter", task="en-zh")
        bench.score("4e5103bd", lambda outputs, references: ...)

    Args:
        run: A run's id; or the number of a row, or a variant, all of whose runs are scored.
        metric: `bleu`, `chrf`, `chrf++`, `ter`, `cer`, `wer`, one of the task's own scores, or a
            function of the outputs (texts) and their references (tuples of texts), which returns a
            number.
        split: One split; None for all that are scored at the end.
        task: Labels or names of tasks, for the runs of a variant.
        store: Folder of the store; None for BENCH_STORE or `.bench`.

    Raises:
        ValueError: The metric is unknown, outputs were not kept, or they are no texts.
    """
    return pd.DataFrame(rescore(folder_of(store), run_of(run), metric, names(task), split))


def _named(record: Record, base: dict[str, Any]) -> dict[str, Any]:
    return {
        "run": record.id,
        "task": record.task,
        "variant": naming.name(record.named, base),
        "seed": record.seed,
    }
