"""Writes comparisons as tables of text: pairs of variants, axes, and equal cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from results.compare.interactions import InteractionRow
from results.compare.judging import NEITHER, ComparisonRow
from results.compare.measures import measure
from results.grouping import budget_of
from results.tables.comparison_notes import (
    again_notes,
    comparison_notes,
    interaction_notes,
    page_note,
    rising_page_note,
)
from results.tables.effects import (
    again_text,
    cost_text,
    effect_text,
    interval_text,
    p_text,
    side_text,
    verdict_text,
    where_text,
)
from results.tables.text import Texts, TextTable, grouped_rows

OF_COSTS = ("not compared", "timed", "timings")
"""Beginnings of remarks on costs; the others are on scores."""


class TitledTable(NamedTuple):
    """Holds a table and the line above it that names the two variants."""

    title: str
    table: TextTable


def pair_tables(rows: Sequence[ComparisonRow]) -> list[TitledTable]:
    """Return a table for each task, setting and pair of variants; one line per measure."""
    groups = grouped_rows(((row["task"], row["setting"], row["a"], row["b"]), row) for row in rows)
    return [
        TitledTable(
            _against(group),
            TextTable(_heading(group), [_pair_line(row) for row in group], comparison_notes(group)),
        )
        for group in groups.values()
    ]


def _pair_line(row: ComparisonRow) -> Texts:
    title = measure(row["measure"]).title
    if row["refused"]:
        # empty cells, so that the columns stand in their order where the first row has no values
        return {"measure": title, "a": "", "b": "", "effect": "", "verdict": row["refused"]}
    return {
        "measure": title,
        "a": side_text(row, "a"),
        "b": side_text(row, "b"),
        "effect": effect_text(row),
        "verdict": verdict_text(row),
        "95% interval": interval_text(row),
        "seeds": str(row["pairs"]),
        "p": p_text(row),
    }


def _against(rows: Sequence[ComparisonRow]) -> str:
    return against(rows[0]["a"], rows[0]["b"], rows[0].get("base", ""))


def against(a: str, b: str, base: str = "") -> str:
    """Return the line that names two variants; base: the values of the one named `base`."""
    sides = (f"base ({base})" if name == "base" and base else name for name in (a, b))
    return "  against  ".join(sides)


def _heading(rows: Sequence[ComparisonRow]) -> str:
    return f"{rows[0]['task']}  ({rows[0]['setting']})"


# the values of one axis, or all variants of two sets of runs


def effect_tables(
    rows: Sequence[ComparisonRow], interactions: Sequence[InteractionRow] = ()
) -> list[TextTable]:
    """Return two tables for each task and setting: of scores, and of costs.

    There is a line for each value of the axis, or for each variant if the rows name one.
    """
    tables = []
    groups = grouped_rows(((row["task"], row["setting"]), row) for row in rows)
    for (task, setting), group in groups.items():
        crossed = [r for r in interactions if (r["task"], r["setting"]) == (task, setting)]
        tables += [_score_table(group, crossed), _cost_table(group)]
    return tables


def _score_table(
    rows: Sequence[ComparisonRow], interactions: Sequence[InteractionRow]
) -> TextTable:
    scores = [row for row in rows if not row["ratio"]]
    lines = [
        {
            "variant": _label(row),
            measure(row["measure"]).title: effect_text(row),
            "verdict": verdict_text(row),
            "again": again_text(row),
            "95% interval": interval_text(row),
            "seeds": str(row["pairs"]),
            "p": p_text(row),
        }
        for row in scores
    ]
    notes = [
        _against_note(rows),
        *again_notes(scores),
        *interaction_notes(interactions),
        *comparison_notes(scores),
    ]
    return TextTable(_heading(rows), lines, notes)


def _against_note(rows: Sequence[ComparisonRow]) -> str:
    """Say what the variants of a table are compared with."""
    if "variant" in rows[0]:  # of two sets of runs, every line has the same a
        return f"{rows[0]['a']} is compared with {rows[0]['b']}, each variant on the same seeds"
    return f"each value is compared with {_reference(rows)} on the same seeds"


def _reference(rows: Sequence[ComparisonRow]) -> str:
    """Return what the values of one axis are compared with, or those of several."""
    references = {row["b"] for row in rows}
    return references.pop() if len(references) == 1 else "the base's"


def _cost_table(rows: Sequence[ComparisonRow]) -> TextTable:
    costs = [row for row in rows if row["ratio"]]
    lines: dict[str, Texts] = {}
    for row in costs:
        label = row.get("variant", row["a"])
        line = lines.setdefault(label, {"variant": _label(row)})
        line[measure(row["measure"]).title] = cost_text(row)
    notes = [
        f"each as a multiple of the cost of {_reference(rows)}; + better, - worse, = a tie, "
        "~ no difference seen, ? not significant yet",
        *(note for note in comparison_notes(costs) if note.startswith(OF_COSTS)),
    ]
    return TextTable("what it costs", list(lines.values()), notes)


def _label(row: ComparisonRow) -> str:
    return row.get("variant", row["a"]) + where_text(row)


# all axes


def overview_tables(rows: Sequence[ComparisonRow]) -> list[TextTable]:
    """Return a table of the scores and one of the tokens to the target.

    There is a line for each value of every axis, and a column for each task.
    """
    scores = [row for row in rows if not row["ratio"]]
    tokens = [row for row in rows if row["ratio"]]
    tables = [
        TextTable("every axis: score", _overview_lines(scores), _overview_notes(scores)),
        TextTable(
            "every axis: tokens to target",
            _overview_lines(tokens),
            [
                "left out where neither reached the target; < and > where only a bound is known",
                *page_note(tokens),
            ],
        ),
    ]
    return [table for table in tables if table.lines]


def _overview_notes(scores: Sequence[ComparisonRow]) -> list[str]:
    titles = {row["task"]: measure(row["measure"]).title for row in scores}
    return [
        "scores of test: " + ", ".join(f"{task} {title}" for task, title in titles.items()),
        "+ better than the base's value, - worse, = a tie, ~ no difference seen, ? not "
        "significant yet; bench compare --axis has intervals, seeds and costs",
        *again_notes(scores),
        *page_note(scores),
        *rising_page_note(scores),
        *(note for note in comparison_notes(scores) if note.startswith("too few")),
    ]


def _overview_lines(rows: Sequence[ComparisonRow]) -> list[Texts]:
    """Return a line with the base's own values, then one for each value of every axis."""
    columns = _column_titles(rows)
    base: Texts = {"value": "base"}
    lines: dict[str, Texts] = {}
    for row in rows:
        # an overview has room for effects only; the table of the axis says why there is none
        if row["refused"] or row["why"] == NEITHER:
            continue
        column = columns[row["task"], row["setting"]]
        if not row.get("where"):
            base.setdefault(column, side_text(row, "b"))
        label = row["a"] + (where_text(row) if row["contexts"] == 1 else "")
        lines.setdefault(label, {"value": label})[column] = cost_text(row)
    ordered = sorted(lines, key=lambda label: label.partition("=")[0])
    return [base, *(lines[label] for label in ordered)] if lines else []


