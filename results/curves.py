"""Averages the curves of several seeds into one curve per variant."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict, TypeVar

from results import naming
from results.grouping import grouped, namings
from results.record import Record


class CurvePoint(TypedDict):
    """Holds a metric at one step over seeds; None from where a seed has no finite value."""

    step: float
    mean: float | None
    least: float | None
    most: float | None


class CurveRow(TypedDict):
    """Holds the curve of one variant; `bench curves --json` prints these rows."""

    task: str
    setting: str
    variant: str
    metric: str
    seeds: int
    points: list[CurvePoint]


RowOfCurve = TypeVar("RowOfCurve", bound=CurveRow)
Chosen = tuple[dict[str, str], dict[str, list[Record]]]
"""The table's names of the variants that were asked for, and the runs of each name."""


def average_curves(
    records: Iterable[Record], suite: Mapping[str, Any], metric: str, variants: Sequence[str] = ()
) -> list[CurveRow]:
    """Return one row per task, setting and variant.

    A run that stopped early because it had solved the task keeps its last value to the end; one
    that diverged has no value after its last point. Failed runs have no curve and are left out.

    Args:
        records: runs with their curves.
        suite: the suite's base variant.
        metric: key of the curve's values.
        variants: only these, in this order; all if there are none.

    Raises:
        ValueError: no run has the metric, or none is of one of the variants.
    """
    groups = grouped(record for record in records if record.outcome.get("curve"))
    _check_metric(groups, metric)
    chosen = {table: _chosen(runs, suite, variants) for table, runs in groups.items()}
    _check_variants(chosen, variants)
    rows: list[CurveRow] = []
    for (task, setting), (names, named) in chosen.items():
        wanted = [names[given] for given in variants if given in names]
        kept = {name: named[name] for name in (wanted if variants else sorted(named))}
        rows += _table_rows(task, setting, groups[task, setting], kept, metric)
    return rows


def _check_metric(groups: Mapping[tuple[str, str], Sequence[Record]], metric: str) -> None:
    """Raise ValueError for a metric that no curve of these runs has."""
    curves = [run.outcome["curve"] for runs in groups.values() for run in runs]
    known = sorted({key for curve in curves for key in curve[0]})
    if groups and metric not in known:
        raise ValueError(f"no curve has {metric!r}; there are {', '.join(known)}: choose one")


def _check_variants(chosen: Mapping[tuple[str, str], Chosen], variants: Sequence[str]) -> None:
    """Raise ValueError for a variant of which there is no curve."""
    for given in variants:
        if not any(given in names for names, _ in chosen.values()):
            known = sorted({name for _, named in chosen.values() for name in named})
            raise ValueError(
                f"no curve is of the variant {given!r}; {naming.suggestion(given, known)}"
            )


def _chosen(runs: Sequence[Record], suite: Mapping[str, Any], variants: Sequence[str]) -> Chosen:
    """Return the names in a table of the variants asked for, and the runs of the table by name."""
    tables = namings(runs, suite)
    base, named = next(tables)
    names = {given: naming.canonical(given, base) for given in variants}
    return {given: name for given, name in names.items() if name in named}, named


def _table_rows(
    task: str,
    setting: str,
    table: Sequence[Record],
    named: Mapping[str, Sequence[Record]],
    metric: str,
) -> list[CurveRow]:
    """Return the curves of these variants, all at the steps of the whole table."""
    steps = sorted({point["step"] for run in table for point in run.outcome["curve"]})
    return [
        {
            "task": task,
            "setting": setting,
            "variant": name,
            "metric": metric,
            "seeds": len(seeds),
            "points": _points(seeds, steps, metric),
        }
        for name, seeds in named.items()
    ]


def only_variants(rows: Sequence[RowOfCurve], variants: Sequence[str]) -> list[RowOfCurve]:
    """Return the rows of these variants, in this order; ValueError if one does not exist."""
    known = sorted({row["variant"] for row in rows})
    for name in variants:
        if name not in known:
            raise ValueError(
                f"no curve is of the variant {name!r}; {naming.suggestion(name, known)}"
            )
    # in the order asked for, but still grouped by table
    chosen = [row for name in variants for row in rows if row["variant"] == name]
    return sorted(chosen, key=lambda row: (row["task"], row["setting"]))


def _points(runs: Sequence[Record], steps: Sequence[int], metric: str) -> list[CurvePoint]:
    longest = max(run.outcome["curve"][-1]["step"] for run in runs)
    return [_point(runs, step, metric) for step in steps if step <= longest]


def _point(runs: Sequence[Record], step: int, metric: str) -> CurvePoint:
    values = [value for run in runs if (value := _value_at(run, step, metric)) is not None]
    if len(values) < len(runs):
        # a mean over fewer seeds would jump where one ends
        return {"step": step, "mean": None, "least": None, "most": None}
    return {
        "step": step,
        "mean": statistics.fmean(values),
        "least": min(values),
        "most": max(values),
    }


def _value_at(run: Record, step: int, metric: str) -> float | None:
    """Return the last value at or before a step; before the first evaluation, the first value."""
    curve = run.outcome["curve"]
    # a run that was solved stays at its last value; one that diverged has none
    if run.status == "diverged" and step > curve[-1]["step"]:
        return None
    reached = [point for point in curve if point["step"] <= step] or curve[:1]
    value = reached[-1].get(metric)
    return None if value is None else float(value)
