"""Proves that looking often does not make false verdicts, by 2,000 simulated sequences each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.stats import sequential
from results.stats.inference import ALPHA, Values, mean_interval, sign_flip
from results.stats.sequential import FIRST_LOOK, decide, looks
from tests.results.stats.test_inference import ALIKE, TABLES, WITHIN, normal

MOST = 40


FEWER = 500
"""Sequences where intervals are made too, which takes longer; three standard errors are 0.03."""


def ends(draw: Callable[..., Values], shift: float, margin: float, seed: int) -> dict[str, int]:
    """How sequences end, and how many pairs they took."""
    random, found = np.random.default_rng(seed), {"pairs": 0}
    for values in draw(random, FEWER, MOST) + shift:
        for look in looks(MOST):
            _, verdict = decide(values[: look.pairs], look, margin)
            if verdict.word != "undecided":
                break
        found[verdict.word] = found.get(verdict.word, 0) + 1
        found["pairs"] += look.pairs
    return found


@given(st.integers(FIRST_LOOK, 1000))
def test_looks_spend_alpha_and_no_more(most: int) -> None:
    found = looks(most)
    assert found[0].pairs == FIRST_LOOK
    assert found[-1].pairs == most
    assert sum(look.alpha for look in found) == pytest.approx(ALPHA)
    assert all(look.alpha > 0 for look in found)
    counts = [look.pairs for look in found]
    assert counts == sorted(set(counts))


def test_too_few_seeds_are_told() -> None:
    with pytest.raises(ValueError, match="seeds=5 are too few"):
        looks(5)


@pytest.mark.parametrize("draw", ALIKE)
def test_no_difference_is_seldom_called_one(draw: Callable[..., Values]) -> None:
    false = 0
    for values in draw(np.random.default_rng(1), TABLES, MOST):
        false += any(sign_flip(values[: look.pairs]) <= look.alpha for look in looks(MOST))
    assert false / TABLES <= ALPHA + WITHIN


def test_a_verdict_is_what_the_test_and_the_interval_say() -> None:
    for values in np.random.default_rng(4).normal(0.3, 1, (50, 20)):
        for look in looks(20):
            apart = values[: look.pairs]
            interval, verdict = decide(apart, look, 0.25)
            assert interval == mean_interval(apart, look.alpha)
            tie = interval.low >= -0.25 and interval.high <= 0.25
            found = sign_flip(apart) <= look.alpha
            words = ("tie",) if tie else ("better", "worse") if found else ("undecided",)
            assert verdict.word in words


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
