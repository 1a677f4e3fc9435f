"""Did any variant get worse? Runs of the same matrix by two versions of the code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from results import naming
from results.compare import stores
from results.compare.measures import measure
from results.compare.pairs import NEITHER
from results.compare.pairs import ComparisonRow as Compared
from results.grouping import by_variant, group_text
from results.guard.verdict import GuardRow
from results.record import Record
from results.stats import inference

Key = tuple[str, str, str]
"""Task, setting, variant."""


def differing(
    now: Iterable[Record], before: Iterable[Record], suite: Mapping[str, Any]
) -> set[Key]:
    """Variants of which a run of one seed came out otherwise, or is on one side only."""
    ours, theirs = _by_variant(now, before, suite)
    return {
        key
        for key in ours.keys() | theirs.keys()
        if _outcomes(ours.get(key, [])) != _outcomes(theirs.get(key, []))
    }


def rows(
    now: Sequence[Record], before: Sequence[Record], suite: Mapping[str, Any]
) -> list[GuardRow]:
    """One a variant that is bit-identical, else one a variant and measure: score, tokens to target.

    worse: surely, by the statistics of `bench compare`, or a run fails that did not. better: as
    surely. cannot tell: too few seeds for the family. fine: neither, though seeds were enough;
    `detectable` says what would have been found.
    """
    ours, theirs = _by_variant(now, before, suite)
    changed = differing(now, before, suite)
    found = [
        {**_head(key), "measure": "", "verdict": "same", "why": "bit for bit"}
        for key in sorted(ours)
        if key not in changed
    ]
    for key in sorted(changed):
        failing = [_failed(side.get(key, [])) for side in (ours, theirs)]
        if key not in ours or key not in theirs:
            why = "not run" if key not in ours else "not run before"
            found.append({**_head(key), "measure": "", "verdict": "cannot tell", "why": why})
        elif failing[0] > failing[1]:
            why = f"{failing[0]} runs fail, {failing[1]} did before"
            found.append({**_head(key), "measure": "", "verdict": "worse", "why": why})
    compared = [r for r in now if _key_of(r, ours) in changed & theirs.keys()]
    others = [r for r in before if _key_of(r, theirs) in changed & ours.keys()]
    if compared and others:
        found += [
            _row(row)
            for row in stores.compare_run_sets(compared, others, suite, "now", "before")
            if row["measure"] in (row_metric(compared, row["task"]), "tokens_to_target")
        ]
    return found


def row_metric(records: Sequence[Record], task: str) -> str:
    """What decides in a task."""
    return next(
        str(r.outcome["metric"]) for r in records if r.task == task and "metric" in r.outcome
    )


def _row(row: Compared) -> GuardRow:
    verdict = str(row["verdict"])
    if verdict == "undecided":
        enough = row["pairs"] >= inference.fewest(inference.ALPHA / row["family"])
        verdict = "fine" if enough or row["why"] == NEITHER else "cannot tell"
    known = measure(row["measure"])
    return {
        **_head((row["task"], row["setting"], row["variant"])),
        "measure": known.title,
        "verdict": {"tie": "fine"}.get(verdict, verdict),
        "why": row["why"],
        "effect": known.write(row["effect"]),
        "low": row["low"],
        "high": row["high"],
        "pairs": row["pairs"],
        "p": row["p_adjusted"],
        "detectable": row["detectable"],
    }


def _head(key: Key) -> GuardRow:
    return {"kind": "quality", "subject": f"{key[0]} {key[2]}", "setting": key[1]}


def _by_variant(
    now: Iterable[Record], before: Iterable[Record], suite: Mapping[str, Any]
) -> tuple[dict[Key, list[Record]], dict[Key, list[Record]]]:
    """Both sides by names that one base gives."""
    sides = [list(now), list(before)]
    tables: dict[tuple[str, str], list[list[Record]]] = {}
    for place, side in enumerate(sides):
        for record in side:
            table = tables.setdefault((record.task, group_text(record)), [[], []])
            table[place].append(record)
    found: tuple[dict[Key, list[Record]], dict[Key, list[Record]]] = ({}, {})
    for (task, setting), both in tables.items():
        base = naming.shared_base([r.variant for side in both for r in side], suite)
        for place, side in enumerate(both):
            for name, records in by_variant(side, base).items():
                found[place][task, setting, name] = records
    return found


def _key_of(record: Record, side: Mapping[Key, Sequence[Record]]) -> Key | None:
    return next((key for key, records in side.items() if record in records), None)


def _outcomes(records: Sequence[Record]) -> dict[int, Mapping[str, Any]]:
    return {record.seed: record.outcome for record in records}


def _failed(records: Sequence[Record]) -> int:
    return sum(record.status == "failed" for record in records)
