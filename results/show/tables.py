"""Prints the summary tables of all tasks."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from results.selection import TableLabels
from results.show.terminal import print_table
from results.store import Planned
from results.summary import SummaryRow
from results.tables.summaries import short_table
from results.tables.text import grouped_rows

NO_LABELS = TableLabels({}, {})
"""Labels of rows that are of no store."""


def show_tables(
    rows: Sequence[SummaryRow],
    inapplicable: Sequence[Planned],
    console: Console,
    labels: TableLabels = NO_LABELS,
    *,
    unfolded: bool = False,
    all_notes: bool = True,
) -> None:
    """Print a table for each task and setting.

    Args:
        rows: the rows of all tables.
        inapplicable: planned combinations that do not apply; the reasons are printed below the
            last table of their task.
        console: where to print.
        labels: numbers of rows, and what the bases are.
        unfolded: show every row, not only some of those with the same result.
        all_notes: print all remarks below a table, not only the first.
    """
    last_setting = {row["task"]: row["setting"] for row in rows}
    groups = grouped_rows(((row["task"], row["setting"]), row) for row in rows)
    for (task, setting), group in groups.items():
        table = short_table(group, labels, unfolded)
        if last_setting[task] == setting:
            reasons = dict.fromkeys(row.reason for row in inapplicable if row.task == task)
            table.notes.extend(f"not applicable: {reason}" for reason in reasons)
        print_table(table, console, all_notes)
        console.print()
