"""Writes a store's report, with what only the models' own code knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from bench.api.outputs import example_rows, read_outputs
from bench.api.store import runs_of, with_trends
from results import report
from results.mistakes import worst_first
from results.record import Record
from results.report.outputs import OutputsOfTest
from results.store import Store, reading


class WrittenReport(NamedTuple):
    """Holds a report as HTML, and the number of runs that it is about."""

    html: str
    runs: int


def report_on(
    folder: Path, tasks: Sequence[str] | None, today: date, again: range | None = None
) -> WrittenReport:
    """Return a report on the runs of a store.

    Args:
        folder: The store.
        tasks: Labels or names of tasks; None for all.
        today: The date to print.
        again: Seeds that are kept apart, whose words stand beside those of the others.

    Raises:
        StoreError: There is no such store or task, or no finished run.
        ComparisonError: There are no runs of the seeds that are kept apart, or of no others.
    """
    with reading(folder) as store:
        records = with_trends(store, runs_of(store, tasks))
        html = report.write(
            records,
            store.base(),
            lambda ids: store.records(ids, details=True),
            today,
            state_size,
            partial(tested_outputs, store),
            again,
        )
    return WrittenReport(html, len(records))


def tested_outputs(store: Store, record: Record) -> OutputsOfTest | None:
    """Return what a run put out for all of test; None if it was not kept or cannot be read."""
    try:
        (found,) = read_outputs(store, record, "test")
    except ValueError:
        return None
    rows = example_rows(found)
    known = [row["right"] for row in rows if row["right"] is not None]
    right = sum(known) if len(known) == len(rows) else None
    return OutputsOfTest(len(rows), right, worst_first(rows))


def state_size(variant: Mapping[str, Any]) -> int | None:
    """Return how many numbers a variant's decoder carries from one step to the next.

    None for models without a fixed state, such as a Transformer, and for cells of plugins that are
    not loaded.
    """
    from variants.cells import CELLS  # loads torch

    cell = CELLS.get(variant["cell"])
    if cell is None:
        return None
    return len(cell.state._fields) * int(variant["hidden"]) * int(variant["decoder_depth"])
