"""Variants over several tasks at once (Agarwal et al. 2021): interquartile mean of all runs'
scores, resampled within each task, and how often a variant's run beats the base's.

Scores are taken as shares of the most there can be, so that tasks weigh alike; what a task's
score means is lost in that, and the tables of each task stand first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from results import naming
from results.compare.measures import MeasureReader, measure
from results.grouping import by_variant, grouped
from results.record import Record
from results.stats import inference

OverTasksRow = dict[str, Any]
FULL_SCORES = {"bleu": 100.0, "chrf": 100.0}
"""Of scores that are no shares."""


def over_tasks(records: Iterable[Record], suite: Mapping[str, Any]) -> list[OverTasksRow]:
    """One row a variant that every task's table has, best first; none of fewer than two tables.
    `scores` by table, for profiles.

    Of several tables of a task it is the one with the most variants, and it needs a `base`.
    """
    largest: dict[str, dict[str, list[float]]] = {}
    for (task, _), group in grouped(records).items():
        table = _scores(group, suite)
        if "base" in table and len(table) > len(largest.get(task, ())):
            largest[task] = table
    tables = list(largest.values())
    if len(tables) < 2:
        return []
    shared = set.intersection(*(set(table) for table in tables))
    rows = []
    for name in sorted(shared):
        strata = [table[name] for table in tables]
        interval = inference.stratified(strata, inference.interquartile_mean)
        rows.append(
            {
                "variant": name,
                "tables": len(tables),
                "runs": sum(map(len, strata)),
                "interquartile_mean": interval.estimate,
                "low": interval.low,
                "high": interval.high,
                "beats_base": inference.probability_of_improvement(
                    strata, [table["base"] for table in tables]
                ),
                "scores": strata,
            }
        )
    return sorted(rows, key=lambda row: -row["interquartile_mean"])


def profile(rows: Sequence[OverTasksRow], count: int) -> list[OverTasksRow]:
    """Of the best rows and the base, the share of runs above each score."""
    chosen = [row for place, row in enumerate(rows) if place < count or row["variant"] == "base"]
    levels = np.linspace(0.0, 1.0, 51)
    return [
        {
            "variant": row["variant"],
            "levels": levels.tolist(),
            "shares": inference.performance_profile(row["scores"], levels).tolist(),
        }
        for row in chosen
    ]


def _scores(group: Sequence[Record], suite: Mapping[str, Any]) -> dict[str, list[float]]:
    """By variant, of every run: one that has none counts as 0."""
    reader = MeasureReader(group)
    known, most = measure(reader.metric), FULL_SCORES.get(reader.metric, 1.0)
    named = by_variant(list(group), naming.shared_base([r.variant for r in group], suite))
    return {
        name: [reading.value / most for run in runs if (reading := reader.read(run, known))]
        for name, runs in named.items()
    }
