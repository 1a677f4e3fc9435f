"""Prints the curves of variants: a sparkline each, and one chart if they are few."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from results import metrics
from results.curves import CurveRow
from results.selection import NO_BASES, TableBases
from results.show.curve_chart import MARKS, curve_chart
from results.show.terminal import sparkline
from results.tables.summaries import base_label
from results.tables.text import grouped_rows

END_WIDTH = 22
"""Characters that a line keeps for the gap after the name and the value at its end."""
LEAST_ROOM = 10
"""Smallest number of characters of the longest sparkline."""


def show_curves(rows: Sequence[CurveRow], console: Console, bases: TableBases = NO_BASES) -> None:
    """Print a sparkline for each variant, all of one table on one scale, the base first.

    If there are no more than len(MARKS) variants, a chart of all of them comes first. bases: the
    values of each table's base on the axes that vary.
    """
    groups = grouped_rows(((row["task"], row["setting"]), row) for row in rows)
    for (task, setting), group in groups.items():
        console.print(Text(f"{task}  ({setting})", style="bold"))
        ordered = sorted(group, key=lambda row: row["variant"] != "base")
        if ordered[0]["variant"] == "base":
            name = base_label(bases.get((task, setting), {}))
            ordered[0] = {**ordered[0], "variant": name}
        _show_table(ordered, console)
        console.print()


def _show_table(rows: Sequence[CurveRow], console: Console) -> None:
    metric = metrics.score(rows[0]["metric"])
    # one scale for the table, or curves could not be compared
    finite = [p["mean"] for row in rows for p in row["points"] if p["mean"] is not None]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    last = max(row["points"][-1]["step"] for row in rows)
    scale = f"▁ {metric.write(low)} to █ {metric.write(high)}" if finite else "none is finite"
    console.print(Text(f"{metric.title}, mean over seeds: {scale}, {last} steps wide"))
    if len(rows) <= len(MARKS):
        for line in curve_chart(rows, console.width, metric.write):
            console.print(line, no_wrap=True, overflow="crop")
    longest = max(cell_len(row["variant"]) for row in rows)
    names = min(longest, console.width // 2)
    room = max(console.width - names - END_WIDTH, LEAST_ROOM)
    for row in rows:
        # all sparklines have the same number of steps per character
        columns = max(1, round(room * row["points"][-1]["step"] / last))
        _show_line(row, columns, (low, high), names, console)


def _show_line(
    row: CurveRow, columns: int, scale: tuple[float, float], names: int, console: Console
) -> None:
    points = row["points"]
    picked = [points[min(i * len(points) // columns, len(points) - 1)] for i in range(columns)]
    line = sparkline([point["mean"] for point in picked], *scale)
    end = points[-1]["mean"]
    value = "not finite" if end is None else metrics.score(row["metric"]).write(end)
    name = Text(row["variant"])
    name.truncate(names, overflow="ellipsis", pad=True)
    style = "bold" if row["variant"].partition(" ")[0] == "base" else ""
    console.print(
        Text.assemble(name, "  ", line, f"  {value} at {points[-1]['step']}", style=style),
        no_wrap=True,
        overflow="ellipsis",
    )
