"""Convergence: curves of several seeds as one, and how they look on a terminal."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from results import metrics, naming
from results.grouping import by_variant, grouped
from results.record import Record
from results.show.overlay import MARKS, overlay
from results.show.tables import by_table
from results.show.terminal import sparkline

CurveRow = dict[str, Any]


def curves(records: Iterable[Record], suite: Mapping[str, Any], metric: str) -> list[CurveRow]:
    """One row a task, setting and variant: `points` of step, mean, least and most over seeds.

    A run that stopped early, because it had solved the task, keeps its last value to the end;
    one that diverged has null after its last point. A failed run has no curve and is left out.
    ValueError if no run has the metric.
    """
    groups = grouped(record for record in records if record.outcome.get("curve"))
    known = sorted(
        {key for runs in groups.values() for run in runs for key in run.outcome["curve"][0]}
    )
    if groups and metric not in known:
        raise ValueError(f"no curve has {metric!r}; there are {', '.join(known)}: choose one")
    rows = []
    for (task, setting), runs in groups.items():
        base = naming.shared_base([run.variant for run in runs], suite)
        named = by_variant(runs, base)
        steps = sorted({point["step"] for run in runs for point in run.outcome["curve"]})
        for name, seeds in sorted(named.items()):
            longest = max(run.outcome["curve"][-1]["step"] for run in seeds)
            rows.append(
                {
                    "task": task,
                    "setting": setting,
                    "variant": name,
                    "metric": metric,
                    "seeds": len(seeds),
                    "points": [_point(seeds, step, metric) for step in steps if step <= longest],
                }
            )
    return rows


def only(rows: Sequence[CurveRow], variants: Sequence[str]) -> list[CurveRow]:
    """Rows of these variants, in this order; ValueError for one that is not there."""
    known = sorted({row["variant"] for row in rows})
    for name in variants:
        if name not in known:
            raise ValueError(f"no curve is of the variant {name!r}; there are {', '.join(known)}")
    chosen = [row for name in variants for row in rows if row["variant"] == name]
    return sorted(chosen, key=lambda row: (row["task"], row["setting"]))


def _point(runs: Sequence[Record], step: int, metric: str) -> CurveRow:
    values = [value for run in runs if (value := _at(run, step, metric)) is not None]
    whole = len(values) == len(runs)
    return {
        "step": step,
        "mean": statistics.fmean(values) if whole else None,
        "least": min(values) if whole else None,
        "most": max(values) if whole else None,
    }


def _at(run: Record, step: int, metric: str) -> float | None:
    """The last value at or before a step, the first one before there is any."""
    curve = run.outcome["curve"]
    if run.status == "diverged" and step > curve[-1]["step"]:
        return None
    reached = [point for point in curve if point["step"] <= step] or curve[:1]
    value = reached[-1].get(metric)
    return None if value is None else float(value)


def show_curves(rows: Sequence[CurveRow], console: Console) -> None:
    """A line of blocks a variant, all of a task on one scale; of a few, one chart of all above."""
    for (task, setting), group in by_table(rows).items():
        finite = [p["mean"] for row in group for p in row["points"] if p["mean"] is not None]
        low, high = min(finite, default=0.0), max(finite, default=0.0)
        last = max(row["points"][-1]["step"] for row in group)
        write = metrics.score(group[0]["metric"]).write
        console.print(Text(f"{task}  ({setting})", style="bold"))
        title = metrics.score(group[0]["metric"]).title
        scale = f"▁ {write(low)} to █ {write(high)}" if finite else "none is finite"
        console.print(Text(f"{title}, mean over seeds: {scale}, {last} steps wide"))
        width = console.width
        names = min(max(cell_len(row["variant"]) for row in group), width // 2)
        room = max(width - names - 22, 10)
        ordered = sorted(group, key=lambda row: row["variant"] != "base")
        if len(ordered) <= len(MARKS):
            for drawn in overlay(ordered, width, write):
                console.print(drawn, no_wrap=True, overflow="crop")
        for row in ordered:
            _show_line(row, last, (low, high), names, room, console)
        console.print()


def _show_line(
    row: CurveRow, last: int, scale: tuple[float, float], names: int, room: int, console: Console
) -> None:
    columns = max(1, round(room * row["points"][-1]["step"] / last))
    points = row["points"]
    picked = [points[min(i * len(points) // columns, len(points) - 1)] for i in range(columns)]
    line = sparkline([point["mean"] for point in picked], *scale)
    end = points[-1]["mean"]
    write = metrics.score(row["metric"]).write
    value = "not finite" if end is None else write(end)
    name = Text(row["variant"])
    name.truncate(names, overflow="ellipsis", pad=True)
    style = "bold" if row["variant"] == "base" else ""
    console.print(
        Text.assemble(name, "  ", line, f"  {value} at {points[-1]['step']}", style=style),
        no_wrap=True,
        overflow="ellipsis",
    )
