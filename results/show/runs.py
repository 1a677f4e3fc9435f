"""Prints the list of finished runs with their ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from results.show.terminal import print_table
from results.tables.runs import run_tables


def show_runs(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print a table of runs for each task and setting; rows as `bench runs --json` prints them."""
    for table in run_tables(rows):
        print_table(table, console)
        console.print()
