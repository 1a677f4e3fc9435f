"""Assembles a report from its head, a section for each task and setting, and the environment."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from results.compare.again import beside_again, came_again
from results.compare.axis_effects import page_of_axes
from results.compare.judging import ComparisonRow
from results.compare.over_tasks import over_tasks
from results.escapes import for_html
from results.grouping import budget_of, grouped
from results.record import Record
from results.report.content import Details, Section
from results.report.glance import at_a_glance, doctor_at_a_glance, most_telling_first
from results.report.outputs import ReadOutputs
from results.report.page import Line, note, page, table, words
from results.report.scripted import StateSize, scripted_runs
from results.report.sections import (
    all_variants_part,
    curves_part,
    findings_part,
    layers_part,
    over_tasks_section,
    samples_part,
    speed_part,
    verdicts_part,
)
from results.seeds import write_seeds
from results.summary import summarise
from results.tables.text import grouped_rows

REPORTED_COSTS = ("tokens_to_target", "tokens_per_second")
"""Costs that a report compares besides the score."""


def write(
    records: Sequence[Record],
    suite: Mapping[str, Any],
    details: Details,
    today: date,
    state_size: StateSize = lambda variant: None,
    outputs: ReadOutputs = lambda record: None,
    again: range | None = None,
) -> str:
    """Return a report on these runs as an HTML document.

    Args:
        records: the runs, without curves.
        suite: the suite's base variant.
        details: reads runs with curves, by their ids.
        today: the date to print.
        state_size: how many numbers a variant's decoder carries from step to step.
        outputs: reads all outputs of a run on test.
        again: seeds that are kept apart; each word of the others has beside it what these find.

    Raises:
        ComparisonError: There are no runs of the seeds that are kept apart, or of no others.
    """
    # all tables of a report are one page, over which the rate of false words holds
    page_rows = _effects(records, suite, again)
    apart = sum(record.seed in again for record in records) if again else 0
    if again is not None:
        records = [record for record in records if record.seed not in again]
    groups = grouped(records)
    sections, effects = [], []
    found = grouped_rows(((row["task"], row["setting"]), row) for row in page_rows)
    for number, ((task, setting), group) in enumerate(groups.items()):
        rows = most_telling_first(found.get((task, setting), []))
        scores = [row for row in rows if not row["ratio"] and not row["refused"]]
        summary = summarise(group, suite)
        name = f"t{number}"
        sections.append(Section(name, task, setting, group, suite, summary, scores, details))
        effects.append(rows)
    doctor = doctor_at_a_glance(sections)
    parts = [_head(records, list(groups), today, bool(doctor))]
    if again is not None:
        parts.append(_kept_apart(apart, again, page_rows))
    parts += at_a_glance(sections, effects)
    parts += doctor
    parts += over_tasks_section(over_tasks(records, suite))
    for number, (section, rows) in enumerate(zip(sections, effects, strict=True)):
        parts += [f'<section data-table="{number}">', *_section(section, rows), "</section>"]
    parts.append(_environment(records, again))
    scripted = scripted_runs(sections, state_size, outputs, sum(map(len, parts)))
    parts.append(note([scripted.remark] if scripted.remark else []))
    return page("seq2seq-bench report", parts, scripted.content)


def _effects(
    records: Sequence[Record], suite: Mapping[str, Any], again: range | None
) -> list[ComparisonRow]:
    """Return the effects of all axes, beside what the seeds find that are kept apart, if any."""
    if again is None:
        return page_of_axes(records, suite, REPORTED_COSTS)
    return beside_again(records, again, lambda runs: page_of_axes(runs, suite, REPORTED_COSTS))


def _kept_apart(runs: int, again: range, rows: Sequence[ComparisonRow]) -> str:
    """Return a sentence on the seeds that only say what they find of the words of others."""
    words, same, opposite = came_again(rows)
    said = f"the {words} words" if words != 1 else "the 1 word"
    told = f"{runs:,} more runs, of seeds {write_seeds(again)}, are in no table. Of {said} better"
    return note(
        [f"{told} or worse below, {same} came again with them, {opposite} the other way round"]
    )


def _head(
    records: Sequence[Record], tables: Sequence[tuple[str, str]], today: date, examined: bool
) -> str:
    """Return the title, what there is, and links to the sections."""
    counts = Counter(record.status for record in records)
    statuses = ", ".join(f"{count:,} {status}" for status, count in counts.most_common())
    settings = Counter(task for task, _ in tables)
    names = [
        f"{task}, {budget_of(setting)}" if settings[task] > 1 else task for task, setting in tables
    ]
    links = "".join(
        f'<a href="#t{number}">{for_html(name)}</a>' for number, name in enumerate(names)
    )
    links += '<a href="#doctor">what the doctor found</a>' * examined
    word = "table" if len(tables) == 1 else "tables"
    return (
        f"<h1>Which recurrent sequence-to-sequence architecture?</h1>"
        f"<p>{len(records):,} runs ({statuses}) in {len(tables)} {word}, {today.isoformat()}.</p>"
        f"<nav>{links}<a href='#environment'>environment</a></nav>"
    )


def _section(section: Section, rows: Sequence[ComparisonRow]) -> list[str]:
    """Return the part of the page on one task and setting."""
    memorised = ", memorised: test = train" if section.summary[0]["memorisation"] else ""
    return [
        f'<h2 id="{section.name}">{for_html(section.task)}</h2>',
        f'<p class="setting">{for_html(section.setting + memorised)}</p>',
        *verdicts_part(section, rows),
        speed_part(section),
        curves_part(section),
        *layers_part(section),
        *findings_part(section),
        *samples_part(section),
        *all_variants_part(section),
        "<div data-runs></div>",
    ]


def _environment(records: Sequence[Record], again: range | None) -> str:
    """Return the machines, and the commands that print the same again."""
    machines = Counter(
        ", ".join(f"{key} {value}" for key, value in record.measured["machine"].items())
        for record in records
        if record.measured.get("machine")
    )
    rows: list[Line] = [
        {"machine": words(text), "runs": f"{count:,}"} for text, count in machines.items()
    ]
    tasks = sorted({record.task for record in records})
    twice = "" if again is None else f" --again {write_seeds(again)}"
    commands = [
        *["bench table"] * (again is None),  # it shows all seeds
        *(f"bench compare --axis cell --task {shlex.quote(task)}{twice}" for task in tasks[:1]),
        f"bench report --output report.html{twice}",
    ]
    listed = "".join(f"<li><code>{for_html(command)}</code></li>" for command in commands)
    return (
        '<h2 id="environment">Environment</h2>'
        + table(rows, "machines")
        + "<p>Each run's settings are in the store (<code>bench show RUN</code>). These commands, "
        f"given the same store, print the same results:</p><ul>{listed}</ul>"
    )
