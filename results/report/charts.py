"""Draws the charts of a report as SVG, with text and axes in the page's own colours.

So they follow the reader's light or dark mode.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl

from results import metrics
from results.compare.over_tasks import ProfileLine
from results.curves import CurvePoint
from results.escapes import one_line
from results.tables.effects import VERDICT_LABELS

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

PALETTE = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#999933", "#888888")
"""Colours of lines: Paul Tol's bright scheme, which colour-blind readers can distinguish, and which
is visible on white and on black."""
MARKERS = "osD^vP*X"
"""Matplotlib's markers of lines, in the order of PALETTE."""
VERDICT_COLOURS = {
    "better": "#4477AA",
    "worse": "#EE6677",
    "tie": "#888888",
    "alike": "#66CCEE",
    "undecided": "#CCBB44",
}
"""Colours of verdicts."""
INK = "#010203"
"""Colour that is replaced by the page's text colour."""

LONGEST_LABEL = 48
"""Characters of a label in a chart at most."""
CHART_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.parse_math": False,  # a dollar in a name is no formula
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
"""Matplotlib's settings of all charts."""
LABEL_PLACES = (
    ((4, 3), "left"),
    ((-4, 3), "right"),
    ((4, -9), "left"),
    ((-4, -9), "right"),
    ((0, 10), "center"),
    ((0, -17), "center"),
)
"""Places of a label beside its point, in points, in the order in which they are tried."""
LEGEND_COLUMNS = 2
"""Number of a legend's entries beside each other."""
LEGEND_DISTANCE = 0.45
"""Inches from an axis to the legend below it."""
EFFECT_MARKS = 6
"""Number of marks on the x axis of effects at most, whose numbers are long."""
ROW = 0.19
"""Height of a line of a legend, in inches."""
SMALL_COLUMNS = 4
"""Number of small charts beside each other."""
LOGARITHMIC_RATIO = 30
"""Ratio of the highest to the lowest mean from which curves have a logarithmic scale."""

NARROW_RATIO = 5
"""Ratio of the highest to the lowest value up to which an axis is marked between round values."""


class Bar(NamedTuple):
    """Holds an effect with its interval and verdict."""

    label: str
    effect: float
    low: float
    high: float
    verdict: str


def drawn(name: str, size: tuple[float, float], draw: Callable[[Any], None]) -> str:
    """Return a chart as an SVG element.

    Args:
        name: prefix of the chart's ids, unique within the page.
        size: width and height in inches; the chart shrinks with the page.
        draw: draws into matplotlib's axes.
    """
    # the salt makes ids, and so the file, identical each time
    style = {**CHART_STYLE, "svg.hashsalt": name}
    with mpl.rc_context(style), warnings.catch_warnings():
        # the browser has the glyphs that the font of the measuring lacks
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure, axes = plt.subplots(figsize=size)
        draw(axes)
        figure.tight_layout()
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
        plt.close(figure)
    text = file.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    # all charts share the page's ids, so each gets a prefix
    text = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", text)
    # without a height the browser scales the chart to the width that there is
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    return re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.S).strip()


def bands(name: str, title: str, lines: Mapping[str, Sequence[CurvePoint]]) -> str:
    """Draw curves over steps: the mean of each, and a band from its least to its most seed."""

    def draw(axes: Any) -> None:
        for number, (label, points) in enumerate(lines.items()):
            _draw_band(axes, number, label, [p for p in points if p["mean"] is not None])
        axes.set_xlabel("steps")
        axes.set_ylabel(_shown(title))
        means = [p["mean"] for points in lines.values() for p in points if p["mean"] is not None]
        if means and min(means) > 0 and max(means) / min(means) > LOGARITHMIC_RATIO:
            axes.set_yscale("log")
        _legend_below(axes)

    return drawn(name, (5.2, 3.0 + ROW * math.ceil(len(lines) / LEGEND_COLUMNS)), draw)


