"""Prints timings of variants, and plots them along what was swept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from results.show.terminal import print_table
from results.stats.median import median_interval
from results.tables.throughput import ThroughputRow, throughput_tables

PLOT_MARKERS = "osD^vP*X<>" * 10
"""Matplotlib's markers of the lines, one for each variant."""


def show_throughput(rows: Sequence[ThroughputRow], console: Console) -> None:
    """Print a table for each kind of work and workload."""
    for table in throughput_tables(rows):
        print_table(table, console)
        console.print()


def plot(rows: Sequence[ThroughputRow], file: Path) -> None:
    """Write an SVG of the time of a step along what was swept.

    It has a panel for each kind of work and a line for each variant, with the interval of the
    median as a band; both axes are logarithmic.
    """
    import matplotlib as mpl  # imported here, so that tables are printed quickly

    mpl.use("svg")
    from matplotlib import pyplot as plt

    works = list(dict.fromkeys(row["work"] for row in rows))
    figure, panels = plt.subplots(1, len(works), figsize=(5.5 * len(works), 4), squeeze=False)
    for axes, work in zip(panels[0], works, strict=True):
        _plot_lines(axes, [row for row in rows if row["work"] == work])
        _label_axes(axes, rows)
        axes.set_title(work)
        axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(file, format="svg", metadata={"Date": None})
    plt.close(figure)


def _plot_lines(axes: Any, rows: Sequence[ThroughputRow]) -> None:
    names = dict.fromkeys(row["variant"] for row in rows)
    for name, marker in zip(names, PLOT_MARKERS, strict=False):
        line = [row for row in rows if row["variant"] == name]
        values = [row["sweep_value"] for row in line]
        steps = [median_interval(row["step_seconds_each"]) for row in line]
        axes.plot(values, [step.median * 1e3 for step in steps], marker=marker, label=name)
        low, high = [step.low * 1e3 for step in steps], [step.high * 1e3 for step in steps]
        axes.fill_between(values, low, high, alpha=0.2)


def _label_axes(axes: Any, rows: Sequence[ThroughputRow]) -> None:
    from matplotlib.ticker import LogLocator

    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ticks = sorted({row["sweep_value"] for row in rows})
    axes.set_xticks(ticks, [f"{value:,}" for value in ticks])
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.minorticks_off()
    axes.set_xlabel(rows[0]["sweep"])
    axes.set_ylabel("ms a step")
    axes.grid(alpha=0.3)
