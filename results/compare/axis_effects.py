"""Compares each value of an axis with the base's value, over all that it was crossed with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from results import naming
from results.compare.crossing import CrossedRuns, axes_of, level_text, other_levels
from results.compare.judging import ComparisonRow, judged, judged_as_page
from results.compare.pairs import (
    Compared,
    ComparisonError,
    Head,
    all_measures,
)
from results.grouping import grouped
from results.record import Record

OVERVIEW_COSTS = ("tokens_to_target",)
"""Costs that an overview of every axis shows besides the scores."""


def axis_effects(
    records: Iterable[Record], suite: Mapping[str, Any], axis: str
) -> list[ComparisonRow]:
    """Return a row per value and measure: `a` is the value, `b` the reference.

    The difference of a seed is its mean over contexts, so that the sample is that of the seeds.

    Raises:
        ComparisonError: no setting varies the axis.
    """
    found: list[Compared] = []
    for (task, setting), group in grouped(records).items():
        found += _effects_in(CrossedRuns(group, suite), task, setting, axis)
    if not found:
        _check_axis(axis, suite)
        raise ComparisonError(
            f"no finished runs differ in {axis} alone; make some, for example with bench run "
            f"--task reversal --vary {axis}=all"
        )
    return judged(found)


def _check_axis(axis: str, suite: Mapping[str, Any]) -> None:
    """Raise a ComparisonError for the name of no axis, with one that is near it."""
    known = [*naming.SHORTHANDS, *suite]
    if axis not in known:
        near = get_close_matches(axis, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "bench list axes prints them"
        raise ComparisonError(f"no axis is called {axis!r}; {hint}")


def _effects_in(
    runs: CrossedRuns, task: str, setting: str, axis: str, only: Sequence[str] = ()
) -> list[Compared]:
    """Pair every value of an axis in one table, by all measures or those named in `only`."""
    contexts, reference = runs.contexts(axes_of(axis))
    found: list[Compared] = []
    for level in other_levels(contexts, reference):
        places = [rest for rest, at in contexts.items() if level in at and reference in at]
        head: Head = {
            "task": task,
            "setting": setting,
            "a": level_text(axis, level),
            "b": level_text(axis, reference),
            "where": runs.where(places),
        }
        ours = [contexts[rest][level] for rest in places]
        theirs = [contexts[rest][reference] for rest in places]
        found += all_measures(head, runs.reader, ours, theirs, only)
    return found


def every_axis(
    records: Iterable[Record], suite: Mapping[str, Any], more: Sequence[str] = ()
) -> list[ComparisonRow]:
    """Return what every axis does to the score; all tasks and axes are one page.

    Args:
        records: runs of any tasks and settings.
        suite: the suite's base variant.
        more: keys of measures to compare besides the score.

    Raises:
        ComparisonError: no two variants differ in one axis alone.
    """
    rows = page_of_axes(records, suite, more)
    if not rows:
        raise ComparisonError(
            "no two finished runs of a task and budget differ in one axis alone; make some, for "
            "example with bench run --task reversal --vary cell=all"
        )
    return rows


def page_of_axes(
    records: Iterable[Record], suite: Mapping[str, Any], more: Sequence[str]
) -> list[ComparisonRow]:
    """Return what every axis does to scores and to the measures in `more`; none if none varies."""
    found: list[Compared] = []
    for (task, setting), group in grouped(records).items():
        runs = CrossedRuns(group, suite)
        for axis in runs.axes():
            found += _effects_in(runs, task, setting, axis, (runs.metric, *more))
    # a shorthand's mixed values, with a comma, are already among those of its single axes
    return judged_as_page([compared for compared in found if "," not in compared.head["a"]])
