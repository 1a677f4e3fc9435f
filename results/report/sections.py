"""What a report says: verdicts, effects, curves, costs, samples, and how to make it again."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from html import escape
from typing import Any

from results import grouping, metrics, naming
from results.compare.axis_effects import Varied, every_axis_in
from results.compare.measures import measure
from results.compare.over_tasks import over_tasks, profile
from results.compare.pairs import ComparisonRow
from results.doctor.examined import Finding, examined_run
from results.doctor.rules import findings
from results.grouping import by_variant, grouped
from results.record import Record
from results.report import charts
from results.report.page import TableCell, figure, folded, heat, note, page, table
from results.show import tables, verdicts
from results.show.curves import curves
from results.summary import summarise

Details = Callable[[Sequence[str]], Iterable[Record]]
"""Runs by their ids, with curves and samples."""
COMPARED = ("tokens_to_target", "tokens_per_second")
DRAWN_AXES = 3
LINES = 7
DRAWN_METRICS = ("gradient_norm", "update_ratio")
SAMPLES = 4
HEATS = 2
FINDINGS = 12
"""Variants whose findings are shown with their evidence."""


def write(
    records: Sequence[Record], suite: Mapping[str, Any], details: Details, today: date
) -> str:
    """The page. records: without details."""
    groups = grouped(records)
    parts = [_head(records, groups, today), *_over_tasks(records, suite)]
    for number, ((task, setting), group) in enumerate(groups.items()):
        parts += _section(f"t{number}", task, setting, group, suite, details)
    parts.append(_environment(records))
    return page("seq2seq-bench report", parts)


def _head(
    records: Sequence[Record], groups: Mapping[tuple[str, str], list[Record]], today: date
) -> str:
    counts = Counter(record.status for record in records)
    said = ", ".join(f"{count:,} {status}" for status, count in counts.most_common())
    twice = Counter(task for task, _ in groups)
    names = [
        f"{task}, {grouping.budget(setting)}" if twice[task] > 1 else task
        for task, setting in groups
    ]
    links = "".join(f'<a href="#t{number}">{escape(name)}</a>' for number, name in enumerate(names))
    return (
        f"<h1>Which recurrent sequence-to-sequence architecture?</h1>"
        f"<p>{len(records):,} runs ({said}) in {len(groups)} tables, {today.isoformat()}.</p>"
        "<p>Each value of an axis is held against the base's over the seeds that both have. "
        "<b>better</b> and <b>worse</b> are sure (sign-flip test, Holm over the axis), <b>tie</b> "
        "is an interval within what matters, and <b>undecided: n more</b> says how many further "
        "seeds would settle it if it stays as it is.</p>"
        f"<nav>{links}<a href='#environment'>environment</a></nav>"
    )


def _over_tasks(records: Sequence[Record], suite: Mapping[str, Any]) -> list[str]:
    rows = over_tasks(records, suite)
    if len(rows) < 2:
        return []
    lines = [
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
    said = (
        f"{len(rows)} variants that all {rows[0]['tables']} tables have; scores as shares of the "
        "most, resampled within each table. Beats the base: chance that a run is ahead of one of "
        "the base's, one half where they are alike."
    )
    chart = charts.profiles("profiles", profile(rows, LINES - 1))
    return [
        '<h2 id="over">Over all tasks</h2>',
        table(lines, "over all tasks"),
        note([said]),
        figure(chart, "share of runs above each score, of the best and the base"),
    ]


def _section(
    name: str,
    task: str,
    setting: str,
    group: list[Record],
    suite: Mapping[str, Any],
    details: Details,
) -> list[str]:
    summary = summarise(group, suite)
    rows = every_axis_in(Varied(group, suite), {"task": task, "setting": setting}, COMPARED)
    memorised = ", memorised: test = train" if summary[0]["memorisation"] else ""
    parts = [f'<h2 id="{name}">{escape(task)}</h2>', f"<p>{escape(setting + memorised)}</p>"]
    scores = [row for row in rows if not row["ratio"] and not row["refused"]]
    if scores:
        against = f"against the base, {summary[0]['common']}"
        parts.append(f"<h3>Verdicts, {escape(against)}</h3>")
        parts.append(table(_effect_lines(rows), f"verdicts on {task}"))
        parts.append(note(verdicts.notes(scores)))
        shown = [
            (row["a"], row["effect"], row["low"], row["high"], row["verdict"])
            for row in scores
            if row["low"] is not None
        ]
        if shown:
            title = f"effect on {measure(scores[0]['measure']).title}, 95% interval"
            parts.append(figure(charts.forest(f"{name}-forest", title, shown), title))
    parts += _cost(name, task, summary, group, suite)
    parts += _curves(name, task, group, scores, suite, details)
    parts += _findings(summary, details)
    parts += _samples(summary, details)
    texts = [{**tables.cells(row), "run": row["runs"][0]} for row in summary]
    whole = table(texts, f"all variants of {task}") + note(tables.notes(summary))
    parts.append(folded(f"all {len(summary)} variants, best first", whole))
    return parts


def _effect_lines(rows: Sequence[ComparisonRow]) -> list[dict[str, Any]]:
    lines: dict[str, dict[str, Any]] = {}
    for row in rows:
        at = f" (at {row['where']})" if row["where"] else ""
        line = lines.setdefault(row["a"], {"value": row["a"] + at, "against": row["b"]})
        title = measure(row["measure"]).title
        if row["ratio"]:
            kind = row["verdict"] or ""
            line[f"{title}, times"] = TableCell(verdicts.cost_text(row), row["effect"], kind)
            continue
        line[title] = TableCell(verdicts.effect_text(row), row["effect"])
        line["95% interval"] = verdicts.interval_text(row)
        line["verdict"] = TableCell(
            row["refused"] or verdicts.verdict_text(row), None, f"text {row['verdict'] or ''}"
        )
        line["seeds"] = str(row["pairs"])
    return list(lines.values())


def _cost(
    name: str,
    task: str,
    summary: Sequence[ComparisonRow],
    group: Sequence[Record],
    suite: Mapping[str, Any],
) -> list[str]:
    """Time against quality."""
    base = naming.shared_base([record.variant for record in group], suite)
    cell = {
        label: str(runs[0].variant.get("cell"))
        for label, runs in by_variant(list(group), base).items()
    }
    points = [
        (row["variant"], cell[row["variant"]], row["tokens_per_second"], row["score_mean"])
        for row in summary
        if row["tokens_per_second"] and row["score_mean"] is not None
    ]
    if len(points) < 2 or len({host for row in summary for host in row["hosts"]}) > 1:
        return []
    title = metrics.score(summary[0]["metric"]).title
    chart = charts.scatter(f"{name}-cost", "training tokens/s", title, points)
    beside = max(row["trained_beside"] for row in summary)
    said = tables.timing_notes(beside, (row["core_share"] for row in summary))
    caption = ", ".join([f"{task}: {title} by speed", *said])
    return ["<h3>Speed against quality</h3>", figure(chart, caption)]


def _curves(
    name: str,
    task: str,
    group: Sequence[Record],
    scores: Sequence[ComparisonRow],
    suite: Mapping[str, Any],
    details: Details,
) -> list[str]:
    """Of the axes with the most values: how they went; of the first, gradients too."""
    base = naming.shared_base([record.variant for record in group], suite)
    named = by_variant(list(group), base)
    axes = Counter(row["a"].partition("=")[0] for row in scores).most_common(DRAWN_AXES)
    parts = []
    for number, (axis, _) in enumerate(axes):
        own = [label for label in named if label.startswith(f"{axis}=") and "," not in label]
        labels = [label for label in ("base",) if label in named] + own[:LINES]
        if "base" not in labels or len(labels) < 2:
            continue
        runs = list(details([run.id for label in labels for run in named[label]]))
        wanted = ["valid_loss", *(DRAWN_METRICS if not number else ())]
        for metric in wanted:
            try:
                rows = curves(runs, suite, metric)
            except ValueError:  # no run of it was measured
                continue
            lines = {_level(row["variant"], axis, base): row["points"] for row in rows}
            chart = charts.bands(f"{name}-{axis}-{metric}", metric.replace("_", " "), lines)
            caption = f"{task}: {metric.replace('_', ' ')} by {axis}; bands from least to most seed"
            parts.append(figure(chart, caption))
    return ["<h3>Curves</h3>", *parts] if parts else []


def _level(variant: str, axis: str, base: Mapping[str, Any]) -> str:
    return f"{axis}={naming.text(base.get(axis))}" if variant == "base" else variant


def _findings(summary: Sequence[ComparisonRow], details: Details) -> list[str]:
    """What the doctor found, with the evidence of one run each."""
    found = [row for row in summary if row["findings"]][:FINDINGS]
    if not found:
        return []
    wanted = {cause for row in found for cause in row["findings"]}
    records = details([run for row in found for run in row["runs"]])
    shown: dict[str, Finding] = {}
    for record in records:
        of = examined_run(record)
        for one in findings(of) if of else ():
            if one.cause in wanted:
                shown.setdefault(one.cause, one)
    rows = [
        {
            "variant": TableCell(row["variant"], None, "text"),
            "finding": TableCell(f"{cause} in {count} of {row['examined']}", None, "text"),
            "seen": TableCell(shown[cause].evidence, None, "text"),
            "change": TableCell(shown[cause].change, None, "text"),
        }
        for row in found
        for cause, count in row["findings"].items()
        if cause in shown
    ]
    return ["<h3>What the doctor found</h3>", table(rows, "findings")] if rows else []


def _samples(summary: Sequence[ComparisonRow], details: Details) -> list[str]:
    """What the best variant says, and where it looks."""
    (best,) = details([summary[0]["runs"][0]])
    rows = best.outcome.get("samples", [])
    if not rows:
        return []
    shown = [
        {
            "source": TableCell(row["source"], None, "text"),
            "output": TableCell(row["output"], None, "text"),
            "reference": TableCell(row.get("reference", ""), None, "text"),
        }
        for row in rows[:SAMPLES]
    ]
    parts = [f"<h3>What {escape(summary[0]['variant'])} gives</h3>", table(shown, "sample outputs")]
    looked = [row for row in rows if row.get("attention") and row.get("source_symbols")]
    for row in looked[:HEATS]:
        caption = f"attention on {row['source']}"
        down = [*row["output_symbols"], "end"]
        parts.append(heat(row["attention"], row["source_symbols"], down, caption))
    return parts


def _environment(records: Sequence[Record]) -> str:
    machines = Counter(
        ", ".join(f"{key} {value}" for key, value in record.measured["machine"].items())
        for record in records
        if record.measured.get("machine")
    )
    rows = [
        {"machine": TableCell(text, None, "text"), "runs": f"{count:,}"}
        for text, count in machines.items()
    ]
    tasks = sorted({record.task for record in records})
    commands = [
        "bench table",
        *(f"bench compare --axis cell --task {shlex.quote(task)}" for task in tasks[:1]),
        "bench report --output report.html",
    ]
    listed = "".join(f"<li><code>{escape(command)}</code></li>" for command in commands)
    return (
        '<h2 id="environment">Environment</h2>'
        + table(rows, "machines")
        + "<p>Each run's settings are in the store (<code>bench show RUN</code>). These commands, "
        f"given the same store, say it again:</p><ul>{listed}</ul>"
    )
