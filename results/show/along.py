"""Prints comparisons along curves: a sentence, the difference drawn with its band, and a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from results.compare.along import AlongRow
from results.compare.measures import measure
from results.curves import CurvePoint, CurveRow
from results.show.curve_chart import curve_chart
from results.show.terminal import print_broken, print_table
from results.tables.along import along_tables

DIFFERENCE_MARKS = "DO"
"""Characters of the difference, and of no difference: not A and B, which are the two sides."""


def show_along(rows: Sequence[AlongRow], console: Console, all_notes: bool = True) -> None:
    """Print each task and setting in which two variants were compared."""
    for group, (title, table) in along_tables(rows):
        print_broken(title, console)
        if group[0]["refused"]:
            print_broken(table.heading, console, "bold")
            console.print(Text(f"not compared: {group[0]['refused']}"))
        else:
            console.print(Text(group[0]["says"]))
            for line in _chart(group, console.width):
                console.print(line, no_wrap=True, overflow="crop")
            console.print(Text(f"ahead, first to last: {_leaders(group, console.width)}"))
            print_table(table, console, all_notes)
        console.print()


def _chart(rows: Sequence[AlongRow], width: int) -> list[Text]:
    """Draw the difference with its band, and where there would be none."""
    effect: list[CurvePoint] = []
    for row in rows:
        mean, low, high = row["effect"], row["low"], row["high"]
        without = low is None or high is None
        effect.append(
            {
                "step": row["at"] or 0.0,
                "mean": mean,
                "least": mean if without else low,
                "most": mean if without else high,
            }
        )
    none: list[CurvePoint] = [
        {"step": row["at"] or 0.0, "mean": 0.0, "least": 0.0, "most": 0.0} for row in rows
    ]
    first = rows[0]
    difference = f"{first['a']} minus {first['b']}"
    if first["low"] is not None:
        difference += ", and its 95 % band (d)"
    curves = [_curve(first, difference, effect), _curve(first, "no difference", none)]
    return curve_chart(
        curves, width, measure(first["measure"]).write, first["along"], DIFFERENCE_MARKS
    )


def _curve(row: AlongRow, name: str, points: list[CurvePoint]) -> CurveRow:
    return {
        "task": row["task"],
        "setting": row["setting"],
        "variant": name,
        "metric": row["measure"],
        "seeds": row["runs_a"],
        "points": points,
    }


def _leaders(rows: Sequence[AlongRow], width: int) -> str:
    """Return a letter for the side that is surely ahead at each evaluation, or a dot for none."""
    most = max(width - 40, 10)
    count = min(len(rows), most)
    picked = [rows[place * (len(rows) - 1) // max(count - 1, 1)] for place in range(count)]
    return "".join(row["ahead"] or "·" for row in picked)
