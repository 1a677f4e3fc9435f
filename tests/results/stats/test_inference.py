"""Proves the statistics: against scipy's own, against definitions gone through by brute force, and
by simulated tables whose truth is known (2,000 each): no more false verdicts than are allowed, at
any number of seeds, and intervals that cover as often as they say."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as theirs

from results.stats import inference
from results.stats.inference import Values

TABLES = 2000
WITHIN = 0.015
"""What 2,000 tables may be off by: three standard errors of a share of 0.05."""

VALUES = st.lists(st.floats(-10, 10).map(lambda x: round(x, 3)), min_size=2, max_size=9)


def normal(random: np.random.Generator, *size: int) -> Values:
    return random.normal(size=size)


def bounded(random: np.random.Generator, *size: int) -> Values:
    """Differences of scores between 0 and 1, both skewed."""
    one, other = random.beta(8, 2, size=size), random.beta(8, 2, size=size)
    drawn: Values = one - other
    return drawn


def heavy(random: np.random.Generator, *size: int) -> Values:
    return random.standard_t(5, size=size)


def humped(random: np.random.Generator, *size: int) -> Values:
    """Differences where three seeds in ten do not get there."""
    one, other = (
        np.where(
            random.random(size) < 0.7,
            random.normal(0.97, 0.02, size),
            random.normal(0.4, 0.1, size),
        )
        for _ in range(2)
    )
    drawn: Values = one - other
    return drawn


def skewed(random: np.random.Generator, *size: int) -> Values:
    drawn: Values = 5 / 6 - random.beta(5, 1, size=size)
    return drawn


ALIKE: list[Callable[..., Values]] = [normal, bounded, heavy, humped]
"""What pairs of two like variants give: as often above 0 as below."""


# against others and by brute force


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30))
def test_interquartile_mean(values: list[float]) -> None:
    both = inference.interquartile_mean([values, values[::-1]])
    assert both == pytest.approx([theirs.trim_mean(values, 0.25)] * 2)


@given(VALUES)
def test_sign_flip_is_scipys_permutation_test(values: list[float]) -> None:
    other = theirs.permutation_test(
        (np.array(values),), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert inference.sign_flip(values) == pytest.approx(other.pvalue)


def test_sign_flip_of_many_pairs_is_near_the_exact_one() -> None:
    values = np.random.default_rng(0).normal(0.5, 1, size=17)
    flips = (np.arange(2**17)[:, None] >> np.arange(17) & 1) * 2 - 1
    exact = np.mean(np.abs(flips @ values) >= abs(values.sum()) - 1e-9)
    assert inference.sign_flip(values) == pytest.approx(exact, abs=0.005)


@pytest.mark.parametrize("count", range(1, 9))
def test_the_least_p_is_as_few_pairs_allow(count: int) -> None:
    least = inference.sign_flip(np.ones(count))
    assert least == 2 / 2**count
    for alpha in (0.05, 0.01, 0.2):
        assert (least <= alpha) == (count >= inference.fewest_pairs(alpha))


@pytest.mark.parametrize("draw", ALIKE)
def test_bca_is_scipys(draw: Callable[..., Values]) -> None:
    values = draw(np.random.default_rng(3), 25)
    other = theirs.bootstrap(
        (values,), np.mean, n_resamples=100_000, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    ours = inference.bca(values, 0.05, resamples=100_000)
    assert ours == pytest.approx((other.low, other.high), abs=0.02 * (other.high - other.low))


@given(VALUES, VALUES)
def test_probability_of_improvement_is_mann_and_whitneys(
    mine: list[float], others: list[float]
) -> None:
    u = theirs.mannwhitneyu(mine, others).statistic
    share = u / len(mine) / len(others)
    assert inference.probability_of_improvement([mine], [others]) == pytest.approx(share)


def test_performance_profile() -> None:
    shares = inference.performance_profile([[0.1, 0.9], [0.5, 0.5, 0.5]], [0.0, 0.3, 0.5, 1.0])
    assert shares.tolist() == [1.0, 0.75, 0.25, 0.0]


def test_stratified_resampling_keeps_strata_apart() -> None:
    """Two tasks, each all alike: whatever is drawn, the mean is the same."""
    found = inference.stratified_interval(
        [[1.0] * 4, [5.0] * 8], lambda values: values.mean(axis=1)
    )
    assert (found.low, found.high, found.estimate) == pytest.approx((11 / 3,) * 3)


def test_students_interval() -> None:
    values = [1.0, 2.0, 4.0, 8.0]
    found = inference.mean_interval(values)
    low, high = theirs.t.interval(0.95, 3, np.mean(values), theirs.sem(values))
    assert found.kind == "t"
    assert found[:3] == pytest.approx((3.75, low, high))


def test_power_is_what_others_tables_say() -> None:
    """Cohen 1988, table 2.3.5 by way of G*Power: two-sided, effect 0.5, 34 pairs: 0.8078."""
    assert inference.power(0.5, 1.0, 34) == pytest.approx(0.8078, abs=5e-4)
    assert inference.power(0.0, 1.0, 10) == pytest.approx(0.05)
    assert inference.power(-0.5, 1.0, 34) == pytest.approx(inference.power(0.5, 1.0, 34))
    assert inference.power(100.0, 1.0, 50) == 1.0


@given(st.integers(6, 60), st.floats(0.01, 10))
def test_the_detectable_difference_is_found_with_that_power(count: int, spread: float) -> None:
    least = inference.detectable(spread, count)
    assert inference.power(least, spread, count) == pytest.approx(inference.POWER, abs=1e-3)


def test_what_too_few_pairs_detect() -> None:
    assert inference.detectable(1.0, 5) == math.inf
    assert inference.detectable(0.0, 6) == 0.0
    assert inference.power(10.0, 1.0, 5) == 0.0


@given(st.floats(0.0, 2.0), st.floats(0.05, 3.0), st.floats(0.0, 0.5))
def test_pairs_to_settle_are_the_fewest(effect: float, spread: float, margin: float) -> None:
    found = inference.pairs_to_decide(effect, spread, margin)
    if found is None:
        assert abs(abs(effect) - margin) < 0.1 * spread
        return
    beyond = abs(effect) > margin

    def settled(count: int) -> bool:
        if beyond:
            return count >= 6 and inference.power(effect, spread, count) >= inference.POWER
        half = theirs.t.ppf(0.975, count - 1) * spread / count**0.5
        return bool(effect + half < margin)

    assert settled(found)
    assert found <= (6 if beyond else 2) or not settled(found - 1)


# simulated truth


@pytest.fixture
def few_draws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let p values of many pairs come from 1,000 drawn signs, not 20,000: as valid, if coarser."""
    monkeypatch.setattr(inference, "DRAWS", 1000)
    inference.sign_patterns.cache_clear()
    yield
    inference.sign_patterns.cache_clear()


