"""Proves what is said of ratios of which some are only known to lie beyond a bound."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from results.stats.censored import Bounds, bounds, median_bounds
from results.stats.inference import Values, sign_flip
from results.stats.median import median_interval

BUDGET = math.log(100.0)


def cut_off(a: Values, b: Values) -> Bounds:
    """What is known of two sides that were cut off at a budget, in one context."""
    values = np.stack([a, b], axis=1)[:, None]
    return bounds(np.minimum(values, BUDGET), values > BUDGET)


def test_bounds_of_a_pair() -> None:
    never = BUDGET + 1
    known = cut_off(np.array([1.0, 1.0, never, never]), np.array([3.0, never, 1.0, never]))
    assert known.low_N.tolist() == [-2.0, -math.inf, BUDGET - 1, -math.inf]
    assert known.high_N.tolist() == [-2.0, 1 - BUDGET, math.inf, math.inf]
    assert known.signs.tolist() == [-1.0, -1.0, 1.0, 0.0]


@given(st.lists(st.floats(0.1, 4.0), min_size=6, max_size=20))
def test_without_censoring_it_is_the_median(values: list[float]) -> None:
    a, b = np.array(values), np.ones(len(values))
    found = median_bounds(cut_off(a, b))
    plain = median_interval((a - b).tolist())
    assert found == pytest.approx((plain.median, plain.median, plain.low, plain.high))


def test_too_few_pairs_have_no_interval() -> None:
    found = median_bounds(cut_off(np.ones(5), np.zeros(5)))
    assert found == (1.0, 1.0, -math.inf, math.inf)


def test_signs_are_the_sign_test() -> None:
    known = cut_off(np.array([1.0] * 7 + [9.0] * 2), np.array([9.0] * 7 + [1.0, 9.0]))
    assert sign_flip(known.signs) == pytest.approx(stats.binomtest(7, 8).pvalue)


@pytest.mark.parametrize("budget", [0.0, 0.7, 1.5])
def test_intervals_of_cut_off_times_cover(budget: float) -> None:
    """A true ratio of 2, cut off early so that many runs never get there; 400 tables of 10."""
    random, inside, wrong = np.random.default_rng(0), 0, 0
    for _ in range(400):
        a, b = random.normal(size=(2, 10))
        a += math.log(2) + BUDGET - budget
        b += BUDGET - budget
        found = median_bounds(cut_off(a, b))
        inside += found.low <= math.log(2) <= found.high
        # a bound that is known is never beyond the median of what was not cut off
        wrong += not found.least <= np.median(a - b) <= found.most
    assert inside / 400 >= 0.95 - 0.03
    assert wrong == 0
