"""What others reported, held against this store's runs: reproduced, reversed, or not settled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from results.compare.measures import MeasureReader, measure
from results.compare.pairs import ComparisonRow, Pairs, by_seed, judged, paired
from results.record import Record

CLAIM_VERDICTS = ("reproduced", "reversed", "no difference", "undecided")


@dataclass(frozen=True)
class Comparison:
    """says: the claim in words. a, b: names of the sides. key: the measure, "" for the score of
    the task. expected: of a against b, better, worse or tie. near, within: a value that a's mean
    should have, and the share by which it may be off; None if none was reported."""

    says: str
    a: str
    b: str
    key: str
    expected: str
    near: float | None
    within: float


def judge(
    comparisons: Sequence[Comparison], sides: Mapping[str, Sequence[Record]], metric: str
) -> list[ComparisonRow]:
    """A row a comparison, as `comparison.judged` makes them, with the claim's verdict as `claim`.

    All comparisons of a claim that have one measure are a family.
    """
    reader = MeasureReader([record for records in sides.values() for record in records])
    found: list[Pairs] = []
    for one in comparisons:
        head = {"task": "", "setting": "", "says": one.says, "a": one.a, "b": one.b}
        a, b = (by_seed(sides[name]) for name in (one.a, one.b))
        found.append(paired(head, measure(one.key or metric), reader, [a], [b]))
    rows = judged(found)
    for row, one in zip(rows, comparisons, strict=True):
        row["expected"], row["near"], row["within"] = one.expected, one.near, one.within
        row["claim"] = _claim(row, one)
    return rows


def _claim(row: Mapping[str, Any], one: Comparison) -> str:
    word = row["verdict"]
    if word in (None, "undecided"):
        return "undecided"
    if word != one.expected:
        return "no difference" if word == "tie" else "reversed"
    if one.near is not None and abs(row["a_mean"] - one.near) > one.within * abs(one.near):
        return "reversed"
    return "reproduced"


def overall(rows: Sequence[Mapping[str, Any]]) -> str:
    """One word for all comparisons of a claim: what it says is reproduced if each of them is."""
    words = [row["claim"] for row in rows]
    for word in ("undecided", "reversed", "no difference"):
        if word in words:
            return word
    return "reproduced"


def seeds_wanting(rows: Sequence[Mapping[str, Any]]) -> int | None:
    """Further seeds that would settle it, as far as can be said."""
    wanting = [row["more_seeds"] for row in rows if row["claim"] == "undecided"]
    known = [number for number in wanting if number is not None]
    return max(known) if known and len(known) == len(wanting) else None
