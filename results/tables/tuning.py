"""Writes what tuning chose as tables of text: the value, how flat the choice was, its cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from results import metrics, naming
from results.grouping import setting_text
from results.record import TUNED
from results.tables.text import Texts, TextTable, grouped_rows
from results.tuning import Candidate, TunedChoice

CHOICE_NOTES = {
    "flat": "flat: the next best lies within the spread over seeds, so chance may have chosen",
    "by loss": "by loss: scores are equal, and the loss on validation is lower",
    "equal": "equal: the middle one of those that are equally good, or the smaller of two",
}
"""Says what a word for the clearness of a choice means."""


def choice_tables(made: Iterable[TunedChoice], suite: Mapping[str, Any]) -> list[TextTable]:
    """Return a table of what was chosen for the variants of each task and setting."""
    groups = grouped_rows(((each.task, setting_text(each.example)), each) for each in made)
    return [
        _table(f"{task}  ({setting}): tuned", group, suite)
        for (task, setting), group in groups.items()
    ]


def _table(heading: str, made: Sequence[TunedChoice], suite: Mapping[str, Any]) -> TextTable:
    named = [{**each.variant, **dict.fromkeys(each.values, TUNED)} for each in made]
    base = naming.shared_base(named, suite)
    lines = [_line(each, naming.name(one, base)) for each, one in zip(made, named, strict=True)]
    return TextTable(heading, lines, _notes(made, base, suite))


def _line(choice: TunedChoice, name: str) -> Texts:
    failed = sum(each.failed for each in choice.candidates)
    return {
        "variant": name,
        **{axis: _value(choice, axis) for axis in choice.values},
        "on valid": _score(choice.best, choice.metric),
        "next best": "" if choice.second is None else _runner_up(choice.second, choice.metric),
        "choice": _clearness(choice),
        "failed": f"{failed} of {choice.runs}" if failed else "",
    }


def _value(choice: TunedChoice, axis: str) -> str:
    """Return a value that was chosen, and whether it is the smallest or largest of all tried."""
    value, ends = naming.text(choice.values[axis]), {True: " (largest)", False: " (smallest)"}
    return value + (ends[choice.edges[axis]] if axis in choice.edges else "")


def _clearness(choice: TunedChoice) -> str:
    if choice.tied:
        return "equal"
    if choice.equal:
        return "by loss"
    return "flat" if choice.flat else "clear"


def _score(candidate: Candidate, metric: str) -> str:
    write = metrics.score(metric).write
    spread = "" if candidate.spread is None else f" ± {write(candidate.spread)}"
    return write(candidate.mean) + spread


def _runner_up(candidate: Candidate, metric: str) -> str:
    values = ",".join(naming.text(value) for value in candidate.values.values())
    return f"{values}: {_score(candidate, metric)}"


def _notes(
    made: Sequence[TunedChoice], base: Mapping[str, Any], suite: Mapping[str, Any]
) -> list[str]:
    common, title = naming.name(base, suite), metrics.score(made[0].metric).title
    candidates = sorted({_tried(each) for each in made})
    of_all = "of all variants" if len(candidates) == 1 else "unequal"
    notes = [f"base: {common}"] if common != "base" else []
    notes += [
        f"chosen by {title} on validation: mean ± standard deviation over tuning seeds",
        f"tried {of_all}, {made[0].seeds} seeds each: {'; '.join(candidates)}",
        _cost_note(made),
    ]
    notes += [note for word, note in CHOICE_NOTES.items() if word in map(_clearness, made)]
    if any(each.edges for each in made):
        notes.append("smallest, largest: of all values tried, so a better one may lie beyond")
    return notes


def _cost_note(made: Sequence[TunedChoice]) -> str:
    runs, steps = sum(each.runs for each in made), sum(each.steps for each in made)
    seconds = sum(each.seconds for each in made)
    return f"it cost {runs} runs, {steps:,} steps, {seconds:,.0f} s of one worker"


def _tried(choice: TunedChoice) -> str:
    """Return the values of each axis that were tried: `learning_rate=0.001,0.003,0.01`."""
    values = {
        axis: dict.fromkeys(naming.text(each.values[axis]) for each in choice.candidates)
        for axis in choice.values
    }
    return " ".join(f"{axis}={','.join(known)}" for axis, known in values.items())
