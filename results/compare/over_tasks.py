"""Ranks variants over several tasks at once, after Agarwal et al. 2021.

For each variant it gives the interquartile mean of all runs' scores, resampled within each task,
and how often one of its runs beats one of the base's. Scores are taken as shares of the full
score, so that all tasks have equal weight. What a task's score means is lost in that, so the
tables of each task come first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

import numpy as np

from results import naming
from results.compare.measures import MeasureReader, measure
from results.grouping import by_variant, grouped
from results.record import Record
from results.stats import inference

FULL_SCORES = {"bleu": 100.0, "chrf": 100.0}
"""Highest possible value of scores for which it is not 1."""
LEVELS = np.linspace(0.0, 1.0, 51)
"""Scores at which a performance profile is computed."""


class OverTasksRow(TypedDict):
    """Summarises one variant over the tables of several tasks."""

    variant: str
    tables: int
    runs: int
    interquartile_mean: float
    low: float
    high: float
    beats_base: float
    """Probability that one of its runs scores higher than one of the base's."""
    scores: list[list[float]]
    """Scores of all runs, by table."""


class ProfileLine(TypedDict):
    """Holds the performance profile of one variant."""

    variant: str
    levels: list[float]
    shares: list[float]
    """Share of runs above each level."""


def over_tasks(records: Iterable[Record], suite: Mapping[str, Any]) -> list[OverTasksRow]:
    """Return a row for each variant that the tables of all tasks have, best first.

    Of several tables of a task the one with the most variants is used; it needs a `base`. With
    fewer than two tables there are no rows.
    """
    tables = _largest_tables(records, suite)
    if len(tables) < 2:
        return []
    # a mean over tasks means nothing for a variant that some tasks lack
    shared = set.intersection(*(set(table) for table in tables))
    rows = [_row(name, tables) for name in sorted(shared)]
    return sorted(rows, key=lambda row: -row["interquartile_mean"])


def _largest_tables(
    records: Iterable[Record], suite: Mapping[str, Any]
) -> list[dict[str, list[float]]]:
    """Return the scores by variant of each task's largest table that has a base."""
    largest: dict[str, dict[str, list[float]]] = {}
    for (task, _), group in grouped(records).items():
        table = _scores(group, suite)
        # without the base there is nothing for the others to beat
        if "base" in table and len(table) > len(largest.get(task, ())):
            largest[task] = table
    return list(largest.values())


def _row(name: str, tables: Sequence[Mapping[str, list[float]]]) -> OverTasksRow:
    strata = [table[name] for table in tables]
    base = [table["base"] for table in tables]
    interval = inference.stratified_interval(strata, inference.interquartile_mean)
    return {
        "variant": name,
        "tables": len(tables),
        "runs": sum(map(len, strata)),
        "interquartile_mean": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "beats_base": inference.probability_of_improvement(strata, base),
        "scores": strata,
    }


def profile(rows: Sequence[OverTasksRow], count: int) -> list[ProfileLine]:
    """Return the performance profiles of the first rows, and of the base."""
    chosen = [row for place, row in enumerate(rows) if place < count or row["variant"] == "base"]
    return [
        {
            "variant": row["variant"],
            "levels": LEVELS.tolist(),
            "shares": inference.performance_profile(row["scores"], LEVELS).tolist(),
        }
        for row in chosen
    ]


def _scores(group: Sequence[Record], suite: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return the scores of all runs by variant, as shares; a run without one counts as 0."""
    reader = MeasureReader(group)
    known, full = measure(reader.metric), FULL_SCORES.get(reader.metric, 1.0)
    named = by_variant(list(group), naming.shared_base([r.named for r in group], suite))
    return {
        name: [reading.value / full for run in runs if (reading := reader.read(run, known))]
        for name, runs in named.items()
    }
