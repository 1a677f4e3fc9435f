"""Compares two variants at equal cost: does their order change with what is held equal?

For steps, tokens and seconds, scores are read from the curves at the point where both had spent
the same, so these are scores on the validation split. At equal size, and at each variant's best
learning rate, scores on test are compared. The rate was chosen by the validation split of seeds
that are not compared: by tuning runs, else by the first third of the seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from results import naming
from results.compare.judging import ComparisonRow, judged
from results.compare.measures import Measure, MeasureReader, Reading, measure, unlike_machines
from results.compare.pairs import (
    UNLIKE_MACHINES,
    Compared,
    ComparisonError,
    Head,
    Side,
    by_seed,
    paired,
)
from results.compare.two_variants import rate_is_tuned, runs_of_both
from results.grouping import grouped
from results.record import Record
from results.tuning import best_of, candidate

MODES = ("steps", "tokens", "seconds", "parameters", "learning_rate")
"""What can be held equal; for `learning_rate` each variant has its best one."""
PARAMETER_TOLERANCE = 0.05
"""Share by which numbers of parameters may differ and still count as equal."""
Unmatched = Callable[[str, Mapping[str, Any], int], str]
"""Says what to do if no run has the right size, given task, variant and number of parameters."""


def compare_at_equal_cost(
    records: Iterable[Record],
    suite: Mapping[str, Any],
    a: str,
    b: str,
    modes: Sequence[str],
    unmatched: Unmatched = lambda task, variant, count: "",
) -> list[ComparisonRow]:
    """Compare two variants in every task and setting that has both; one row per mode.

    Args:
        records: runs with their curves.
        suite: the suite's base variant.
        a: name of a variant.
        b: name of the variant to compare it with.
        modes: what to hold equal, of MODES.
        unmatched: adds advice where no run of a has about as many parameters as b.

    Raises:
        ComparisonError: no setting has both.
    """
    rows: list[ComparisonRow] = []
    for (task, setting), group in grouped(records).items():
        both = runs_of_both(group, suite, a, b)
        if both:
            question = _Question(task, setting, a, b, group, *both)
            for mode in modes:
                # each mode is a question of its own, and so a family of its own
                rows += judged([_compared(question, mode, unmatched)])
    if not rows:
        raise ComparisonError(
            f"{a} and {b} have no task and setting in common; run both with the same task and "
            "budget"
        )
    return rows


@dataclass(frozen=True)
class _Question:
    """Holds the runs of one table and of the two variants to compare."""

    task: str
    setting: str
    a: str
    b: str
    group: Sequence[Record]
    ours: list[Record]
    theirs: list[Record]

    @property
    def reader(self) -> MeasureReader:
        return MeasureReader(self.group)

    @property
    def score(self) -> Measure:
        return measure(self.reader.metric)

    def head(self, mode: str, at: str) -> Head:
        return {
            "task": self.task,
            "setting": self.setting,
            "a": self.a,
            "b": self.b,
            "mode": mode,
            "at": at,
        }

    def head_of_rates(self, at: str) -> Head:
        """Return the head of a row at each side's best rate, which a note says too."""
        return {**self.head("learning_rate", at), "tuned": f"learning rates of a and b: {at}"}

    def refused(self, mode: str, why: str) -> Compared:
        nothing: Side = {}
        pairs = paired(self.score, MeasureReader([]), [nothing], [nothing])
        return Compared(self.head(mode, ""), replace(pairs, refused=why))


def _compared(question: _Question, mode: str, unmatched: Unmatched) -> Compared:
    if mode == "learning_rate":
        return _at_best_rates(question)
    if mode == "parameters":
        return _at_equal_size(question, unmatched)
    return _at_equal_spending(question, mode)


# steps, tokens and seconds


def _at_equal_spending(question: _Question, mode: str) -> Compared:
    ours, theirs = by_seed(question.ours), by_seed(question.theirs)
    runs = [side[seed] for seed in set(ours) & set(theirs) for side in (ours, theirs)]
    if mode == "seconds" and unlike_machines(runs):
        return question.refused(mode, UNLIKE_MACHINES)
    # the last point that every run reached: of one that broke off, nothing follows
    ended = [run for run in runs if run.status in ("finished", "solved")]
    at = min((spent(run, mode)[-1] for run in ended), default=0.0)
    score = question.score._replace(of_end=False)
    pairs = paired(score, _ReaderAtCost(question.reader, mode, at), [ours], [theirs])
    return Compared(question.head(mode, f"{at:.3g} {mode}"), pairs)


class _ReaderAtCost(MeasureReader):
    """Reads the score on the validation split that a run had at a given cost."""

    def __init__(self, reader: MeasureReader, mode: str, at: float) -> None:
        self.metric, self._mode, self._at = reader.metric, mode, at

    def read(self, record: Record, measure: Measure) -> Reading | None:
        """Interpolate between two evaluations; a run that ended earlier keeps its last score."""
        curve = record.outcome.get("curve")
        # as on test, a run without a score counts as 0
        if not curve or record.status == "diverged":
            return Reading(0.0, True)
        known = [
            (cost, float(point[measure.key]))
            for point, cost in zip(curve, spent(record, self._mode), strict=True)
            if point.get(measure.key) is not None
        ]
        if not known:
            return None
        costs, scores = np.array(known).T
        return Reading(float(np.interp(self._at, costs, scores)), False)


