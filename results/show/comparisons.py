"""Prints comparisons of variants."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from results.compare.interactions import InteractionRow
from results.compare.judging import ComparisonRow
from results.compare.sentences import SentencesRow
from results.show.terminal import print_broken, print_table
from results.tables.comparisons import (
    TitledTable,
    effect_tables,
    equal_cost_tables,
    overview_tables,
    pair_tables,
)
from results.tables.sentences import chance_tables
from results.tables.text import Texts, TextTable, fitting_titles, used_titles


def show_pairs(rows: Sequence[ComparisonRow], console: Console, all_notes: bool = True) -> None:
    """Print a table for each task, setting and pair of variants; one line per measure."""
    _show_titled(pair_tables(rows), console, all_notes)


def show_equal_cost(
    rows: Sequence[ComparisonRow], console: Console, all_notes: bool = True
) -> None:
    """Print a table for each task and setting; one line for each thing that is held equal."""
    _show_titled(equal_cost_tables(rows), console, all_notes)


def _show_titled(tables: Sequence[TitledTable], console: Console, all_notes: bool = True) -> None:
    for title, table in tables:
        print_broken(title, console)
        print_table(table, console, all_notes)
        console.print()


def show_effects(
    rows: Sequence[ComparisonRow],
    interactions: Sequence[InteractionRow],
    console: Console,
    all_notes: bool = True,
) -> None:
    """Print a table of scores and one of costs for each task and setting."""
    for table in effect_tables(rows, interactions):
        print_table(table, console, all_notes)
        console.print()


def show_every_axis(
    rows: Sequence[ComparisonRow], console: Console, all_notes: bool = True
) -> None:
    """Print a line for each value of every axis, in as many tables as all columns need."""
    for table in overview_tables(rows):
        left = used_titles(table.lines)[1:]
        while left:
            # on a terminal too narrow for any column, the table names all that are missing
            shown = fitting_titles(_with_columns(table.lines, left), console.width)[1:] or left
            left = left[len(shown) :]
            lines, notes = _with_columns(table.lines, shown), [] if left else table.notes
            print_table(TextTable(table.heading, lines, notes), console, all_notes)
            console.print()


def _with_columns(lines: Sequence[Texts], columns: Sequence[str]) -> list[Texts]:
    """Return the lines that have text in one of these columns, reduced to the columns."""
    reduced = [
        {title: line[title] for title in ("value", *columns) if title in line} for line in lines
    ]
    return [line for line in reduced if len(line) > 1]


def show_chance(rows: Sequence[SentencesRow], console: Console) -> None:
    """Print both sources of chance in differences of scores, below their tables."""
    for table in chance_tables(rows):
        if table.lines:
            print_table(table, console, all_notes=True)
        else:
            print_broken(table.notes[0], console, "dim")
        console.print()
