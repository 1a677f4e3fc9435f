"""Writes the sections of a report as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from results import metrics
from results.compare.judging import ComparisonRow
from results.compare.measures import measure
from results.compare.over_tasks import OverTasksRow, profile
from results.escapes import for_html
from results.layers import LAYER_TITLES
from results.report import charts
from results.report.content import (
    DRAWN_VALUES,
    SAMPLES,
    Section,
    attended,
    axis_curves,
    best_samples,
    layer_charts,
    shown_findings,
    speed_points,
)
from results.report.page import (
    Line,
    TableCell,
    drawn_by_scripts,
    figure,
    folded,
    heat,
    note,
    table,
    words,
)
from results.tables.comparison_notes import comparison_notes
from results.tables.effects import (
    again_text,
    cost_text,
    effect_text,
    interval_text,
    verdict_text,
    where_text,
)
from results.tables.summaries import summary_line, summary_notes, timing_notes


def over_tasks_section(rows: Sequence[OverTasksRow]) -> list[str]:
    """Return the ranking of variants over all tasks, and their performance profiles."""
    if len(rows) < 2:
        return []
    lines: list[Line] = [
        {
            "variant": row["variant"],
            "interquartile mean": TableCell(
                f"{row['interquartile_mean']:.3f}", row["interquartile_mean"]
            ),
            "95% interval": f"{row['low']:.3f} to {row['high']:.3f}",
            "beats the base": TableCell(f"{row['beats_base']:.2f}", row["beats_base"]),
            "runs": str(row["runs"]),
        }
        for row in rows
    ]
    remark = (
        f"{len(rows)} variants that all {rows[0]['tables']} tables have; scores as shares of the "
        "most, resampled within each table. Beats the base: chance that a run is ahead of one of "
        "the base's, one half where they are equal."
    )
    chart = charts.profiles("profiles", profile(rows, DRAWN_VALUES - 1))
    return [
        '<h2 id="over">Over all tasks</h2>',
        table(lines, "over all tasks"),
        note([remark]),
        figure(chart, "share of runs above each score, of the best and the base"),
    ]


def verdicts_part(section: Section, rows: Sequence[ComparisonRow]) -> list[str]:
    """Return the effects of all axes as a table and as a chart."""
    if not section.scores:
        return []
    common = section.summary[0]["common"]
    against = "against the default" + (f", {common}" if common != "base" else "")
    lines = _effect_lines(rows)
    known = {row["variant"]: number for number, row in enumerate(section.summary)}
    return [
        f"<h3>Verdicts, {for_html(against)}</h3>",
        table(list(lines.values()), f"verdicts on {section.task}", [known.get(a) for a in lines]),
        note(comparison_notes(section.scores)),
        drawn_by_scripts("verdicts", "".join(_forest(section))),
    ]


def _forest(section: Section) -> list[str]:
    bars = [
        charts.Bar(row["a"], row["effect"], row["low"], row["high"], row["verdict"])
        for row in section.scores
        if row["effect"] is not None
        and row["low"] is not None
        and row["high"] is not None
        and row["verdict"] is not None
    ]
    if not bars:
        return []
    title = f"effect on {measure(section.scores[0]['measure']).title}, 95% interval"
    return [figure(charts.forest(f"{section.name}-forest", title, bars), title)]


def _effect_lines(rows: Sequence[ComparisonRow]) -> dict[str, Line]:
    """Return a line for each value of an axis: the effect on the score, then on costs."""
    lines: dict[str, dict[str, TableCell | str]] = {}
    for row in rows:
        value = row["a"] + where_text(row)
        line = lines.setdefault(row["a"], {"value": value})
        title = measure(row["measure"]).title
        verdict = row["verdict"] or ""
        if row["ratio"]:
            line[f"{title}, times"] = TableCell(cost_text(row), row["effect"], verdict)
            continue
        line[title] = TableCell(effect_text(row), row["effect"])
        # what a narrow screen shows first
        line["verdict"] = TableCell(row["refused"] or verdict_text(row), None, f"text {verdict}")
        if "again_verdict" in row:
            line["again"] = again_text(row)
        line["95% interval"] = interval_text(row)
        line["against"] = row["b"]
        line["seeds"] = str(row["pairs"])
    return {**lines}


def speed_part(section: Section) -> str:
    """Return a chart of scores by training speed; scripts draw them by other costs too."""
    points = speed_points(section)
    if len(points) < 2:
        return drawn_by_scripts("costs")
    summary = section.summary
    title = metrics.score(summary[0]["metric"]).title
    chart = charts.scatter(f"{section.name}-cost", "training tokens/s", title, points)
    concurrent = max(row["trained_beside"] for row in summary)
    remarks = timing_notes(concurrent, (row["core_share"] for row in summary))
    caption = ", ".join([f"{section.task}: {title} by speed", *remarks])
    return drawn_by_scripts("costs", f"<h3>Speed against quality</h3>{figure(chart, caption)}")


def curves_part(section: Section) -> str:
    """Return charts of curves for the axes with the most values; scripts draw any others."""
    figures = []
    for axis, metric, lines in axis_curves(section):
        title = metric.replace("_", " ")
        chart = charts.bands(f"{section.name}-{axis}-{metric}", title, lines)
        caption = f"{section.task}: {title} by {axis}; shading: minimum to maximum over seeds"
        figures.append(figure(chart, caption))
    return drawn_by_scripts("curves", "<h3>Curves</h3>" * bool(figures) + "".join(figures))


def layers_part(section: Section) -> list[str]:
    """Return small charts of every parameter and layer, of runs that recorded them, folded."""
    figures = []
    for figure_name, lines in layer_charts(section):
        title = LAYER_TITLES[figure_name]
        chart = charts.small_multiples(f"{section.name}-layers-{figure_name}", title, lines)
        figures.append(figure(chart, f"{section.task}: {title}, one chart a parameter or layer"))
    if not figures:
        return []
    return [folded("parameters and layers over training", "".join(figures))]


def findings_part(section: Section) -> list[str]:
    """Return what the doctor found, with the evidence of one run for each cause."""
    rows: list[Line] = [
        {
            "variant": words(shown.variant),
            "finding": words(f"{shown.finding.cause} in {shown.runs} of {shown.examined}"),
            "seen": words(shown.finding.evidence),
            "change": words(shown.finding.change),
        }
        for shown in shown_findings(section)
    ]
    return ["<h3>What the doctor found</h3>", table(rows, "findings")] if rows else []


def samples_part(section: Section) -> list[str]:
    """Return sample outputs of the best variant, and its attention on some of them."""
    samples = best_samples(section)
    if not samples:
        return []
    lines: list[Line] = [
        {
            "source": words(sample["source"]),
            "output": words(sample["output"]),
            "reference": words(sample.get("reference", "")),
        }
        for sample in samples[:SAMPLES]
    ]
    best = section.summary[0]["variant"]
    parts = [f"<h3>What {for_html(best)} gives</h3>", table(lines, "sample outputs")]
    for sample in attended(samples):
        caption = f"attention in per cent on {sample['source']}"
        down = [*sample["output_symbols"], "end"]
        parts.append(heat(sample["attention"], sample["source_symbols"], down, caption))
    return parts


def all_variants_part(section: Section) -> list[str]:
    """Return the table of all variants, folded."""
    summary = section.summary
    lines: list[Mapping[str, str]] = [
        {**summary_line(row), "run": row["runs"][0]} for row in summary
    ]
    numbers = list(range(len(summary)))
    content = table(lines, f"all variants of {section.task}", numbers)
    content += note(summary_notes(summary))
    return [folded(f"all {len(summary)} variants, best first", content)]
