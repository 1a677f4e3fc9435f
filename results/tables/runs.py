"""Writes the list of finished runs as tables of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from results import metrics
from results.selection import NO_BASES, TableBases
from results.tables.summaries import base_label, base_note
from results.tables.text import Texts, TextTable, grouped_rows

SHORT_ID = 8
"""Digits of an id that are printed, unless two runs share them."""


def run_tables(rows: Sequence[Mapping[str, Any]], bases: TableBases = NO_BASES) -> list[TextTable]:
    """Return a table of runs for each task and setting.

    Args:
        rows: as `bench runs --json` prints them.
        bases: the values of each table's base on the axes that vary.
    """
    digits = short_digits([row["run"] for row in rows])
    groups = grouped_rows(((row["task"], row["setting"]), row) for row in rows)
    return [
        TextTable(
            f"{task}  ({setting})",
            [_line(row, digits, base_label(bases.get((task, setting), {}))) for row in group],
            base_note("base", bases.get((task, setting), {})),
        )
        for (task, setting), group in groups.items()
    ]


def _line(row: Mapping[str, Any], digits: int, base: str) -> Texts:
    metric = metrics.score(row["metric"] or "score")
    return {
        "run": row["run"][:digits],
        "variant": base if row["variant"] == "base" else row["variant"],
        "seed": str(row["seed"]),
        metric.title: "none" if row["score"] is None else metric.write(row["score"]),
        "status": row["status"],
    }


def short_digits(runs: Sequence[str]) -> int:
    """Return the fewest digits, of 8 or more, with which no two of these ids are the same."""
    digits = SHORT_ID
    while digits < 16 and len({run[:digits] for run in runs}) < len(set(runs)):
        digits += 1
    return digits
