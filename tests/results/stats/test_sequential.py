"""Proves that looking often does not make false verdicts, by 2,000 simulated sequences each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from results.stats import sequential
from results.stats.families import family_wise
from results.stats.inference import ALPHA, Values, mean_interval, sign_flip
from results.stats.sequential import FEWEST, Look, looks
from results.stats.verdicts import Evidence, Verdict, verdict
from tests.results.stats.test_inference import ALIKE, TABLES, WITHIN, normal

MOST = 40


FEWER = 500
"""Sequences where intervals are made too, which takes longer; three standard errors are 0.03."""


def said(values: Values, look: Look, margin: float) -> Verdict:
    sample = dict(enumerate(map(float, values)))
    spread = float(values.std(ddof=1))
    evidence = Evidence(sample, {}, float(values.mean()), spread, len(values), 0.0)
    interval = mean_interval(values, look.alpha)
    return verdict(evidence, interval, family_wise([sample]), margin, look.alpha, look.alpha)


def ends(draw: Callable[..., Values], shift: float, margin: float, seed: int) -> dict[str, int]:
    """How sequences end, and how many pairs they took."""
    random, found = np.random.default_rng(seed), {"pairs": 0}
    for values in draw(random, FEWER, MOST) + shift:
        for look in looks(MOST):
            verdict = said(values[: look.pairs], look, margin)
            if verdict.word != "undecided":
                break
        found[verdict.word] = found.get(verdict.word, 0) + 1
        found["pairs"] += look.pairs
    return found


@settings(max_examples=15)
@given(st.integers(FEWEST, 300))
def test_looks_start_where_one_can_reject(most: int) -> None:
    found = looks(most)
    assert FEWEST <= found[0].pairs <= most
    assert found[-1].pairs == most
    # the smallest p value of a sign-flip test
    assert all(2 / 2**look.pairs <= look.alpha <= ALPHA for look in found)
    counts = [look.pairs for look in found]
    assert counts == sorted(set(counts))
    # a look earlier could not reject what it may spend
    first = found[0].pairs
    assert first == FEWEST or 2 / 2 ** (first - 1) > ALPHA * (first - 1) / most


@pytest.mark.parametrize("most", [6, 10, 40])
def test_all_looks_together_reject_as_often_as_one_test(most: int) -> None:
    """Random walks of other seeds than those that the levels were computed from."""
    sums = np.random.default_rng(5).normal(size=(20_000, most)).cumsum(axis=1)
    rejected = np.zeros(len(sums), dtype=bool)
    for look in looks(most):
        rejected |= abs(sums[:, look.pairs - 1]) / look.pairs**0.5 >= norm.isf(look.alpha / 2)
    assert rejected.mean() == pytest.approx(ALPHA, abs=0.005)


def test_looks_find_nearly_what_one_test_at_the_end_does() -> None:
    """Half a standard deviation with 40 seeds, which one test finds in 87 % of cases."""
    random, found, pairs = np.random.default_rng(6), 0, 0
    for values in random.normal(0.5, 1, (FEWER, MOST)):
        for look in looks(MOST):
            if sign_flip(values[: look.pairs]) <= look.alpha:
                found += 1
                break
        pairs += look.pairs
    assert found / FEWER == pytest.approx(0.81, abs=0.05)
    assert pairs / FEWER < 30


def test_too_few_seeds_are_told() -> None:
    with pytest.raises(ValueError, match="seeds=5 are too few"):
        looks(5)


@pytest.mark.parametrize("draw", ALIKE)
def test_no_difference_is_seldom_called_one(draw: Callable[..., Values]) -> None:
    false = 0
    for values in draw(np.random.default_rng(1), TABLES, MOST):
        false += any(sign_flip(values[: look.pairs]) <= look.alpha for look in looks(MOST))
    assert false / TABLES <= ALPHA + WITHIN


def test_a_difference_as_large_as_matters_is_seldom_called_a_tie() -> None:
    found = ends(normal, 0.5, 0.5, 2)
    assert found.get("tie", 0) / FEWER <= ALPHA + 0.03
    assert found.get("worse", 0) / FEWER <= 0.03


def test_a_clear_difference_takes_few_seeds() -> None:
    found = ends(normal, 1.5, 0.1, 3)
    assert found["better"] >= 0.98 * FEWER
    assert found["pairs"] / FEWER < MOST / 2


def test_what_is_nearest_to_a_verdict_comes_first() -> None:
    assert sequential.closest_to_decided([7, None, 2]) == [2, 0, 1]