def small_multiples(
    name: str, title: str, charts: Mapping[str, Mapping[str, Sequence[CurvePoint]]]
) -> str:
    """Draw a small chart for each layer, all on one scale: its lines are variants, over steps.

    Args:
        name: prefix of the chart's ids.
        title: what is drawn, in words.
        charts: the points of each line, by layer and variant.
    """
    variants = list(dict.fromkeys(variant for lines in charts.values() for variant in lines))
    rows = math.ceil(len(charts) / SMALL_COLUMNS)
    means = [
        point["mean"]
        for lines in charts.values()
        for points in lines.values()
        for point in points
        if point["mean"] is not None
    ]
    logarithmic = bool(means) and min(means) > 0 and max(means) / min(means) > LOGARITHMIC_RATIO

    def draw(axes: Any) -> None:
        figure = axes.figure
        axes.remove()
        grid = figure.subplots(rows, SMALL_COLUMNS, sharex=True, sharey=True, squeeze=False)
        for small, (layer, lines) in zip(grid.flat, charts.items(), strict=False):
            small.set_title(layer, fontsize=6)
            for variant, points in lines.items():
                kept = [point for point in points if point["mean"] is not None]
                _draw_band(small, variants.index(variant), variant, kept)
            if logarithmic:
                small.set_yscale("log")
        for unused in list(grid.flat)[len(charts) :]:
            unused.set_visible(False)
        grid[0, 0].legend(fontsize=6)
        figure.supylabel(title, fontsize=8)
        figure.supxlabel("steps", fontsize=8)

    return drawn(name, (8.4, 0.6 + 1.3 * rows), draw)


def _legend_below(axes: Any, columns: int = LEGEND_COLUMNS) -> None:
    """Put the legend below the chart, which so stays readable on a narrow screen."""
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        # below the axis's numbers and title, however high the chart is
        bbox_transform=axes.transAxes
        + ScaledTranslation(0, -LEGEND_DISTANCE, axes.figure.dpi_scale_trans),
        ncols=columns,
    )


def _shown(text: str) -> str:
    """Return a label as it is drawn: one line, which leaves room for the chart."""
    line = one_line(text)
    return line if len(line) <= LONGEST_LABEL else f"{line[: LONGEST_LABEL - 1]}…"


def _look(number: int) -> dict[str, str]:
    """Return the colour and the marker of the line with this number, counted from 0."""
    return {"color": PALETTE[number % len(PALETTE)], "marker": MARKERS[number % len(MARKERS)]}


