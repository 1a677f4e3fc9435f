"""Several curves in one chart of characters, each with the band that its seeds span."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from rich.text import Text

MARKS = "ABCDEF"
"""A curve's mean is its letter, its least and most seed the same in small. Colour helps where
there is any, and is never needed."""
TERMINAL_COLOURS = ("blue", "red", "green", "magenta", "cyan", "yellow")
HEIGHT = 12


def overlay(
    rows: Sequence[Mapping[str, Any]], width: int, write: Callable[[float], str]
) -> list[Text]:
    """Draws at most len(MARKS) rows of `results.show.curves.curves` into one chart.

    Returns its lines; none if no value is finite or there is no room.
    """
    points = [point for row in rows for point in row["points"] if point["mean"] is not None]
    if not points:
        return []
    low, high = min(p["least"] for p in points), max(p["most"] for p in points)
    logarithmic = low > 0 and high / low > 30
    place = math.log if logarithmic else float
    span = (place(high) - place(low)) or 1.0
    labels = {0: write(high), HEIGHT - 1: write(low)}
    edge = max(map(len, labels.values())) + 1
    columns = width - edge - 1
    if columns < 10:
        return []
    last = max(point["step"] for point in points)

    def at(step: float, value: float) -> tuple[int, int]:
        line = round((place(high) - place(value)) / span * (HEIGHT - 1))
        return line, round(step / last * (columns - 1))

    grid: dict[tuple[int, int], tuple[str, int]] = {}
    for number, row in enumerate(rows[: len(MARKS)]):
        known = [point for point in row["points"] if point["mean"] is not None]
        for key, mark in (("least", MARKS[number].lower()), ("most", MARKS[number].lower())):
            for cell in _line([at(p["step"], p[key]) for p in known]):
                grid.setdefault(cell, (mark, number))
    for number, row in enumerate(rows[: len(MARKS)]):
        known = [point for point in row["points"] if point["mean"] is not None]
        for cell in _line([at(p["step"], p["mean"]) for p in known]):
            if not grid.get(cell, ("", 0))[0].isupper():
                grid[cell] = (MARKS[number], number)
    lines = []
    for line in range(HEIGHT):
        text = Text(labels.get(line, "").rjust(edge - 1) + " │")
        for column in range(columns):
            mark, number = grid.get((line, column), (" ", 0))
            text.append(mark, style=TERMINAL_COLOURS[number] if mark != " " else "")
        lines.append(text)
    scale = ", logarithmic" if logarithmic else ""
    lines.append(Text(" " * edge + "└" + "─" * columns))
    ends = f"0{'steps'.rjust(columns // 2)}{scale}"
    lines.append(Text(" " * (edge + 1) + ends + str(last).rjust(max(columns - len(ends), 1))))
    for number, row in enumerate(rows[: len(MARKS)]):
        line_of = Text(f"  {MARKS[number]} {row['variant']}", style=TERMINAL_COLOURS[number])
        line_of.truncate(width, overflow="ellipsis")
        lines.append(line_of)
    return lines


def _line(cells: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Cells from each to the next, one a column."""
    found = list(cells[:1])
    for (line, column), (next_line, next_column) in pairwise(cells):
        wide = max(next_column - column, 1)
        found += [
            (round(line + (next_line - line) * step / wide), column + step)
            for step in range(1, wide + 1)
        ]
    return found
