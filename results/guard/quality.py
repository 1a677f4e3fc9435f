"""Judges whether a variant became worse, from runs of one matrix by two versions of the code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from results import naming
from results.compare import stores
from results.compare.judging import NEITHER, ComparisonRow
from results.compare.measures import measure
from results.grouping import by_variant, setting_text
from results.guard.verdict import GuardRow
from results.record import Record
from results.stats import inference

Key = tuple[str, str, str]
"""Task, setting and variant."""
ByKey = dict[Key, list[Record]]


def differing(
    now: Iterable[Record], before: Iterable[Record], suite: Mapping[str, Any]
) -> set[Key]:
    """Return the variants with a seed whose outcome changed, or that only one side has."""
    return _differing(*_by_key(now, before, suite))


def rows(
    now: Sequence[Record], before: Sequence[Record], suite: Mapping[str, Any]
) -> list[GuardRow]:
    """Return a row for each variant that is identical, else rows for score and tokens to target.

    The verdict is `worse` if the statistics of `bench compare` say so, or if more runs fail than
    before; `better` by the same statistics; `cannot tell` if there are too few seeds for the size
    of the family; and `fine` if neither is found though there were seeds enough. Then
    `detectable` says what would have been found.
    """
    ours, theirs = _by_key(now, before, suite)
    changed = _differing(ours, theirs)
    found = [_row(key, "same", "bit for bit") for key in sorted(ours) if key not in changed]
    for key in sorted(changed):
        found += _failure_rows(key, ours.get(key, []), theirs.get(key, []))
    both = changed & ours.keys() & theirs.keys()
    our_runs, their_runs = _in_order(now, ours, both), _in_order(before, theirs, both)
    return found + _compared_rows(our_runs, their_runs, suite)


def _compared_rows(
    now: Sequence[Record], before: Sequence[Record], suite: Mapping[str, Any]
) -> list[GuardRow]:
    """Compare the scores and the tokens to the target of changed variants."""
    if not now or not before:
        return []
    return [
        _compared_row(row)
        for row in stores.compare_run_sets(now, before, suite, "now", "before")
        if row["measure"] in (task_metric(now, row["task"]), "tokens_to_target")
    ]


def _in_order(records: Iterable[Record], by_key: ByKey, keys: Iterable[Key]) -> list[Record]:
    """Return the runs of these variants in their original order, on which names may depend."""
    chosen = {id(record) for key in keys for record in by_key[key]}
    return [record for record in records if id(record) in chosen]


def _row(key: Key, verdict: str, why: str) -> GuardRow:
    task, setting, variant = key
    return {
        "kind": "quality",
        "subject": f"{task} {variant}",
        "setting": setting,
        "measure": "",
        "verdict": verdict,
        "why": why,
    }


def _failure_rows(key: Key, ours: Sequence[Record], theirs: Sequence[Record]) -> list[GuardRow]:
    """Return a row if only one side has runs, or if more runs fail than before."""
    if not ours or not theirs:
        return [_row(key, "cannot tell", "not run" if not ours else "not run before")]
    # failures have no score to compare, so they are counted
    failing, failed_before = _failed(ours), _failed(theirs)
    if failing > failed_before:
        return [_row(key, "worse", f"{failing} runs fail, {failed_before} did before")]
    return []


def _failed(records: Sequence[Record]) -> int:
    return sum(record.status == "failed" for record in records)


def task_metric(records: Sequence[Record], task: str) -> str:
    """Return the key of a task's deciding score."""
    return next(
        str(r.outcome["metric"]) for r in records if r.task == task and "metric" in r.outcome
    )


def _compared_row(row: ComparisonRow) -> GuardRow:
    known = measure(row["measure"])
    return {
        **_row((row["task"], row["setting"], row["variant"]), _verdict(row), row["why"]),
        "measure": known.title,
        "effect": "" if row["effect"] is None else known.write(row["effect"]),
        "low": row["low"],
        "high": row["high"],
        "pairs": row["pairs"],
        "p": row["p_adjusted"],
        "detectable": row["detectable"],
    }


def _verdict(row: ComparisonRow) -> str:
    if row["verdict"] in ("tie", "alike"):
        return "fine"
    if row["verdict"] != "undecided":
        return str(row["verdict"])
    # undecided with enough seeds means: nothing was found that could have been found
    enough = row["pairs"] >= inference.fewest_pairs(inference.ALPHA)
    return "fine" if enough or row["why"] == NEITHER else "cannot tell"


def _by_key(
    now: Iterable[Record], before: Iterable[Record], suite: Mapping[str, Any]
) -> tuple[ByKey, ByKey]:
    """Group the runs of both sides by variant, named in relation to one base for both."""
    sides = [list(now), list(before)]
    tables: dict[tuple[str, str], list[list[Record]]] = {}
    for place, side in enumerate(sides):
        for record in side:
            table = tables.setdefault((record.task, setting_text(record)), [[], []])
            table[place].append(record)
    found: tuple[ByKey, ByKey] = ({}, {})
    for (task, setting), both in tables.items():
        # a base of its own for each side could give one name to two variants
        base = naming.telling_base([r.variant for side in both for r in side], suite)
        for place, side in enumerate(both):
            for name, records in by_variant(side, base).items():
                found[place][task, setting, name] = records
    return found


def _differing(ours: ByKey, theirs: ByKey) -> set[Key]:
    return {
        key
        for key in ours.keys() | theirs.keys()
        if _outcomes(ours.get(key, [])) != _outcomes(theirs.get(key, []))
    }


def _outcomes(records: Sequence[Record]) -> dict[int, Mapping[str, Any]]:
    # an older version keeps no outputs; scores and samples say whether they are the same
    return {r.seed: {k: v for k, v in r.outcome.items() if k != "outputs"} for r in records}
