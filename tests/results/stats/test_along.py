"""Proves that the band along a curve is what its tests leave, and how often it covers the truth."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from results.stats.along import deals, paired_band, unpaired_band, unpaired_can_reject
from results.stats.inference import ALPHA, Values

RANDOM = np.random.default_rng(3)


def kth_largest(values: Values, alpha: float = ALPHA) -> float:
    """Return the value that less than alpha of all reach, what was observed among these."""
    return float(np.sort(values)[::-1][int(alpha * len(values) + 1e-9)])


@pytest.mark.parametrize("count", [6, 7, 9])
def test_the_band_of_pairs_by_brute_force(count: int) -> None:
    """Student's t is scipy's, for all ways to change signs, what was observed put first."""
    values = RANDOM.exponential(size=(count, 4)).cumsum(axis=1)
    deviations = values - values.mean(axis=0)
    signs = [np.array(some) for some in itertools.product((1.0, -1.0), repeat=count)]
    found = [
        math.inf
        if abs(some.sum()) == count
        else np.abs(stats.ttest_1samp(some[:, None] * deviations, 0).statistic).max()
        for some in signs
    ]
    errors = stats.sem(values, axis=0)
    band = paired_band(values)
    assert band.high - band.effect == pytest.approx(kth_largest(np.array(found)) * errors)
    assert band.effect - band.low == pytest.approx(band.high - band.effect)


@pytest.mark.parametrize(("first", "second"), [(4, 4), (4, 5), (3, 6)])
def test_the_band_of_sides_without_pairs_by_brute_force(first: int, second: int) -> None:
    """For all ways to deal the runs to two sides of these sizes."""
    ours, theirs = RANDOM.normal(size=(first, 3)), RANDOM.normal(size=(second, 3))
    centred = np.concatenate([ours - ours.mean(axis=0), theirs - theirs.mean(axis=0)])
    found = []
    for chosen in itertools.combinations(range(first + second), first):
        rest = [place for place in range(first + second) if place not in chosen]
        apart = abs(
            sum(place < first for place in chosen) / first
            - sum(place < first for place in rest) / second
        )
        t = np.abs(stats.ttest_ind(centred[list(chosen)], centred[rest]).statistic).max()
        found.append(math.inf if apart == 1.0 else t)
    pooled = (first - 1) * ours.var(axis=0, ddof=1) + (second - 1) * theirs.var(axis=0, ddof=1)
    errors = np.sqrt(pooled / (first + second - 2) * (1 / first + 1 / second))
    band = unpaired_band(ours, theirs)
    assert band.high - band.effect == pytest.approx(kth_largest(np.array(found)) * errors)


def test_a_band_is_wider_than_the_interval_of_one_of_its_points() -> None:
    values = RANDOM.normal(size=(10, 6))
    band = paired_band(values)
    for point in range(6):
        alone = paired_band(values[:, [point]])
        assert band.low[point] <= alone.low[0]
        assert band.high[point] >= alone.high[0]


def test_a_band_follows_what_is_done_to_all_values() -> None:
    """Shifted, scaled and the other way round; repeated points change nothing."""
    values = RANDOM.normal(size=(8, 4))
    low, high = paired_band(values)[1:]
    assert paired_band(3 * values + 1).high == pytest.approx(3 * high + 1)
    assert paired_band(-values).low == pytest.approx(-high)
    twice = paired_band(np.concatenate([values, values], axis=1))
    assert twice.low[:4] == pytest.approx(low)
    ours, theirs = RANDOM.normal(size=(5, 3)), RANDOM.normal(size=(7, 3))
    there, back = unpaired_band(ours, theirs), unpaired_band(theirs, ours)
    assert back.low == pytest.approx(-there.high)
    assert back.high == pytest.approx(-there.low)


def test_few_runs_say_nothing() -> None:
    band = paired_band(np.ones((5, 3)) + RANDOM.normal(0, 1e-3, (5, 3)))
    assert np.isinf(band.low).all()
    assert np.isinf(band.high).all()
    assert np.isfinite(paired_band(RANDOM.normal(size=(6, 3))).low).all()
    assert np.isinf(unpaired_band(RANDOM.normal(size=(3, 3)), RANDOM.normal(size=(3, 3))).low).all()
    assert not unpaired_can_reject(3, 3)
    assert unpaired_can_reject(4, 4)
    assert unpaired_can_reject(3, 4)
    assert not unpaired_can_reject(1, 100)


def test_where_all_differences_are_the_same_the_band_has_no_width() -> None:
    values = RANDOM.normal(size=(8, 3))
    values[:, 0], values[:, 2] = 0.0, 0.5
    band = paired_band(values)
    assert (band.low[0], band.high[0]) == (0.0, 0.0)
    assert (band.low[2], band.high[2]) == (0.5, 0.5)
    assert band.low[1] < values[:, 1].mean() < band.high[1]
    assert paired_band(np.zeros((8, 2))).high.tolist() == [0.0, 0.0]


def test_beyond_sixteen_seeds_flips_are_drawn_and_give_the_same_each_time() -> None:
    values = RANDOM.normal(size=(20, 4))
    assert paired_band(values).low.tolist() == paired_band(values).low.tolist()
    # about what Student's gives for one point
    alone = paired_band(values[:, [0]])
    reach = stats.t.ppf(0.975, 19) * values[:, 0].std(ddof=1) / math.sqrt(20)
    assert alone.high[0] - alone.effect[0] == pytest.approx(reach, rel=0.1)


def test_deals_keep_the_sizes_of_both_sides() -> None:
    weights = deals(3, 4)
    assert weights.shape == (35, 7)
    assert np.allclose(weights.sum(axis=1), 0)
    assert ((weights > 0).sum(axis=1) == 3).all()
    assert any(np.allclose(row, [1 / 3] * 3 + [-1 / 4] * 4) for row in weights)
