"""Prints figures of parameters and layers: over training, or of one examination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from results.curves import CurveRow
from results.layers import (
    LAYER_TITLES,
    PARAMETER_FIGURES,
    LayerCurve,
    examined_layers,
    figures_by_layer,
)
from results.record import Record
from results.show.curves import show_curves
from results.show.terminal import print_table, sparkline
from results.tables.text import TextTable

LINE_END = 20
"""Characters that a line keeps for its first and last value."""
LEAST_BLOCKS = 8
"""Smallest number of characters of a sparkline."""


def show_layers(record: Record, console: Console) -> None:
    """Print a run's figures over training, a sparkline for each parameter and layer.

    Without records of its layers, the figures of its examination are printed.
    """
    points = record.outcome.get("layers")
    if not points:
        console.print(
            "its layers were not recorded over training; bench run --layers does that",
            style="dim",
            soft_wrap=True,
        )
        show_examined_layers(record, console)
        return
    names = list(figures_by_layer(points[-1]))
    width = min(max(map(cell_len, names)), console.width // 2)
    room = max(console.width - width - LINE_END - 4, LEAST_BLOCKS)
    count = min(room, len(points))
    # evenly spaced points, always with the first and the last
    picked = [points[i * (len(points) - 1) // max(count - 1, 1)] for i in range(count)]
    for figure, title in LAYER_TITLES.items():
        console.print(Text(f"{title}, over {points[-1]['step']} steps", style="bold"))
        for name in names:
            values = [figures_by_layer(point).get(name, {}).get(figure) for point in picked]
            _show_line(name, values, width, console)


def _show_line(name: str, values: Sequence[float | None], width: int, console: Console) -> None:
    """Print the sparkline of one layer, if it has the figure at all."""
    finite = [value for value in values if value is not None]
    if not finite:
        return
    label = Text(name)
    label.truncate(width, overflow="ellipsis", pad=True)
    line = sparkline(values, min(finite), max(finite))
    ends = f"{finite[0]:.3g} to {finite[-1]:.3g}"
    console.print(Text.assemble("  ", label, "  ", line, "  ", ends), no_wrap=True, overflow="crop")


def show_examined_layers(record: Record, console: Console) -> None:
    """Print what one examination says of every parameter and layer, if the run has one."""
    health: Mapping[str, Any] = record.outcome.get("health") or {}
    layers = examined_layers(health)
    frozen = set(health.get("frozen") or ())
    parameters = {name: f for name, f in layers.items() if set(f) & set(PARAMETER_FIGURES)}
    cells = {name: f for name, f in layers.items() if name not in parameters}
    if parameters:
        print_table(_parameter_table(parameters, frozen), console)
    if cells:
        print_table(_cell_table(cells), console)


def _parameter_table(parameters: Mapping[str, Mapping[str, Any]], frozen: set[str]) -> TextTable:
    """Return the table of what one training step did to each parameter."""
    lines = [
        {
            "parameter": name + " (frozen)" * (name in frozen),
            "gradient": _number(figures.get("gradient_norm")),
            "update": _number(figures.get("update_ratio")),
        }
        for name, figures in parameters.items()
    ]
    note = "gradient: its norm on one batch; update: change of a step over the value, as norms"
    return TextTable("parameters at the end of training", lines, [note])


def _cell_table(cells: Mapping[str, Mapping[str, Any]]) -> TextTable:
    """Return the table of how far each recurrent layer is driven to its limits."""
    lines = [
        {
            "layer": name,
            "saturated": _share(figures["saturation"]),
            "gates at 0 or 1": _share(figures["gates"]),
            "memory": _number(figures["memory"]),
            "largest": _number(figures["memory_largest"]),
        }
        for name, figures in cells.items()
    ]
    note = "shares at the last step of the examples; memory: absolute values, c of an LSTM"
    return TextTable("recurrent layers at the end of training", lines, [note])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def show_layer_curves(curves: Sequence[LayerCurve], console: Console) -> None:
    """Print the curves of every parameter or layer, all of one variant on one scale."""
    rows: list[CurveRow] = [
        {
            "task": curve["task"],
            "setting": f"{curve['variant']}, {curve['setting']}",
            "variant": curve["layer"],
            "metric": curve["metric"],
            "seeds": curve["seeds"],
            "points": curve["points"],
        }
        for curve in curves
    ]
    show_curves(rows, console)