def _draw_band(axes: Any, number: int, label: str, points: Sequence[CurvePoint]) -> None:
    """Draw one curve: a line through its means, and a band from its least to its most seed."""
    steps = [p["step"] for p in points]
    axes.plot(
        steps,
        [p["mean"] for p in points],
        **_look(number),
        markersize=3,
        markevery=max(1, len(steps) // 8),
        label=_shown(label),
    )
    least, most = [p["least"] for p in points], [p["most"] for p in points]
    colour = _look(number)["color"]
    axes.fill_between(steps, least, most, color=colour, alpha=0.15, linewidth=0)


def profiles(name: str, lines: Sequence[ProfileLine]) -> str:
    """Draw the share of runs above each score, one line per variant."""

    def draw(axes: Any) -> None:
        for number, line in enumerate(lines):
            axes.step(
                line["levels"],
                line["shares"],
                where="post",
                **_look(number),
                markevery=10,
                markersize=3,
                label=_shown(line["variant"]),
            )
        axes.set_xlabel("score, as a share of the most")
        axes.set_ylabel("share of runs above it")
        _legend_below(axes)

    return drawn(name, (5.2, 3.2 + ROW * math.ceil(len(lines) / LEGEND_COLUMNS)), draw)


def scatter(
    name: str, across: str, up: str, points: Sequence[tuple[str, str, float, float]]
) -> str:
    """Draw points, and label those for which none is both further right and higher.

    Args:
        name: prefix of the chart's ids.
        across: title of the x axis, which is logarithmic.
        up: title of the y axis.
        points: label, kind, x and y of each; the kind sets colour and marker.
    """

    def draw(axes: Any) -> None:
        kinds = list(dict.fromkeys(kind for _, kind, _, _ in points))
        for number, kind in enumerate(kinds):
            own = [(x, y) for _, other, x, y in points if other == kind]
            axes.scatter(
                [x for x, _ in own],
                [y for _, y in own],
                s=18,
                **_look(number),
                label=_shown(kind),
                alpha=0.8,
            )
        highest, best = -math.inf, []
        for label, _, x, y in sorted(points, key=lambda point: (-point[2], -point[3])):
            if y > highest:
                highest = y
                best.append((_shown(label), x, y))
        axes.set_xscale("log")
        _mark_plainly(axes, [x for _, _, x, _ in points])
        axes.set_xlabel(_shown(across))
        axes.set_ylabel(_shown(up))
        # below the points and their labels, not over them
        _legend_below(axes)
        axes.figure.tight_layout()
        _label_apart(axes, best)

    kinds = len({kind for _, kind, _, _ in points})
    return drawn(name, (5.2, 3.6 + ROW * math.ceil(kinds / LEGEND_COLUMNS)), draw)


def _mark_plainly(axes: Any, values: Sequence[float]) -> None:
    """Mark a logarithmic x axis at few round values, as `20k`: matplotlib's own would overlap."""
    low, high = min(values), max(values)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    marks = [step * 10.0**decade for decade in decades for step in (1, 2, 5)]
    if high / low < NARROW_RATIO:
        marks = [float(f"{low * (high / low) ** (part / 3):.2g}") for part in range(4)]
    axes.set_xticks(marks, [metrics.short(mark) for mark in marks])
    axes.set_xticks([], minor=True)
    axes.set_xlim(low / 1.15, high * 1.15)


def _label_apart(axes: Any, points: Sequence[tuple[str, float, float]]) -> None:
    """Label points where no label covers another or leaves the chart; else leave the label out."""
    taken: list[Any] = []
    frame = axes.get_window_extent()
    for label, x, y in points:
        for away, side in LABEL_PLACES:
            text = axes.annotate(
                label, (x, y), xytext=away, textcoords="offset points", ha=side, fontsize=7
            )
            box = text.get_window_extent()
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and box.y1 <= frame.y1 + 8
            if inside and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
            text.remove()


def forest(name: str, title: str, bars: Sequence[Bar]) -> str:
    """Draw effects with their intervals, one line each, coloured by verdict.

    The range of the x axis follows the effects, so that one very wide interval does not squeeze
    all others.
    """

    def draw(axes: Any) -> None:
        lines = list(enumerate(reversed(bars)))
        for word in [word for word in VERDICT_COLOURS if any(b.verdict == word for b in bars)]:
            _draw_bars(axes, word, [(place, bar) for place, bar in lines if bar.verdict == word])
        axes.set_yticks(range(len(bars)), [_shown(bar.label) for bar in reversed(bars)])
        axes.set_ylim(-0.7, len(bars) - 0.3)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_xlabel(_shown(title))
        effects = [bar.effect for bar in bars]
        room = 0.6 * (max(map(abs, effects)) or 1.0)
        left, right = axes.get_xlim()
        axes.set_xlim(max(left, min(effects) - room), min(right, max(effects) + room))
        axes.xaxis.set_major_locator(MaxNLocator(EFFECT_MARKS))
        _legend_below(axes, 4)

    return drawn(name, (6.0, 0.19 * len(bars) + 1.3), draw)


def _draw_bars(axes: Any, word: str, bars: Sequence[tuple[int, Bar]]) -> None:
    """Draw the bars of one verdict, each at its height; undecided ones are hollow."""
    colour, hollow = VERDICT_COLOURS[word], word == "undecided"
    places = [place for place, _ in bars]
    lows, highs = [bar.low for _, bar in bars], [bar.high for _, bar in bars]
    label = VERDICT_LABELS.get(word, word)
    axes.hlines(places, lows, highs, color=colour, linewidth=2, label=label)
    axes.plot(
        [bar.effect for _, bar in bars],
        places,
        linestyle="none",
        marker="D" if hollow else "o",
        color=colour,
        markerfacecolor="none" if hollow else colour,
        markersize=5,
    )
