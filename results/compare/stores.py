"""Compares two sets of runs, of two stores or before and after a day: what changed?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from results import naming
from results.compare.judging import ComparisonRow, judged
from results.compare.measures import MeasureReader
from results.compare.pairs import (
    Compared,
    ComparisonError,
    Head,
    all_measures,
    by_seed,
)
from results.grouping import by_setting, by_variant, signature
from results.record import Record


def compare_run_sets(
    ours: Iterable[Record], theirs: Iterable[Record], suite: Mapping[str, Any], a: str, b: str
) -> list[ComparisonRow]:
    """Compare each variant in one set of runs with the same variant in another.

    Runs are matched by budget, device and decoding. Everything else that a setting may name
    (torch's version, numerics, execution mode) may have changed: it is what is looked at. But
    runs on different data, or scored differently, are not compared.

    Args:
        ours: the runs of a.
        theirs: the runs of b.
        suite: the suite's base variant.
        a: what to call the first set.
        b: what to call the second.

    Returns:
        A row per task, setting, variant and measure; `variant` names it.

    Raises:
        ComparisonError: no variant and seed is in both.
    """
    our_groups, their_groups = by_setting(ours), by_setting(theirs)
    found: list[Compared] = []
    refused: list[str] = []
    for key in sorted(our_groups.keys() & their_groups.keys()):
        task, setting = key
        difference = _difference(our_groups[key], their_groups[key])
        if difference:
            refused.append(f"{task}: {difference}")
            continue
        head: Head = {"task": task, "setting": setting, "variant": "", "a": a, "b": b}
        found += _same_variants(head, our_groups[key], their_groups[key], suite)
    if found:
        return judged(found)
    why = f" ({'; '.join(refused)})" if refused else ""
    raise ComparisonError(
        f"{a} and {b} have no variant and seed of one task and setting in common{why}"
    )


def _same_variants(
    head: Head, ours: list[Record], theirs: list[Record], suite: Mapping[str, Any]
) -> list[Compared]:
    """Pair the variants of one table that both sets have."""
    # one base for both, so that a variant has the same name in both
    base = naming.telling_base([record.named for record in (*ours, *theirs)], suite)
    reader = MeasureReader([*ours, *theirs])
    our_variants, their_variants = by_variant(ours, base), by_variant(theirs, base)
    found: list[Compared] = []
    for name in sorted(our_variants.keys() & their_variants.keys()):
        one, other = by_seed(our_variants[name]), by_seed(their_variants[name])
        # without a shared seed there is no pair, and no row that could say so by measure
        if set(one) & set(other):
            found += all_measures({**head, "variant": name}, reader, [one], [other])
    return found


def split_by_day(records: Sequence[Record], day: str) -> tuple[list[Record], list[Record]]:
    """Return the runs that began on a day or later, and those that began earlier.

    Raises:
        ComparisonError: the day cannot be parsed, or one of the two is empty.
    """
    try:
        since = datetime.fromisoformat(day).timestamp()
    except ValueError:
        raise ComparisonError(f"{day!r} is no day; write it as 2026-11-21") from None
    began = [(float(record.measured.get("began", 0.0)), record) for record in records]
    after = [record for at, record in began if at >= since]
    before = [record for at, record in began if at < since]
    for runs, when in ((after, "since"), (before, "before")):
        if not runs:
            raise ComparisonError(f"no run was begun {when} {day}; give another day")
    return after, before


def _difference(ours: Sequence[Record], theirs: Sequence[Record]) -> str:
    """Say why scores of two sets do not compare; "" if they do."""
    if _values(ours, _data) != _values(theirs, _data):
        return "the data differ"
    # runs without a signature failed, or have a scorer whose version does not matter
    here, there = _values(ours, _signature), _values(theirs, _signature)
    if here and there and here != there:
        return (
            f"scored by {' and '.join(sorted(here))} here, by {' and '.join(sorted(there))} there"
        )
    return ""


def _values(records: Sequence[Record], read: Callable[[Record], str | None]) -> set[str]:
    return {value for record in records if (value := read(record))}


def _data(record: Record) -> str:
    """Return the digest of the task's data, without that of pretrained vectors."""
    return str(record.spec.get("data", "")).partition("+")[0]


def _signature(record: Record) -> str | None:
    return signature(record.outcome)
