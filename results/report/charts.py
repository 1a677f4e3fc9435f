"""Charts of a report as SVG whose text and axes take the page's colours, light or dark."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt

PALETTE = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#999933", "#888888")
"""Paul Tol's bright scheme: told apart by the colour-blind, and seen on white and on black."""
MARKERS = "osD^vP*X"
VERDICT_COLOURS = {
    "better": "#4477AA",
    "worse": "#EE6677",
    "tie": "#888888",
    "undecided": "#CCBB44",
}
INK = "#010203"
"""Stands for the page's colour of text."""

CHART_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.color": "#888888",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 8,
}


def drawn(name: str, size: tuple[float, float], draw: Callable[[Any], None]) -> str:
    """One chart. name: of no other chart of the page. draw: given the axes."""
    with mpl.rc_context({**CHART_STYLE, "svg.hashsalt": name}):
        figure, axes = plt.subplots(figsize=size)
        draw(axes)
        figure.tight_layout()
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
        plt.close(figure)
    text = file.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    # ids are the page's, where other charts have the same
    text = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", text)
    # as wide as there is room; the picture's own size is the widest
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    return re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.S).strip()


def bands(name: str, title: str, lines: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Curves over steps: the mean of each line, and a band from its least to its most seed."""

    def draw(axes: Any) -> None:
        for number, (label, points) in enumerate(lines.items()):
            known = [p for p in points if p["mean"] is not None]
            steps = [p["step"] for p in known]
            colour = PALETTE[number % len(PALETTE)]
            axes.plot(
                steps,
                [p["mean"] for p in known],
                color=colour,
                marker=MARKERS[number % len(MARKERS)],
                markersize=3,
                markevery=max(1, len(steps) // 8),
                label=label,
            )
            least, most = ([p[key] for p in known] for key in ("least", "most"))
            axes.fill_between(steps, least, most, color=colour, alpha=0.15, linewidth=0)
        axes.set_xlabel("steps")
        axes.set_ylabel(title)
        means = [p["mean"] for points in lines.values() for p in points if p["mean"] is not None]
        if means and min(means) > 0 and max(means) / min(means) > 30:
            axes.set_yscale("log")
        axes.legend()

    return drawn(name, (5.6, 3.4), draw)


def profiles(name: str, lines: Sequence[Mapping[str, Any]]) -> str:
    """Share of runs above each score, a line a variant."""

    def draw(axes: Any) -> None:
        for number, line in enumerate(lines):
            axes.step(
                line["levels"],
                line["shares"],
                where="post",
                color=PALETTE[number % len(PALETTE)],
                marker=MARKERS[number % len(MARKERS)],
                markevery=10,
                markersize=3,
                label=line["variant"],
            )
        axes.set_xlabel("score, as a share of the most")
        axes.set_ylabel("share of runs above it")
        axes.legend()

    return drawn(name, (6.2, 3.6), draw)


def scatter(
    name: str, across: str, up: str, points: Sequence[tuple[str, str, float, float]]
) -> str:
    """Label, kind, x and y of each: kinds by colour and marker, and names where none is both
    further right and higher."""

    def draw(axes: Any) -> None:
        kinds = list(dict.fromkeys(kind for _, kind, _, _ in points))
        for number, kind in enumerate(kinds):
            own = [(x, y) for _, other, x, y in points if other == kind]
            axes.scatter(
                [x for x, _ in own],
                [y for _, y in own],
                s=18,
                color=PALETTE[number % len(PALETTE)],
                marker=MARKERS[number % len(MARKERS)],
                label=kind,
                alpha=0.8,
            )
        best = -math.inf
        for label, _, x, y in sorted(points, key=lambda point: (-point[2], -point[3])):
            if y > best:
                best = y
                axes.annotate(label, (x, y), fontsize=7, xytext=(3, 3), textcoords="offset points")
        axes.set_xscale("log")
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        axes.legend(title="cell", ncols=2)

    return drawn(name, (6.6, 4.0), draw)


def forest(name: str, title: str, rows: Sequence[tuple[str, float, float, float, str]]) -> str:
    """Label, effect, low, high and verdict of each, one line each; an effect beyond all others'
    intervals stays within the picture."""

    def draw(axes: Any) -> None:
        lines = list(enumerate(reversed(rows)))
        for word, colour in VERDICT_COLOURS.items():
            own = [(place, row) for place, row in lines if row[4] == word]
            places = [place for place, _ in own]
            lows, highs = [row[2] for _, row in own], [row[3] for _, row in own]
            axes.hlines(places, lows, highs, color=colour, linewidth=2, label=word)
            axes.plot(
                [row[1] for _, row in own],
                places,
                linestyle="none",
                marker="D" if word == "undecided" else "o",
                color=colour,
                markerfacecolor="none" if word == "undecided" else colour,
                markersize=5,
            )
        axes.set_yticks(range(len(rows)), [row[0] for row in reversed(rows)])
        axes.set_ylim(-0.7, len(rows) - 0.3)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_xlabel(title)
        middle = [row[1] for row in rows]
        room = 0.6 * (max(map(abs, middle)) or 1.0)
        left, right = axes.get_xlim()
        axes.set_xlim(max(left, min(middle) - room), min(right, max(middle) + room))
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.6 / (0.19 * len(rows) + 0.9)), ncols=4)

    return drawn(name, (7.2, 0.19 * len(rows) + 1.3), draw)
