"""Draws several curves into one chart of characters, each with the band that its seeds span."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.text import Text

from results.curves import CurvePoint, CurveRow

MARKS = "ABCDEF"
"""Characters of the curves: the mean is drawn with a capital, the least and most seed with the
same letter in lower case. So the chart can be read without colours."""
TERMINAL_COLOURS = ("blue", "red", "green", "magenta", "cyan", "yellow")
"""Colours of the curves, in the order of MARKS."""
HEIGHT = 12
"""Number of lines of a chart, without its axis and legend."""
LEAST_COLUMNS = 10
"""Number of columns below which no chart is drawn."""
LOGARITHMIC_FROM = 30
"""Ratio of the highest to the lowest value from which the scale is logarithmic."""


@dataclass(frozen=True)
class Scale:
    """Maps steps to columns and values to lines."""

    low: float
    high: float
    last_step: int
    columns: int

    @property
    def logarithmic(self) -> bool:
        """True if lines are spaced by the logarithm of the value."""
        return self.low > 0 and self.high / self.low > LOGARITHMIC_FROM

    def cell(self, step: float, value: float) -> tuple[int, int]:
        """Return the line and the column of a point."""
        place: Callable[[float], float] = math.log if self.logarithmic else float
        span = (place(self.high) - place(self.low)) or 1.0
        line = round((place(self.high) - place(value)) / span * (HEIGHT - 1))
        return line, round(step / self.last_step * (self.columns - 1))


def curve_chart(rows: Sequence[CurveRow], width: int, write: Callable[[float], str]) -> list[Text]:
    """Draw at most len(MARKS) curves into one chart.

    Args:
        rows: the curves.
        width: width of the chart in characters.
        write: formats a value for the axis.

    Returns:
        The chart's lines; none if no value is finite or the width is too small.
    """
    rows = rows[: len(MARKS)]
    points = [point for row in rows for point in row["points"] if point["mean"] is not None]
    if not points:
        return []
    low = min(_value(point["least"]) for point in points)
    high = max(_value(point["most"]) for point in points)
    labels = {0: write(high), HEIGHT - 1: write(low)}
    edge = max(map(len, labels.values())) + 1
    columns = width - edge - 1
    if columns < LEAST_COLUMNS:
        return []
    scale = Scale(low, high, max(point["step"] for point in points), columns)
    grid = _grid(rows, scale)
    lines = []
    for line in range(HEIGHT):
        text = Text(labels.get(line, "").rjust(edge - 1) + " │")
        for column in range(columns):
            mark, number = grid.get((line, column), (" ", 0))
            text.append(mark, style=TERMINAL_COLOURS[number] if mark != " " else "")
        lines.append(text)
    return [*lines, *_axis(scale, edge), *_legend(rows, width)]


def _grid(rows: Sequence[CurveRow], scale: Scale) -> dict[tuple[int, int], tuple[str, int]]:
    """Return the character and the curve's number of each cell that is not empty."""
    grid: dict[tuple[int, int], tuple[str, int]] = {}
    finite = [[p for p in row["points"] if p["mean"] is not None] for row in rows]
    for number, points in enumerate(finite):
        mark = MARKS[number].lower()
        for values in ([p["least"] for p in points], [p["most"] for p in points]):
            for cell in _line(_cells(points, values, scale)):
                grid.setdefault(cell, (mark, number))
    # means are drawn over bands, and the first mean over others
    for number, points in enumerate(finite):
        for cell in _line(_cells(points, [p["mean"] for p in points], scale)):
            if not grid.get(cell, ("", 0))[0].isupper():
                grid[cell] = (MARKS[number], number)
    return grid


def _cells(
    points: Sequence[CurvePoint], values: Sequence[float | None], scale: Scale
) -> list[tuple[int, int]]:
    pairs = zip(points, values, strict=True)
    return [scale.cell(point["step"], _value(value)) for point, value in pairs]


def _value(value: float | None) -> float:
    """Return a value that is finite, because its mean is."""
    assert value is not None
    return value


def _line(cells: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the cells of straight lines between these cells, one per column."""
    found = list(cells[:1])
    for (line, column), (next_line, next_column) in pairwise(cells):
        wide = max(next_column - column, 1)
        found += [
            (round(line + (next_line - line) * step / wide), column + step)
            for step in range(1, wide + 1)
        ]
    return found


def _axis(scale: Scale, edge: int) -> list[Text]:
    """Return the axis of steps, and its labels."""
    kind = ", logarithmic" if scale.logarithmic else ""
    left = f"0{'steps'.rjust(scale.columns // 2)}{kind}"
    right = str(scale.last_step).rjust(max(scale.columns - len(left), 1))
    return [
        Text(" " * edge + "└" + "─" * scale.columns),
        Text(" " * (edge + 1) + left + right),
    ]


def _legend(rows: Sequence[CurveRow], width: int) -> list[Text]:
    lines = []
    for mark, colour, row in zip(MARKS, TERMINAL_COLOURS, rows, strict=False):
        line = Text(f"  {mark} {row['variant']}", style=colour)
        line.truncate(width, overflow="ellipsis")
        lines.append(line)
    return lines
