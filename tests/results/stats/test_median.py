"""Proves that the median's interval is the binomial one, and covers as often as it says."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from results.stats.median import CONFIDENCE, median_interval


@pytest.mark.parametrize("count", range(1, 60))
def test_equals_scipys_binomial(count: int) -> None:
    found = median_interval([float(value) for value in range(count)])
    left_out = int(found.low)
    assert found.high == count - 1 - left_out
    assert found.confidence == pytest.approx(
        max(0.0, 1 - 2 * stats.binom.cdf(left_out, count, 0.5))
    )
    if count >= 6:
        assert found.confidence >= CONFIDENCE
        # and no narrower one would do
        assert 1 - 2 * stats.binom.cdf(left_out + 1, count, 0.5) < CONFIDENCE


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_the_median_lies_within(values: list[float]) -> None:
    found = median_interval(values)
    assert found.low <= found.median <= found.high


def test_covers_as_often_as_it_says() -> None:
    draw = random.Random(0)
    sittings, inside = 4000, 0
    for _ in range(sittings):
        found = median_interval([draw.expovariate(1.0) for _ in range(9)])
        inside += found.low <= 0.6931471805599453 <= found.high
    assert inside / sittings == pytest.approx(0.961, abs=0.01)
