"""Prints what tuning chose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console

from results.show.terminal import print_table
from results.tables.tuning import choice_tables
from results.tuning import TunedChoice


def show_choices(made: Iterable[TunedChoice], suite: Mapping[str, Any], console: Console) -> None:
    """Print a table of what was chosen for the variants of each task and setting."""
    for table in choice_tables(made, suite):
        print_table(table, console, all_notes=True)
        console.print()
