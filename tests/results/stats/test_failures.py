"""Proves which runs count as failed, and which failure rate a number of runs excludes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from results.stats.failures import failed, highest_rate
from results.stats.inference import sign_flip

MARGIN = 0.01


def found(a: list[float], b: list[float]) -> tuple[list[bool], list[bool]]:
    both = failed(np.array([a, b]).T, MARGIN)
    return both[:, 0].tolist(), both[:, 1].tolist()


@pytest.mark.parametrize(
    ("a", "b", "failed_a", "failed_b"),
    [
        # one run of four fell far behind the others of its side
        ([0.9, 0.9, 0.1, 0.9], [0.8] * 4, [False, False, True, False], [False] * 4),
        # a side that is lower as a whole does not fail
        ([0.9] * 4, [0.2, 0.25, 0.3, 0.22], [False] * 4, [False] * 4),
        # of a side that never learned what the other learned once, every run failed
        ([0.9, 0.05, 0.06, 0.04], [0.05] * 4, [False, True, True, True], [True] * 4),
        # a wide side does not fall apart
        ([0.1, 0.25, 0.4, 0.55], [0.8] * 4, [False] * 4, [False] * 4),
        # near 0, half as much is noise
        ([0.02, 0.05, 0.01, 0.09], [0.0] * 4, [False] * 4, [False] * 4),
        ([0.0] * 4, [0.0] * 4, [False] * 4, [False] * 4),
        ([1.0] * 4, [1.0] * 4, [False] * 4, [False] * 4),
    ],
)
def test_a_run_failed_if_it_fell_apart_from_its_side(
    a: list[float], b: list[float], failed_a: list[bool], failed_b: list[bool]
) -> None:
    assert found(a, b) == (failed_a, failed_b)
    assert found(b, a) == (failed_b, failed_a)


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_excluded_rate_is_clopper_and_pearsons(both: tuple[int, int]) -> None:
    count, runs = both
    test = stats.binomtest(count, runs, alternative="less")
    other = test.proportion_ci(0.95, method="exact").high
    assert highest_rate(count, runs) == pytest.approx(other)


def test_what_seeds_without_failure_exclude() -> None:
    assert [round(highest_rate(0, runs), 2) for runs in (3, 5, 8, 10)] == [0.63, 0.45, 0.31, 0.26]
    assert highest_rate(0, 28) > 0.1 >= highest_rate(0, 29)
    # a side that fails in 10 % of its runs shows none of it in most small samples
    assert stats.binom.pmf(0, 5, 0.1) == pytest.approx(0.59, abs=0.005)


@given(st.integers(0, 8), st.integers(0, 8))
def test_the_test_of_failures_is_mcnemars(more_a: int, more_b: int) -> None:
    """Sign flips of the differences of failures are the exact test of pairs that disagree."""
    differences = [1.0] * more_a + [-1.0] * more_b + [0.0] * 3
    count = more_a + more_b
    wanted = stats.binomtest(more_a, count).pvalue if count else 1.0
    if len(differences) <= 16:
        assert sign_flip(differences) == pytest.approx(wanted)