def _column_titles(rows: Sequence[ComparisonRow]) -> dict[tuple[str, str], str]:
    """Return a column's title for each table: the task, with the budget if it has several."""
    tables = {(row["task"], row["setting"]) for row in rows}
    count = Counter(task for task, _ in tables)
    return {
        (task, setting): task if count[task] == 1 else f"{task}, {budget_of(setting)}"
        for task, setting in tables
    }


# equal cost


def equal_cost_tables(rows: Sequence[ComparisonRow]) -> list[TitledTable]:
    """Return a table for each task and setting: a line for each thing that is held equal."""
    groups = grouped_rows(((row["task"], row["setting"]), row) for row in rows)
    tables = []
    for group in groups.values():
        notes = [
            "on valid, at the point where both had spent as much; at the best learning rate, "
            "chosen on valid, and at equal parameters on test"
        ]
        if {"better", "worse"} <= {row["verdict"] for row in group}:
            notes.append("the order changes with what is equal")
        lines = [_equal_cost_line(row) for row in group]
        table = TextTable(_heading(group), lines, notes + comparison_notes(group))
        tables.append(TitledTable(_against(group), table))
    return tables


def _equal_cost_line(row: ComparisonRow) -> Texts:
    return {
        "equal": row["mode"].replace("learning_rate", "best learning rate"),
        measure(row["measure"]).title: effect_text(row),
        "verdict": "not compared" if row["refused"] else verdict_text(row),
        "95% interval": interval_text(row),
        "at": row["at"],
        "seeds": "" if row["refused"] else str(row["pairs"]),
    }
