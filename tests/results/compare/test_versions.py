"""Proves that runs of two versions of a plugin are two variants, never one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from results.compare.axis_effects import axis_effects
from results.compare.judging import ComparisonRow
from results.compare.pairs import ComparisonError
from results.compare.two_variants import compare_variants
from results.record import Record
from results.selection import of_variant
from tests.records import SUITE, record


def version(digest: str, score: float, seeds: int, began: float) -> list[Record]:
    found = [record(seed, score, cell="mine", plugin=digest) for seed in range(seeds)]
    return [replace(one, measured={**one.measured, "began": began}) for one in found]


RUNS = [
    *version("old", 0.9, 6, 1.0),
    *version("new", 0.1, 2, 2.0),
    *(record(seed, 0.5) for seed in range(6)),
]
"""Six seeds of an older version and two of the latest."""


def score_of(rows: Sequence[ComparisonRow]) -> dict[str, Any]:
    """Return the row of the score, as a dict whose values mypy does not check."""
    (row,) = [row for row in rows if row["measure"] == "exact_match"]
    return dict(row)


def test_a_name_without_a_version_means_the_latest() -> None:
    for rows in (
        compare_variants(RUNS, SUITE, "cell=mine", "base"),
        axis_effects(RUNS, SUITE, "cell"),
    ):
        row = score_of(rows)
        assert (row["pairs"], row["effect"]) == (2, pytest.approx(-0.4))
    assert {one.spec["plugin"] for one in of_variant(RUNS, SUITE, "cell=mine")} == {"new"}


def test_an_older_version_is_named_in_full() -> None:
    row = score_of(compare_variants(RUNS, SUITE, "cell=mine [plugin old]", "base"))
    assert (row["pairs"], row["effect"]) == (6, pytest.approx(0.4))


def test_a_variant_is_not_compared_with_itself() -> None:
    with pytest.raises(ComparisonError, match="base and base are the same variant; give two"):
        compare_variants(RUNS, SUITE, "base", "base")
