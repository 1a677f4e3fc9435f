"""Draws several curves into one chart of characters, each with the band that its seeds span."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from rich.text import Text

from results.curves import CurveRow

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

Grid = dict[tuple[int, int], tuple[str, int]]
"""The character and the curve's number of each cell, given by line and column."""
PointKey = Literal["least", "mean", "most"]
"""Keys of a point's values."""


@dataclass(frozen=True)
class Scale:
    """Maps steps, or another cost, to columns and values to lines."""

    low: float
    high: float
    last_step: float
    columns: int

    @property
    def logarithmic(self) -> bool:
        """True if lines are spaced by the logarithm of the value."""
        return self.low > 0 and self.high / self.low > LOGARITHMIC_FROM

    def cell(self, step: float, value: float) -> tuple[int, int]:
        """Return the line and the column of a point."""
        # line 0 is at the top, so the highest value comes first
        place: Callable[[float], float] = math.log if self.logarithmic else float
        span = (place(self.high) - place(self.low)) or 1.0
        line = round((place(self.high) - place(value)) / span * (HEIGHT - 1))
        return line, round(step / self.last_step * (self.columns - 1))


def curve_chart(
    rows: Sequence[CurveRow],
    width: int,
    write: Callable[[float], str],
    unit: str = "steps",
    marks: str = MARKS,
) -> list[Text]:
    """Draw at most as many curves into one chart as there are marks.

    Args:
        rows: the curves.
        width: width of the chart in characters.
        write: formats a value for the axis.
        unit: of the axis along which the curves go.
        marks: capital letters for the curves.

    Returns:
        The chart's lines; none if no value is finite or the width is too small.
    """
    rows = rows[: len(marks)]
    lows, highs = _finite(rows, "least"), _finite(rows, "most")
    if not lows:
        return []
    low, high = min(value for _, value in lows), max(value for _, value in highs)
    labels = {0: write(high), HEIGHT - 1: write(low)}
    # the axis stands to the right of the longest label
    edge = max(map(len, labels.values())) + 1
    columns = width - edge - 1
    if columns < LEAST_COLUMNS:
        return []
    scale = Scale(low, high, max(step for step, _ in lows), columns)
    return [
        *_body(_grid(rows, scale, marks), scale, labels, edge),
        *_axis(scale, edge, unit),
        *_legend(rows, width, marks),
    ]


def _body(grid: Grid, scale: Scale, labels: Mapping[int, str], edge: int) -> list[Text]:
    """Return the lines above the axis, with their labels."""
    lines = []
    for line in range(HEIGHT):
        text = Text(labels.get(line, "").rjust(edge - 1) + " │")
        for column in range(scale.columns):
            mark, number = grid.get((line, column), (" ", 0))
            text.append(mark, style=TERMINAL_COLOURS[number] if mark != " " else "")
        lines.append(text)
    return lines


def _grid(rows: Sequence[CurveRow], scale: Scale, marks: str) -> Grid:
    """Return what is in each cell that is not empty."""
    grid: Grid = {}
    for number, row in enumerate(rows):
        for cell in (*_drawn(row, "least", scale), *_drawn(row, "most", scale)):
            grid.setdefault(cell, (marks[number].lower(), number))
    # means are drawn over bands, but not over earlier means
    for number, row in enumerate(rows):
        for cell in _drawn(row, "mean", scale):
            if not grid.get(cell, ("", 0))[0].isupper():
                grid[cell] = (marks[number], number)
    return grid


def _finite(rows: Sequence[CurveRow], key: PointKey) -> list[tuple[float, float]]:
    """Return the steps and values of all points that have a value."""
    points = [point for row in rows for point in row["points"]]
    return [(point["step"], value) for point in points if (value := point[key]) is not None]


def _drawn(row: CurveRow, key: PointKey, scale: Scale) -> list[tuple[int, int]]:
    """Return the cells of the line of one value, where it is finite."""
    return _line([scale.cell(step, value) for step, value in _finite([row], key)])


def _line(cells: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the cells of straight lines between these cells, one per column."""
    found = list(cells[:1])
    for (line, column), (next_line, next_column) in pairwise(cells):
        # two points in one column still need a step, or the line would not reach the second
        wide = max(next_column - column, 1)
        found += [
            (round(line + (next_line - line) * step / wide), column + step)
            for step in range(1, wide + 1)
        ]
    return found


def _axis(scale: Scale, edge: int, unit: str) -> list[Text]:
    """Return the axis of steps or another cost, and its labels."""
    kind = ", logarithmic" if scale.logarithmic else ""
    left = f"0{unit.rjust(scale.columns // 2)}{kind}"
    right = f"{scale.last_step:.0f}".rjust(max(scale.columns - len(left), 1))
    return [
        Text(" " * edge + "└" + "─" * scale.columns),
        Text(" " * (edge + 1) + left + right),
    ]


def _legend(rows: Sequence[CurveRow], width: int, marks: str) -> list[Text]:
    lines = []
    for mark, colour, row in zip(marks, TERMINAL_COLOURS, rows, strict=False):
        line = Text(f"  {mark} {row['variant']}", style=colour)
        line.truncate(width, overflow="ellipsis")
        lines.append(line)
    return lines
