"""Comparisons as a person reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from results import metrics
from results.compare.measures import measure
from results.compare.pairs import NEITHER, ComparisonRow
from results.grouping import budget
from results.show.tables import timing_notes
from results.show.terminal import Table, fit, show_texts, titles
from results.stats.inference import ALPHA, fewest


def show_pairs(rows: Sequence[ComparisonRow], console: Console) -> None:
    """A table a task, setting and pair of variants: a line a measure."""
    for group in _groups(rows, ("task", "setting", "a", "b")):
        first = group[0]
        heading = f"{first['task']}  ({first['setting']})"
        console.print(f"{first['a']}  against  {first['b']}", soft_wrap=True, markup=False)
        texts = [_pair_texts(row) for row in group]
        show_texts(heading, texts, notes(group), console)
        console.print()


def show_effects(
    rows: Sequence[ComparisonRow],
    crossed: Sequence[ComparisonRow],
    console: Console,
    label: str = "a",
) -> None:
    """Two tables a task and setting, of score and of cost: a line a value of the axis, or what
    label says. crossed: interactions."""
    for group in _groups(rows, ("task", "setting")):
        heading = f"{group[0]['task']}  ({group[0]['setting']})"
        scores = [row for row in group if not row["ratio"]]
        here = [row for row in crossed if row["setting"] == group[0]["setting"]]
        here = [row for row in here if row["task"] == group[0]["task"]]
        of = "" if label == "a" else f"{group[0]['a']} "
        said = [f"{of}against {group[0]['b']}", *notes(scores), *interaction_notes(here)]
        texts = [
            {
                "variant": row[label] + _where(row),
                measure(row["measure"]).title: effect_text(row),
                "verdict": verdict_text(row),
                "95% interval": interval_text(row),
                "seeds": str(row["pairs"]),
                "p": "" if row["refused"] else f"{row['p_adjusted']:.3f}",
            }
            for row in scores
        ]
        show_texts(heading, texts, said, console)
        console.print()
        costs = [row for row in group if row["ratio"]]
        texts = [
            {
                "variant": some[0][label] + _where(some[0]),
                **{measure(row["measure"]).title: cost_text(row) for row in some},
            }
            for some in _groups(costs, (label,))
        ]
        said = [
            f"times that of {group[0]['b']}; = a tie, + better, - worse, ? undecided",
            *(note for note in notes(costs) if note.startswith(("not compared", "timed"))),
        ]
        show_texts("what it costs", texts, said, console)
        console.print()


def show_every_axis(rows: Sequence[ComparisonRow], console: Console) -> None:
    """A line a value of every axis, a column a task; as many tables as it takes to have all."""
    for heading, texts, notes in every_axis(rows):
        left = titles(texts)[1:]
        while left:
            # a terminal too narrow for a single one is told the names of all
            shown = fit(_with(texts, left), console.width)[1:] or left
            left = left[len(shown) :]
            show_texts(heading, _with(texts, shown), [] if left else notes, console)
            console.print()


def _with(texts: Sequence[dict[str, str]], columns: Sequence[str]) -> list[dict[str, str]]:
    """Values and these columns, of the lines that say something in one of them."""
    lines = [
        {title: text[title] for title in ("value", *columns) if title in text} for text in texts
    ]
    return [line for line in lines if len(line) > 1]


OVERVIEW = ("tokens_to_target",)
"""What an overview of every axis has beside the scores."""


def every_axis(rows: Sequence[ComparisonRow]) -> list[Table]:
    """A table of the scores and one of the tokens to the target."""
    scores = [row for row in rows if not row["ratio"]]
    scored = {row["task"]: measure(row["measure"]).title for row in scores}
    said = [
        "scores of test: " + ", ".join(f"{task} {title}" for task, title in scored.items()),
        "+ better than the base's value, - worse, = a tie, ? undecided; bench compare --axis has "
        "intervals, seeds and costs",
        *(one for one in notes(scores) if one.startswith("too few")),
    ]
    tokens = [row for row in rows if row["ratio"]]
    tables = [
        ("every axis: score", _by_task(scores), said),
        ("every axis: tokens to target", _by_task(tokens), ["left out where neither got there"]),
    ]
    return [table for table in tables if table[1]]


def _by_task(rows: Sequence[ComparisonRow]) -> list[dict[str, str]]:
    settings = {(row["task"], row["setting"]) for row in rows}
    twice = {task for task, count in Counter(task for task, _ in settings).items() if count > 1}
    base: dict[str, str] = {"value": "base"}
    lines: dict[str, dict[str, str]] = {}
    for row in rows:
        if row["refused"] or row["why"] == NEITHER:
            continue
        column = row["task"] + (f", {budget(row['setting'])}" if row["task"] in twice else "")
        if not row["where"]:
            base.setdefault(column, _side(row, "b"))
        label = row["a"] + (_where(row) if row["contexts"] == 1 else "")
        lines.setdefault(label, {"value": label})[column] = cost_text(row)
    ordered = sorted(lines, key=lambda label: label.partition("=")[0])
    return [base, *(lines[label] for label in ordered)] if lines else []


def _where(row: ComparisonRow) -> str:
    """` (at depth=2)`, where an effect is not that at the base."""
    return f" (at {row['where']})" if row.get("where") else ""


def show_fair(rows: Sequence[ComparisonRow], console: Console) -> None:
    """A table a task and setting: a line for each thing that is equal."""
    for group in _groups(rows, ("task", "setting")):
        first = group[0]
        console.print(f"{first['a']}  against  {first['b']}", soft_wrap=True, markup=False)
        texts = [
            {
                "equal": row["mode"].replace("learning_rate", "best learning rate"),
                measure(row["measure"]).title: effect_text(row),
                "verdict": "not compared" if row["refused"] else verdict_text(row),
                "95% interval": interval_text(row),
                "at": row["at"],
                "seeds": "" if row["refused"] else str(row["pairs"]),
            }
            for row in group
        ]
        said = [
            "on valid, where the runs stood then; at the best learning rate, chosen on valid, "
            "and at equal parameters on test"
        ]
        words = {row["verdict"] for row in group}
        if {"better", "worse"} <= words:
            said.append("the order changes with what is equal")
        show_texts(f"{first['task']}  ({first['setting']})", texts, said + notes(group), console)
        console.print()


def _groups(rows: Sequence[ComparisonRow], keys: tuple[str, ...]) -> list[list[ComparisonRow]]:
    found: dict[tuple[Any, ...], list[ComparisonRow]] = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in keys), []).append(row)
    return list(found.values())


def _pair_texts(row: ComparisonRow) -> dict[str, str]:
    known = measure(row["measure"])
    if row["refused"]:
        return {"measure": known.title, "verdict": row["refused"]}
    return {
        "measure": known.title,
        "a": _side(row, "a"),
        "b": _side(row, "b"),
        "effect": effect_text(row),
        "verdict": verdict_text(row),
        "95% interval": interval_text(row),
        "seeds": str(row["pairs"]),
        "p": f"{row['p_adjusted']:.3f}",
    }


def _side(row: ComparisonRow, side: str) -> str:
    known = measure(row["measure"])
    unreached = row[f"censored_{side}"] if known.key.endswith("to_target") else 0
    if unreached == row["pairs"] * row["contexts"]:
        return "never"
    return ("> " if unreached else "") + known.write_value(row[f"{side}_mean"])


def effect_text(row: ComparisonRow) -> str:
    """`+0.120`, or `×0.61` of a ratio; nothing where there is none."""
    if row["refused"] or row["why"] == NEITHER:
        return ""
    return measure(row["measure"]).write(row["effect"])


def cost_text(row: ComparisonRow) -> str:
    """`×0.61 +`: an effect with its verdict as a sign."""
    if row["refused"]:
        return "not compared"
    if row["why"] == NEITHER:
        return "never"
    return f"{effect_text(row)} {SIGNS[row['verdict']]}"


SIGNS = {"better": "+", "worse": "-", "tie": "=", "undecided": "?"}


def interval_text(row: ComparisonRow) -> str:
    """Where the effect lies."""
    if row["refused"] or row["why"] == NEITHER:
        return ""
    if row["low"] is None:
        return "unknown"
    known = measure(row["measure"])
    return f"{known.write(row['low'])} to {known.write(row['high'])}"


def verdict_text(row: ComparisonRow) -> str:
    """The word, and what it would take to have one."""
    if row["verdict"] != "undecided":
        return str(row["verdict"])
    if row["why"] == NEITHER:
        return NEITHER
    more = row["more_seeds"]
    return "undecided" + (f": {metrics.short(more)} more" if more else "")


def notes(rows: Sequence[ComparisonRow]) -> list[str]:
    """What has to be said below a table."""
    said = []
    judged = [row for row in rows if row["verdict"] is not None]
    if any(row["why"] == "too few seeds" for row in judged):
        least = max(fewest(ALPHA / row["family"]) for row in judged)
        said.append(
            f"too few seeds: a two-sided sign-flip test cannot reach {ALPHA:g} with fewer than "
            f"{least}" + (" in a family of this size" if least > fewest(ALPHA) else "")
        )
    if any(row["verdict"] == "undecided" and row["more_seeds"] for row in judged):
        said.append("n more: seeds that would settle it if it stays as it is")
    left = max((row["unpaired"] for row in rows), default=0)
    if left:
        said.append(f"{left} seeds are left out, as one side lacks them")
    beside = max((row["trained_beside"] for row in judged), default=0)
    said += timing_notes(beside, (row["core_share"] for row in judged))
    lost = [row for row in judged if not row["ratio"] and row["censored_a"] + row["censored_b"]]
    if lost:
        count = sum(row["censored_a"] + row["censored_b"] for row in lost)
        said.append(f"{count} runs without a score count as 0")
    scores = [row for row in judged if not row["ratio"]]
    if len(scores) == 1 and scores[0]["detectable"] and scores[0]["verdict"] == "undecided":
        seen = measure(scores[0]["measure"]).write(scores[0]["detectable"]).lstrip("+")
        said.append(f"a difference of {seen} would be found in 4 of 5 cases with these seeds")
    refused = {row["refused"] for row in rows if row["refused"]}
    said += [f"not compared: {reason}" for reason in sorted(refused)]
    return said


def interaction_notes(rows: Sequence[ComparisonRow]) -> list[str]:
    """Effects that hang on another axis, and how many were looked at."""
    if not rows:
        return []
    found = [row for row in rows if row["significant"]]
    said = []
    for row in found:
        more = measure(row["measure"]).write(row["effect"])
        where = f"{row['at']} than at {row['not_at']}"
        said.append(f"{row['of']} does {more} more at {where} (p {row['p_adjusted']:.3f})")
    least = fewest(ALPHA / rows[0]["family"])
    if not found:
        short = max(row["pairs"] for row in rows) < least
        why = f"; {least} seeds would be the fewest that could tell" if short else ""
        said.append(f"no interaction among {len(rows)} looked at is sure{why}")
    return said