def spent(record: Record, mode: str) -> list[float]:
    """Return the steps, tokens or seconds spent by each point of a run's curve."""
    if mode == "seconds":
        return [float(row["train_seconds"]) for row in record.measured.get("clock", [])] or [0.0]
    key = {"steps": "step", "tokens": "tokens"}[mode]
    return [float(point[key]) for point in record.outcome.get("curve", [])] or [0.0]


# learning rates


def _at_best_rates(question: _Question) -> Compared:
    sides = (question.ours, question.theirs)
    if all(map(rate_is_tuned, sides)):
        at = f"{' and '.join(map(_written_rate, sides))}, tuned"
        pairs = paired(question.score, question.reader, *([by_seed(side)] for side in sides))
        return Compared(question.head_of_rates(at), pairs)
    tried = [len(_rates(side, question.group)) for side in sides]
    if max(tried) > 1:
        return _at_rates_chosen_on_some_seeds(question, sides, tried)
    why = (
        f"only one learning rate was tried ({_written_rate(sides[0])}), so none is the best; "
        "run both with --tune learning_rate=..."
    )
    return question.refused("learning_rate", why)


def _at_rates_chosen_on_some_seeds(
    question: _Question, sides: Sequence[list[Record]], tried: Sequence[int]
) -> Compared:
    """Choose each side's rate by some seeds, and compare on the others.

    tried: the number of rates of each side.
    """
    choosing = _choosing_seeds(sides, question.group)
    chosen = [_best_rate(side, question.group, choosing) for side in sides]
    rates = [
        _written_rate(side) + (" (the only one)" if count == 1 else "")
        for side, count in zip(chosen, tried, strict=True)
    ]
    ours, theirs = (by_seed(run for run in side if run.seed not in choosing) for side in chosen)
    if not ours.keys() & theirs.keys():
        why = "no seed is left to compare where the others chose the rate; --tune has its own"
        return question.refused("learning_rate", why)
    pairs = paired(question.score, question.reader, [ours], [theirs])
    at = f"{rates[0]} and {rates[1]}, chosen on {_seeds_text(choosing)}"
    return Compared(question.head_of_rates(at), pairs)


def _written_rate(side: Sequence[Record]) -> str:
    return naming.text(side[0].variant["learning_rate"])


def _choosing_seeds(sides: Sequence[list[Record]], group: Sequence[Record]) -> list[int]:
    """Return the seeds that choose a rate, and are not compared: the first third of all."""
    tried = [runs for side in sides for runs in _rates(side, group).values()]
    seeds = sorted({run.seed for runs in tried for run in runs})
    return seeds[: max(1, len(seeds) // 3)]


def _rates(side: list[Record], group: Sequence[Record]) -> dict[Any, list[Record]]:
    """Return the runs of a variant at each learning rate that was tried."""
    rates: dict[Any, list[Record]] = {}
    for record in _differing_in(side[0], group, "learning_rate"):
        rates.setdefault(record.variant["learning_rate"], []).append(record)
    return rates


def _seeds_text(seeds: Sequence[int]) -> str:
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"


def _best_rate(
    side: list[Record], group: Sequence[Record], choosing: Sequence[int]
) -> list[Record]:
    """Return the runs at the learning rate that is best on validation, by these seeds alone."""
    rates = _rates(side, group)
    by_rate = {
        rate: [run for run in runs if run.seed in choosing] for rate, runs in sorted(rates.items())
    }
    metric = MeasureReader(group).metric
    tried = [
        candidate({"learning_rate": rate}, runs, metric) for rate, runs in by_rate.items() if runs
    ]
    return rates[best_of(tried, metric).values["learning_rate"]] if tried else side


# numbers of parameters


def _at_equal_size(question: _Question, unmatched: Unmatched) -> Compared:
    """Compare b as it is with a in the hidden size whose number of parameters is nearest."""
    theirs = [r for r in question.theirs if "parameters" in r.outcome]
    sizes: dict[Any, list[Record]] = {}
    for record in _differing_in(question.ours[0], question.group, "hidden"):
        if "parameters" in record.outcome:
            sizes.setdefault(record.variant["hidden"], []).append(record)
    if not theirs or not sizes:
        why = "nothing is known of its parameters, as every run failed"
        return question.refused("parameters", why)
    wanted = theirs[0].outcome["parameters"]
    # all runs of one variant have one number of parameters, so the first says it
    hidden, runs = min(
        sizes.items(), key=lambda item: abs(item[1][0].outcome["parameters"] - wanted)
    )
    count = runs[0].outcome["parameters"]
    # as a ratio, so that too many and too few count the same
    if abs(math.log(count / wanted)) > math.log(1 + PARAMETER_TOLERANCE):
        advice = unmatched(question.task, question.ours[0].variant, wanted)
        why = f"{question.a} was not run with about {wanted:,} parameters{advice}"
        return question.refused("parameters", why)
    at = f"{count:,} and {wanted:,} parameters, hidden={hidden} of a"
    pairs = paired(question.score, question.reader, [by_seed(runs)], [by_seed(question.theirs)])
    return Compared(question.head("parameters", at), pairs)


def _differing_in(record: Record, group: Sequence[Record], axis: str) -> list[Record]:
    """Return the runs of a table whose variants differ from this one in one axis at most."""
    rest = {key: value for key, value in record.named.items() if key != axis}
    return [r for r in group if {k: v for k, v in r.named.items() if k != axis} == rest]
