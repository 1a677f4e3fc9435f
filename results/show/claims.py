"""Prints claims and their verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from results.compare.claims import ClaimRow
from results.record import Record
from results.show.terminal import print_table
from results.tables.claims import along_table, claims_table, sides_table


def show_all(rows: Sequence[ClaimRow], console: Console, all_notes: bool = True) -> None:
    """Print a line for each comparison, and what curves say of it; those of a claim together."""
    print_table(claims_table("claims", rows), console, all_notes)
    _show_along(rows, console)


def _show_along(rows: Sequence[ClaimRow], console: Console) -> None:
    """Print who is ahead at which steps, where curves tell."""
    if table := along_table(rows):
        console.print()
        print_table(table, console)


def show_one(
    about: Mapping[str, Any],
    rows: Sequence[ClaimRow],
    sides: Mapping[str, Sequence[Record]],
    console: Console,
) -> None:
    """Print a claim in full: its source, what each side achieved, and the verdicts.

    Args:
        about: the claim's texts.
        rows: its comparisons.
        sides: the runs of each side.
        console: where to print.
    """
    console.print(Text(f"{about['claim']}: {about['about']}", style="bold"))
    for key in ("source", "reported", "checked", "trained", "scaled"):
        console.print(Text(f"{key}: {about[key]}"))
    for part, text in about["story"].items():
        console.print(Text(f"{part}: {text}"))
    console.print(Text(f"tried on {about['task']}, {about['budget']}; {about['rates']}:"))
    for side, name in about["sides"].items():
        console.print(Text(f"  {side}: {name}"))
    console.print(Text(f"what it takes: {about['cost']}"))
    console.print()
    ran = sides_table(sides)
    if ran:
        print_table(ran, console)
        console.print()
    print_table(claims_table("what came out", rows), console)
    _show_along(rows, console)
    console.print(Text(f"do its runs with: bench claims run {rows[0]['given']}", style="dim"))
