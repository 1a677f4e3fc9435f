"""Two sets of runs, of two stores or of two times: what changed for each variant?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from results import naming
from results.compare.measures import MeasureReader
from results.compare.pairs import (
    ComparisonError,
    ComparisonRow,
    Pairs,
    all_measures,
    by_seed,
    judged,
)
from results.grouping import by_variant, group_text, signature
from results.record import Record


def compare_run_sets(
    mine: Iterable[Record], others: Iterable[Record], suite: Mapping[str, Any], a: str, b: str
) -> list[ComparisonRow]:
    """The same variant in both, in every task and setting: rows name it as `variant`.

    What a setting is apart from budget, device and decoding (torch's version, numerics, the
    execution) may have changed: it is what is looked at. Data and scorer may not.
    ComparisonError where nothing is in both.
    """
    groups = [_grouped(records) for records in (mine, others)]
    found: list[Pairs] = []
    refused: list[str] = []
    for key in sorted(groups[0].keys() & groups[1].keys()):
        here, there = (group[key] for group in groups)
        unlike = _unlike(here, there)
        if unlike:
            refused.append(f"{key[0]}: {unlike}")
            continue
        base = naming.shared_base([record.variant for record in (*here, *there)], suite)
        reader = MeasureReader([*here, *there])
        ours, theirs = (by_variant(list(some), base) for some in (here, there))
        for name in sorted(ours.keys() & theirs.keys()):
            head = {"task": key[0], "setting": key[1], "variant": name, "a": a, "b": b}
            one, other = by_seed(ours[name]), by_seed(theirs[name])
            if set(one) & set(other):
                found += all_measures(head, reader, [one], [other])
    if found:
        return judged(found)
    why = f" ({'; '.join(refused)})" if refused else ""
    raise ComparisonError(
        f"{a} and {b} have no variant and seed of one task and setting in common{why}"
    )


def by_day(records: Sequence[Record], day: str) -> tuple[list[Record], list[Record]]:
    """Runs begun on a day or later, and earlier ones. ComparisonError for what is no day."""
    try:
        since = datetime.fromisoformat(day).timestamp()
    except ValueError:
        raise ComparisonError(f"{day!r} is no day; write it as 2026-11-21") from None
    begun = [(float(record.measured.get("began", 0.0)), record) for record in records]
    after = [record for at, record in begun if at >= since]
    before = [record for at, record in begun if at < since]
    for some, which in ((after, "since"), (before, "before")):
        if not some:
            raise ComparisonError(f"no run was begun {which} {day}; give another day")
    return after, before


def _grouped(records: Iterable[Record]) -> dict[tuple[str, str], list[Record]]:
    found: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        found.setdefault((record.task, group_text(record)), []).append(record)
    return found


def _unlike(here: Sequence[Record], there: Sequence[Record]) -> str:
    """Why scores of the two do not compare; empty if they do."""
    if _all(here, _data) != _all(there, _data):
        return "the data differ"
    one, other = _all(here, _signature), _all(there, _signature)
    if one and other and one != other:
        return f"scored by {' and '.join(sorted(one))} here, by {' and '.join(sorted(other))} there"
    return ""


def _all(records: Sequence[Record], read: Any) -> set[str]:
    return {value for record in records if (value := read(record))}


def _data(record: Record) -> str:
    return str(record.spec.get("data", "")).partition("+")[0]


def _signature(record: Record) -> str | None:
    return signature(record.outcome)
