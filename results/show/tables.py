"""Prints the summary tables of all tasks."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from results.show.terminal import print_table
from results.store import Planned
from results.summary import SummaryRow
from results.tables.summaries import summary_table
from results.tables.text import grouped_rows


def show_tables(
    rows: Sequence[SummaryRow], inapplicable: Sequence[Planned], console: Console
) -> None:
    """Print a table for each task and setting.

    Args:
        rows: the rows of all tables.
        inapplicable: planned combinations that do not apply; the reasons are printed below the
            last table of their task.
        console: where to print.
    """
    last_setting = {row["task"]: row["setting"] for row in rows}
    groups = grouped_rows(((row["task"], row["setting"]), row) for row in rows)
    for (task, setting), group in groups.items():
        print_table(summary_table(group), console)
        if last_setting[task] == setting:
            reasons = dict.fromkeys(row.reason for row in inapplicable if row.task == task)
            for reason in reasons:
                console.print(Text(f"not applicable: {reason}", style="dim"))
        console.print()
