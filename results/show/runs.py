"""Prints the list of finished runs with their ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from results.selection import NO_BASES, TableBases
from results.show.terminal import print_table
from results.tables.runs import run_tables


def show_runs(
    rows: Sequence[Mapping[str, Any]], console: Console, bases: TableBases = NO_BASES
) -> None:
    """Print a table of runs for each task and setting; arguments as of `run_tables`."""
    for table in run_tables(rows, bases):
        print_table(table, console)
        console.print()
