"""The same comparison at equal cost: does the order of two variants change with what is equal?

Runs are read as they went, from their curves, so these compare the score on valid; but where each
stands at its best learning rate, which valid chose, test is compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from results import naming
from results.compare.measures import Measure, MeasureReader, Reading, machine, measure
from results.compare.pairs import (
    ComparisonError,
    ComparisonRow,
    Pairs,
    Side,
    by_seed,
    judged,
    paired,
)
from results.grouping import by_variant, grouped
from results.record import Record

MODES = ("steps", "tokens", "seconds", "parameters", "learning_rate")
PARAMETER_TOLERANCE = 0.05
"""Share by which numbers of parameters may differ and still be equal."""


def compare_at_equal_cost(
    records: Iterable[Record],
    suite: Mapping[str, Any],
    a: str,
    b: str,
    modes: Sequence[str],
    unmatched: Callable[[str, Mapping[str, Any], int], str] = lambda task, variant, count: "",
) -> list[ComparisonRow]:
    """A row a mode, in every task and setting that has both; `mode` says what is equal.

    records: with their curves. unmatched: what to add where no stored run of a variant has about
    as many parameters as the other, given the task, the variant and that number.
    ComparisonError where no setting has both.
    """
    rows: list[ComparisonRow] = []
    for (task, setting), group in grouped(records).items():
        for base in (naming.shared_base([r.variant for r in group], suite), suite):
            named = by_variant(list(group), base)
            if a in named and b in named:
                head = {"task": task, "setting": setting, "a": a, "b": b}
                one, other = named[a], named[b]
                for mode in modes:  # each answers a question of its own, so each is a family
                    rows += judged([_pairs(mode, head, group, one, other, unmatched)])
                break
    if not rows:
        raise ComparisonError(f"{a} and {b} have no task and setting in common; run both alike")
    return rows


def _pairs(
    mode: str,
    head: Mapping[str, str],
    group: Sequence[Record],
    one: list[Record],
    other: list[Record],
    unmatched: Callable[[str, Mapping[str, Any], int], str],
) -> Pairs:
    reader, said = MeasureReader(group), {**head, "mode": mode, "at": ""}
    score = measure(reader.metric)
    if mode == "learning_rate":
        chosen = [_best_rate(side, group) for side in (one, other)]
        rates = [naming.text(side[0].variant["learning_rate"]) for side in chosen]
        said["at"] = f"{rates[0]} and {rates[1]}"
        return paired(said, score, reader, [by_seed(chosen[0])], [by_seed(chosen[1])])
    if mode == "parameters":
        return _same_size(said, score, reader, group, one, other, unmatched)
    sides = by_seed(one), by_seed(other)
    shared = [side[seed] for seed in set(sides[0]) & set(sides[1]) for side in sides]
    if mode == "seconds" and len({told for run in shared if (told := machine(run))}) > 1:
        return _refused(said, score, "timed on unlike machines, which do not compare")
    at = min((_spent(run, mode)[-1] for run in shared if run.status == "finished"), default=None)
    if at is None:  # all of them got there, whatever it cost
        at = max((_spent(run, mode)[-1] for run in shared), default=0.0)
    said["at"] = f"{at:.3g} {mode}"
    known = _AtCost(reader, mode, at)
    return paired(said, score, known, [sides[0]], [sides[1]])


class _AtCost(MeasureReader):
    """Reads the score on valid that a run had when so much was spent."""

    def __init__(self, reader: MeasureReader, mode: str, at: float) -> None:
        self.metric, self._mode, self._at = reader.metric, mode, at

    def read(self, record: Record, measure: Measure) -> Reading | None:
        curve = record.outcome.get("curve")
        if not curve or record.status == "diverged":
            return Reading(0.0, True)
        known = [
            (cost, float(point[measure.key]))
            for point, cost in zip(curve, _spent(record, self._mode), strict=True)
            if point.get(measure.key) is not None
        ]
        if not known:
            return None
        # on the way between two evaluations; a run that ended early stays where it was
        spent, values = np.array(known).T
        return Reading(float(np.interp(self._at, spent, values)), False)


def _spent(record: Record, mode: str) -> list[float]:
    """What a run had cost at each point of its curve."""
    if mode == "seconds":
        return [float(row["train_seconds"]) for row in record.measured.get("clock", [])] or [0.0]
    key = {"steps": "step", "tokens": "tokens"}[mode]
    return [float(point[key]) for point in record.outcome.get("curve", [])] or [0.0]


def _best_rate(side: list[Record], group: Sequence[Record]) -> list[Record]:
    """Of runs alike but for the learning rate, those whose mean score on valid is best."""
    rates: dict[Any, list[Record]] = {}
    for record in _alike(side[0], group, "learning_rate"):
        rates.setdefault(record.variant["learning_rate"], []).append(record)
    return max(rates.values(), key=lambda runs: float(np.mean([_valid(run) for run in runs])))


def _valid(record: Record) -> float:
    value = record.outcome.get("valid", {}).get(record.outcome.get("metric"))
    return 0.0 if value is None else float(value)


def _same_size(
    said: dict[str, str],
    score: Measure,
    reader: MeasureReader,
    group: Sequence[Record],
    one: list[Record],
    other: list[Record],
    unmatched: Callable[[str, Mapping[str, Any], int], str],
) -> Pairs:
    """b as it is, and a in the hidden size whose number of parameters is nearest."""
    wanted = next((r.outcome["parameters"] for r in other if "parameters" in r.outcome), None)
    sizes: dict[Any, list[Record]] = {}
    for record in _alike(one[0], group, "hidden"):
        if "parameters" in record.outcome:
            sizes.setdefault(record.variant["hidden"], []).append(record)
    if wanted is None or not sizes:
        return _refused(said, score, "nothing is known of its parameters, as every run failed")
    hidden, runs = min(
        sizes.items(), key=lambda item: abs(item[1][0].outcome["parameters"] - wanted)
    )
    count = runs[0].outcome["parameters"]
    if abs(math.log(count / wanted)) > math.log(1 + PARAMETER_TOLERANCE):
        more = unmatched(said["task"], one[0].variant, wanted)
        return _refused(
            said, score, f"{said['a']} was not run with about {wanted:,} parameters{more}"
        )
    said["at"] = f"{count:,} and {wanted:,} parameters, hidden={hidden} of a"
    return paired(said, score, reader, [by_seed(runs)], [by_seed(other)])


def _alike(record: Record, group: Sequence[Record], axis: str) -> list[Record]:
    """Runs of a table that are alike but for an axis."""
    rest = {key: value for key, value in record.variant.items() if key != axis}
    return [r for r in group if {k: v for k, v in r.variant.items() if k != axis} == rest]


def _refused(said: Mapping[str, str], score: Measure, why: str) -> Pairs:
    empty: Side = {}
    none = paired({**said}, score, MeasureReader([]), [empty], [empty])
    return replace(none, refused=why)
