"""Finds the runs that a row of a table or the name of a variant stands for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from results import metrics, naming
from results.grouping import Groups, called, grouped, namings, test_score
from results.record import Record
from results.summary import SummaryRow, summarise

LONGEST_NUMBER = 4
"""Digits of the number of a row; longer ones are the beginning of a run's id."""
TableBases = Mapping[tuple[str, str], Mapping[str, str]]
"""Values of the base of each table on the axes that vary in it, by task and setting."""
NO_BASES: TableBases = MappingProxyType({})
"""Says nothing of any base."""
RANK = {"failed": 0, "diverged": 1}
"""Order of runs by status, worst first; all others come after these."""


def is_row_number(given: str) -> bool:
    """Return whether a text can be the number of a row: up to four digits, the first not 0."""
    return given.isdecimal() and given[0] != "0" and len(given) <= LONGEST_NUMBER


def row_numbers(rows: Iterable[SummaryRow]) -> dict[str, int]:
    """Return the number of the row of each run, counted from 1 over all tables of a store."""
    return {run: number for number, row in enumerate(rows, 1) for run in row["runs"]}


def of_row(records: Sequence[Record], suite: Mapping[str, Any], number: int) -> list[Record]:
    """Return the runs of a row by its number; none if there is no such row."""
    numbers = row_numbers(summarise(records, suite))
    return [record for record in records if numbers[record.id] == number]


def of_variant(records: Iterable[Record], suite: Mapping[str, Any], given: str) -> list[Record]:
    """Return the runs of a variant in all tables, named as in its table or by the suite's base.

    A name without a version means the latest one.
    """
    found: list[Record] = []
    for group in grouped(records).values():
        for base, named in namings(group, suite):
            runs = called(named, naming.canonical(given, base))
            if runs is not None:
                found += runs
                break
    return found


def worst_first(records: Iterable[Record]) -> list[Record]:
    """Return runs in the order in which one would look for what went wrong.

    Failed runs come first, then diverged ones, then those whose score is the smallest share of
    their target, and those that took most tokens to reach it.
    """
    return sorted(records, key=_badness)


def _badness(record: Record) -> tuple[int, bool, float, float, str]:
    score = test_score(record.outcome)
    reached = record.outcome.get("to_target")
    share = -1.0 if score is None else score / (record.outcome.get("solved_at") or 1.0)
    spent = math.inf if reached is None else float(reached["tokens"])
    return RANK.get(record.status, 2), reached is not None, share, -spent, record.id


class TableLabels(NamedTuple):
    """Labels the rows of tables: how to open them, and what their base is.

    numbers: of rows, by the id of a run. bases: the values of the base on the axes that vary, by
    task and setting.
    """

    numbers: Mapping[str, int]
    bases: TableBases


def table_labels(
    shown: Groups, rows: Iterable[SummaryRow], suite: Mapping[str, Any]
) -> TableLabels:
    """Return the labels of the tables of some runs.

    Args:
        shown: the runs of the tables, as `grouped` gives them.
        rows: of the whole store, so that a row has one number whatever is shown.
        suite: the suite's base variant.
    """
    return TableLabels(row_numbers(rows), table_bases(shown, suite))


def table_bases(groups: Groups, suite: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, str]]:
    """Return the values of each table's base on the axes that vary in it.

    Of a table with one variant alone, these are the axes on which it differs from the suite's base,
    or its cell if there are none.
    """
    found = {}
    for table, group in groups.items():
        variants = naming.objects([record.named for record in group])
        others = variants if any(variant != variants[0] for variant in variants) else [suite]
        base = naming.shared_base(variants, suite)
        found[table] = naming.spelled(base, others) or {"cell": naming.text(base.get("cell"))}
    return found


def summary_of(record: Record) -> str:
    """Return what came of a run in a few words: `solved, exact match 1.000`."""
    score = test_score(record.outcome)
    if score is None:
        return record.status
    metric = metrics.score(str(record.outcome["metric"]))
    return f"{record.status}, {metric.title} {metric.write(score)}"
