"""Compares runs of a store: two variants, the values of an axis, two stores, or two periods.

Every function raises a ComparisonError for runs that cannot be compared, and a StoreError where
there are none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from bench.api.rescore import AnotherScore
from bench.api.store import runs_of, with_trends
from results.compare import along, axis_effects, equal_cost, interactions, stores
from results.compare import two_variants as pairwise
from results.compare.again import RowsOf, beside_again
from results.compare.along import AlongRow
from results.compare.interactions import InteractionRow
from results.compare.judging import ComparisonRow
from results.compare.pairs import ComparisonError
from results.compare.sentences import SentencesRow, kept_counts, rows_over_sentences
from results.grouping import grouped
from results.record import Record
from results.store import reading
from tasks.choices import one_of

Tasks = Sequence[str] | None
"""Labels or names of the tasks to compare on; None for all."""


class Among(NamedTuple):
    """Says which runs of a store are compared: those of some tasks, and of some seeds.

    Each is None for all.
    """

    tasks: Tasks = None
    seeds: range | None = None


ALL_RUNS = Among()
"""All runs of a store."""


class _Runs(NamedTuple):
    """Finished runs of a store, and the suite's base variant."""

    records: list[Record]
    suite: Mapping[str, Any]


def _runs(folder: Path, among: Among) -> _Runs:
    """Return runs with whether each had flattened."""
    with reading(folder) as store:
        records = runs_of(store, among.tasks, seeds=among.seeds)
        return _Runs(with_trends(store, records), store.base())


class TwoVariants(NamedTuple):
    """The effects of a variant against another, and both sources of chance in that on the score."""

    effects: list[ComparisonRow]
    chance: list[SentencesRow]


def two_variants(
    folder: Path, a: str, b: str, among: Among = ALL_RUNS, metric: str | None = None
) -> TwoVariants:
    """Return the effect of variant a against b on every measure.

    metric: the score to compare by, one of a task's own or of those that score outputs again; None
    for the one by which each task selects. Raises ComparisonError if no task can be scored by it.
    """
    with reading(folder) as store:
        records = with_trends(store, runs_of(store, among.tasks, seeds=among.seeds))
        suite = store.base()
        if metric is None:
            effects = pairwise.compare_variants(records, suite, a, b)
            counts = partial(kept_counts, store)
            return TwoVariants(effects, rows_over_sentences(counts, records, suite, effects))
        another = AnotherScore(store, metric)
        records = _scored(another, records, suite, a, b)
        effects = pairwise.compare_variants(records, suite, a, b, another.key)
        return TwoVariants(effects, rows_over_sentences(another.counts, records, suite, effects))


def _scored(
    another: AnotherScore, records: Sequence[Record], suite: Mapping[str, Any], a: str, b: str
) -> list[Record]:
    """Return runs of which those of two variants have another score, where a task can have it."""
    complaints: list[str] = []
    scored: dict[str, Record] = {}
    for group in grouped(records).values():
        both = pairwise.runs_of_both(group, suite, a, b) or ()
        try:
            scored |= {run.id: another.scored(run) for side in both for run in side}
        except ValueError as error:
            complaints.append(str(error))
    if complaints and not scored:
        raise ComparisonError(complaints[0])
    _check_signatures(another.key, scored.values())
    return [scored.get(record.id, record) for record in records]


def _check_signatures(key: str, runs: Iterable[Record]) -> None:
    """Raise ComparisonError for runs of one task whose scores were computed in several ways."""
    found: dict[str, set[str]] = {}
    for run in runs:
        if signature := run.outcome.get("signatures", {}).get(key):
            found.setdefault(run.task, set()).add(str(signature))
    for task, signatures in found.items():
        if len(signatures) > 1:
            raise ComparisonError(
                f"{key} of {task} was computed in {len(signatures)} ways "
                f"({'; '.join(sorted(signatures))}), which do not compare; give runs of one version"
            )


def every_axis(
    folder: Path, among: Among = ALL_RUNS, again: range | None = None
) -> list[ComparisonRow]:
    """Return the effect on the score of each value of every axis.

    again: seeds that are kept apart, whose words stand beside those of the others.
    """
    records, suite = _runs(folder, among)
    return _with_again(
        records,
        again,
        lambda runs: axis_effects.every_axis(runs, suite, axis_effects.OVERVIEW_COSTS),
    )


def one_axis(
    folder: Path, axis: str, among: Among = ALL_RUNS, again: range | None = None
) -> tuple[list[ComparisonRow], list[InteractionRow]]:
    """Return the effects of an axis's values, and their interactions with other axes.

    again: as in `every_axis`; interactions are those of all seeds.
    """
    records, suite = _runs(folder, among)
    effects = _with_again(records, again, lambda runs: axis_effects.axis_effects(runs, suite, axis))
    return effects, interactions.axis_interactions(records, suite, axis)


def _with_again(records: list[Record], again: range | None, rows_of: RowsOf) -> list[ComparisonRow]:
    return rows_of(records) if again is None else beside_again(records, again, rows_of)


def two_stores(folder: Path, other: Path, among: Among = ALL_RUNS) -> list[ComparisonRow]:
    """Return the effects of another store's runs (a) against this store's (b)."""
    records, suite = _runs(folder, among)
    theirs = _runs(other, among).records
    return stores.compare_run_sets(theirs, records, suite, str(other), str(folder))


def since(folder: Path, day: str, among: Among = ALL_RUNS) -> list[ComparisonRow]:
    """Return the effects of runs begun since a day (a) against earlier ones (b)."""
    records, suite = _runs(folder, among)
    after, before = stores.split_by_day(records, day)
    return stores.compare_run_sets(after, before, suite, f"since {day}", f"before {day}")


def modes_of_cost(text: str) -> tuple[str, ...]:
    """Return the kinds of equal cost that a text names; ValueError for an unknown one."""
    modes = equal_cost.MODES if text == "all" else tuple(text.split(","))
    for mode in modes:
        one_of("what is equal", mode, (*equal_cost.MODES, "all"))
    return modes


def along_curves(
    folder: Path, a: str, b: str, unit: str, among: Among = ALL_RUNS
) -> list[AlongRow]:
    """Return who is ahead at each evaluation; ValueError for a unit that is none of UNITS."""
    one_of("cost to compare along", unit, along.UNITS)
    with reading(folder) as store:
        records, suite = runs_of(store, among.tasks, seeds=among.seeds), store.base()
        return along.compare_along(
            records, suite, a, b, unit, lambda ids: store.records(ids, details=True)
        )


def at_equal_cost(
    folder: Path, a: str, b: str, modes: Sequence[str], among: Among = ALL_RUNS
) -> list[ComparisonRow]:
    """Return the effects of variant a against b at equal cost of each kind."""
    with reading(folder) as store:
        records, suite = runs_of(store, among.tasks, True, among.seeds), store.base()

    def advice(label: str, variant: Mapping[str, Any], parameters: int) -> str:
        """Return which hidden size would have as many parameters, where no run has."""
        from bench.plan.equal_size import hidden_for  # loads torch
        from bench.training.process import cached_task

        try:
            hidden = hidden_for(variant, cached_task(label, folder / "data"), parameters)
        except ValueError:  # a part or task of a plugin that is not loaded
            return "; which hidden size would have them is known with --plugin FILE"
        if hidden is None:
            return ", and no hidden size would have them"
        return f"; hidden={hidden} would have them"

    return equal_cost.compare_at_equal_cost(records, suite, a, b, modes, advice)
