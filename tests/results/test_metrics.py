"""Proves that a number written short is still that number, and that every metric is described."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results import metrics

SIZES = {"k": 1e3, "M": 1e6, "G": 1e9}


def read(text: str) -> float:
    return float(text.rstrip("kMG")) * SIZES.get(text[-1], 1)


@given(st.floats(1, 9.99e11))
def test_a_short_number_is_within_one_percent(value: float) -> None:
    text = metrics.short(value)
    assert len(text) <= 6
    assert read(text) == pytest.approx(value, rel=0.01)


@given(st.floats(0, 1))
def test_below_one_it_is_within_half_of_its_last_digit(value: float) -> None:
    assert abs(read(metrics.short(value)) - value) <= 0.005 + 1e-12


@given(st.floats(0, 9.99e11), st.floats(0, 9.99e11))
def test_short_numbers_keep_their_order(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert read(metrics.short(low)) <= read(metrics.short(high))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (5, "5"),
        (0.5, "0.50"),
        (99.94, "99.9"),
        (99.96, "100"),
        (999.4, "999"),
        (999.6, "1.00k"),
        (14_700, "14.7k"),
        (999_400, "999k"),
        (999_600, "1.00M"),
        (1_200_000, "1.20M"),
        (math.inf, "never"),
    ],
)
def test_short_is_written_as_shown(value: float, text: str) -> None:
    assert metrics.short(value) == text


def test_every_metric_has_a_title_of_its_own() -> None:
    rows = [*metrics.SCORES.values(), *metrics.COSTS.values()]
    assert len({row.title for row in rows}) == len(rows)
    assert all(row.title and row.write(1.0) for row in rows)


def test_costs_are_better_lower_but_for_speed() -> None:
    assert [name for name, row in metrics.COSTS.items() if row.higher] == ["tokens_per_second"]
    lower = [name for name, row in metrics.SCORES.items() if not row.higher]
    assert lower == [
        *("perplexity", "ter", "character_error_rate", "token_error_rate", "loss"),
        *("exposure_gap", "exposure_gap_with_ends"),
    ]


def test_an_unknown_score_is_written_plainly() -> None:
    row = metrics.score("my_score")
    assert (row.title, row.write(0.123456)) == ("my score", "0.1235")


def test_what_a_run_without_a_score_counts_as() -> None:
    """It is never better than a run with one, and unknown where a score has no worst value."""
    assert (metrics.worst("exact_match"), metrics.worst("bleu")) == (0.0, 0.0)
    assert metrics.worst("character_error_rate") == 1.0
    assert metrics.worst("loss") is None
