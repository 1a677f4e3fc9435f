"""Compares two variants at every evaluation of their curves: who is ahead when?

Scores are those of the validation split. Steps are those at which the runs were evaluated. Tokens
and seconds differ from run to run: there scores are read at as many costs, evenly spread from where
every run had its first evaluation to where the first run ended, on the straight line between two
evaluations. A run that ended as it was flat keeps its last score. One that diverged counts as the
worst from there on, one that failed everywhere, as on test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

import numpy as np

from results import metrics
from results.compare.equal_cost import spent
from results.compare.measures import unlike_machines
from results.compare.pairs import UNLIKE_MACHINES, ComparisonError, Side, by_seed
from results.compare.stretches import order, says
from results.compare.two_variants import runs_of_both, spelled_base, tuning_text
from results.grouping import core_share, grouped
from results.record import Record, deciding_metric
from results.stats.along import Band, paired_band, unpaired_band, unpaired_can_reject
from results.stats.flattening import RISING, trend_of
from results.stats.inference import ALPHA, Values, fewest_pairs

UNITS = ("steps", "tokens", "seconds")
"""Costs along which curves can be compared."""
ReadCurves = Callable[[Sequence[str]], Iterable[Record]]
"""Reads runs by their ids, with their curves."""
Leader = Literal["a", "b", ""]
"""The side that is surely ahead; empty for neither."""


class AlongRow(TypedDict):
    """States a comparison at one cost; `bench compare --along STEPS --json` prints these rows.

    Bounds are None where there are too few runs for a band, and all values of a comparison that
    was refused.
    """

    task: str
    setting: str
    a: str
    b: str
    base: NotRequired[str]
    tuned: NotRequired[str]
    """Which values were chosen for the two variants, and how; missing if for neither."""
    along: str
    at: float | None
    measure: str
    a_mean: float | None
    b_mean: float | None
    effect: float | None
    low: float | None
    high: float | None
    ahead: Leader
    paired: bool
    """True if the runs were compared seed by seed; else the sides share no seed."""
    runs_a: int
    runs_b: int
    unpaired: int
    """Number of seeds left out, because one side alone has them."""
    rising_a: int
    rising_b: int
    trained_beside: int
    core_share: float | None
    refused: str
    says: str
    """What the whole curve shows, in one sentence; the same in all rows of a comparison."""


def compare_along(
    records: Iterable[Record],
    suite: Mapping[str, Any],
    a: str,
    b: str,
    unit: str,
    details: ReadCurves,
) -> list[AlongRow]:
    """Compare two variants in every task and setting that has both; one row per evaluation.

    Args:
        records: runs of any variants, which need no curves.
        suite: the suite's base variant.
        a: name of a variant.
        b: name of the variant to compare it with.
        unit: one of UNITS.
        details: reads the curves of the runs that are compared.

    Raises:
        ComparisonError: no setting has both.
    """
    rows: list[AlongRow] = []
    for (task, setting), group in grouped(records).items():
        both = runs_of_both(group, suite, a, b)
        if both:
            ours, theirs = (
                by_seed(details([run.id for run in by_seed(side).values()])) for side in both
            )
            head = _head(task, setting, a, b, unit)
            if base := spelled_base(a, b, *both):
                head["base"] = base
            if tuned := tuning_text(*both):
                head["tuned"] = tuned
            rows += _Curves(unit, ours, theirs).rows(head)
    if not rows:
        raise ComparisonError(
            f"{a} and {b} have no task and setting in common; run both with the same task and "
            "budget"
        )
    return rows


def order_along_steps(a: str, ours: Iterable[Record], theirs: Iterable[Record]) -> str:
    """Return who of two sides is surely ahead at which steps, in one sentence.

    It is empty where too few seeds, or no evaluations in common, can show nothing.

    Args:
        a: name of the first side.
        ours: runs of the first side, with their curves.
        theirs: runs of the other side, with their curves.
    """
    curves = _Curves("steps", by_seed(ours), by_seed(theirs))
    if not curves.ours or not curves.theirs or curves.missing():
        return ""
    rows = curves.rows(_head("", "", a, "", "steps"))
    if rows[0]["refused"]:
        return ""
    return order(a, "steps", [row["at"] or 0.0 for row in rows], [row["ahead"] for row in rows])


def _head(task: str, setting: str, a: str, b: str, unit: str) -> AlongRow:
    """Return a row that names what is compared, before anything is known of it."""
    return {
        "task": task,
        "setting": setting,
        "a": a,
        "b": b,
        "along": unit,
        "at": None,
        "measure": "",
        "a_mean": None,
        "b_mean": None,
        "effect": None,
        "low": None,
        "high": None,
        "ahead": "",
        "paired": True,
        "runs_a": 0,
        "runs_b": 0,
        "unpaired": 0,
        "rising_a": 0,
        "rising_b": 0,
        "trained_beside": 0,
        "core_share": None,
        "refused": "",
        "says": "",
    }


@dataclass(frozen=True)
class _Curves:
    """Holds the runs of both sides, by seed; those of common seeds alone if there are any."""

    unit: str
    all_ours: Side
    all_theirs: Side

    @property
    def shared(self) -> list[int]:
        return sorted(self.all_ours.keys() & self.all_theirs.keys())

    @property
    def ours(self) -> list[Record]:
        return [self.all_ours[seed] for seed in self.shared or sorted(self.all_ours)]

    @property
    def theirs(self) -> list[Record]:
        return [self.all_theirs[seed] for seed in self.shared or sorted(self.all_theirs)]

    def rows(self, head: AlongRow) -> list[AlongRow]:
        """Return a row per evaluation; a single one, which says why, if curves do not compare."""
        runs = [*self.ours, *self.theirs]
        metric = deciding_metric(runs)
        head = self._with_counts({**head, "measure": metric}, runs)
        grid = _grid(runs, self.unit)
        if self.unit == "seconds" and unlike_machines(runs):
            return [{**head, "refused": UNLIKE_MACHINES, "says": UNLIKE_MACHINES}]
        if len(grid) == 0:
            nothing = "no evaluations in common, so there is nothing to compare"
            return [{**head, "refused": nothing, "says": nothing}]
        ours, theirs = (
            np.array([_read(run, self.unit, grid, metric) for run in side])
            for side in (self.ours, self.theirs)
        )
        band = paired_band(ours - theirs) if self.shared else unpaired_band(ours, theirs)
        ahead = leaders(band, metric)
        sentence = self.missing() or says(head["a"], self.unit, list(grid), ahead)
        means = ours.mean(axis=0), theirs.mean(axis=0)
        return [
            {
                **head,
                "at": float(at),
                "a_mean": float(means[0][place]),
                "b_mean": float(means[1][place]),
                "effect": float(band.effect[place]),
                "low": _finite(band.low[place]),
                "high": _finite(band.high[place]),
                "ahead": ahead[place],
                "says": sentence,
            }
            for place, at in enumerate(grid)
        ]

    def _with_counts(self, head: AlongRow, runs: Sequence[Record]) -> AlongRow:
        """Return the head with what is known of the runs as a whole."""
        seeds, timed = self.all_ours.keys() | self.all_theirs.keys(), self.unit == "seconds"
        rising = [sum(trend_of(r) == RISING for r in side) for side in (self.ours, self.theirs)]
        return {
            **head,
            "paired": bool(self.shared),
            "runs_a": len(self.ours),
            "runs_b": len(self.theirs),
            "unpaired": len(seeds) - len(self.shared) if self.shared else 0,
            "rising_a": rising[0],
            "rising_b": rising[1],
            "trained_beside": max(r.trained_beside for r in runs) if timed else 0,
            "core_share": core_share(runs) if timed else None,
        }

    def missing(self) -> str:
        """Return how many seeds are missing before anything can be shown; "" if none are."""
        first, second = len(self.ours), len(self.theirs)
        if self.shared:
            more = fewest_pairs(ALPHA) - first
        else:
            more = next(
                more for more in range(100) if unpaired_can_reject(first + more, second + more)
            )
        if more <= 0:
            return ""
        seeds = f"{first} seed{'s' * (first > 1)}"
        have = (
            f"{seeds} of both" if self.shared else f"{seeds} of a and {second} of b, none shared,"
        )
        return (
            f"{have} cannot show who is ahead, however far: {more} more of each "
            f"{'is' if more == 1 else 'are'} needed"
        )


def _grid(runs: Sequence[Record], unit: str) -> Values:
    """Return the costs at which the curves of these runs are compared."""
    whole = [spent(run, unit) for run in runs if run.status in ("finished", "solved")]
    if not whole:
        return np.array([])
    flat = runs[0].spec["budget"]["stop"] == "plateau"
    first = max(costs[0] for costs in whole)
    # a run that is flat is as it would be later
    last = (max if flat else min)(costs[-1] for costs in whole)
    if unit == "steps":
        steps = np.unique(np.concatenate(whole))
        return np.array(steps[(steps >= first) & (steps <= last)])
    count = max(sum(first <= cost <= last for cost in costs) for costs in whole)
    return np.linspace(first, last, count)


def _read(run: Record, unit: str, grid: Values, metric: str) -> Values:
    """Return a run's score at each of these costs; the worst one where it had broken off."""
    worst = metrics.worst(metric) or 0.0
    known = [
        (cost, float(point[metric]))
        for cost, point in zip(spent(run, unit), run.outcome.get("curve") or (), strict=False)
        if point.get(metric) is not None
    ]
    if not known:
        return np.full(len(grid), worst)
    costs, scores = np.array(known).T
    found: Values = np.interp(grid, costs, scores)
    if run.status == "diverged":
        found[grid >= spent(run, unit)[-1]] = worst
    return found


def leaders(band: Band, metric: str) -> list[Leader]:
    """Return who is surely ahead at each point, unless all of the band is what does not matter."""
    margin, higher = metrics.margin(metric), metrics.score(metric).higher
    found: list[Leader] = []
    for low, high in zip(band.low, band.high, strict=True):
        matters = low < -margin or high > margin
        sign = (int(low > 0) - int(high < 0)) * matters
        found.append("" if sign == 0 else "a" if (sign > 0) == higher else "b")
    return found


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