@pytest.mark.usefixtures("few_draws")
@pytest.mark.parametrize("count", [2, 3, 5, 6, 8, 12, 17, 30])
@pytest.mark.parametrize("draw", ALIKE)
def test_no_more_false_verdicts_than_allowed(count: int, draw: Callable[..., Values]) -> None:
    """Tables of no difference at all."""
    random = np.random.default_rng(count)
    false = sum(
        inference.sign_flip(values) <= inference.ALPHA for values in draw(random, TABLES, count)
    )
    assert false / TABLES <= inference.ALPHA + WITHIN


@pytest.mark.parametrize("count", [12, 40])
@pytest.mark.parametrize("draw", [*ALIKE, skewed])
def test_intervals_cover_as_often_as_they_say(count: int, draw: Callable[..., Values]) -> None:
    random = np.random.default_rng([count, 1])
    inside = 0
    for values in draw(random, TABLES, count) + 0.3:
        _, low, high, kind = inference.mean_interval(values, resamples=1000)
        assert kind == "BCa"
        inside += low <= 0.3 <= high
    assert abs(inside / TABLES - (1 - inference.ALPHA)) <= WITHIN


@pytest.mark.parametrize("count", [2, 3, 5, 8, 11])
def test_students_intervals_of_few_cover_too(count: int) -> None:
    random = np.random.default_rng(count)
    found = [inference.mean_interval(values) for values in random.normal(0.3, 1, (TABLES, count))]
    assert {one.kind for one in found} == {"t"}
    inside = sum(one.low <= 0.3 <= one.high for one in found)
    assert abs(inside / TABLES - (1 - inference.ALPHA)) <= WITHIN


def test_a_true_difference_is_found_with_the_power_that_was_said() -> None:
    """With as many pairs as were called for; the sign-flip test is nearly the t test."""
    random = np.random.default_rng(1)
    for effect, count in ((0.8, None), (None, 6), (None, 7), (None, 8)):
        needed = inference.pairs_to_decide(effect, 1.0, 0.1) if effect else count
        assert needed is not None
        assert needed <= inference.EXACT_TO
        mean = effect or inference.detectable(1.0, needed)
        drawn = random.normal(mean, 1, (TABLES, needed))
        found = sum(inference.sign_flip(values) <= 0.05 for values in drawn)
        assert found / TABLES == pytest.approx(inference.POWER, abs=0.04)
