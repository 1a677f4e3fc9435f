"""Proves the corrections of families: against others' code, by brute force, and that simulated
pages without a true difference, of which all effects share one base, seldom hold a false word."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from results.stats import families
from results.stats.families import Sample
from results.stats.inference import ALPHA, Values, sign_flip

VALUE = st.floats(-10, 10).map(lambda x: round(x, 3))
FAMILY = st.lists(st.dictionaries(st.integers(0, 6), VALUE, min_size=1), min_size=1, max_size=4)


def numbered(values: Values) -> list[Sample]:
    return [dict(enumerate(map(float, row))) for row in values]


def statistic(sample: Sample, signs: dict[int, int]) -> float:
    size = sum(value**2 for value in sample.values()) ** 0.5
    total = abs(sum(signs[seed] * value for seed, value in sample.items()))
    return total / size if size else 0.0


@given(FAMILY)
def test_family_wise_is_the_step_down_of_the_largest_statistic(family: list[Sample]) -> None:
    """Gone through by brute force: closed over all subsets that hold the comparison."""
    seeds = sorted({seed for sample in family for seed in sample})
    flips = [dict(zip(seeds, signs, strict=True)) for signs in product((1, -1), repeat=len(seeds))]
    observed = [statistic(sample, dict.fromkeys(seeds, 1)) for sample in family]

    def p_value(subset: list[int]) -> float:
        most = max(observed[place] for place in subset)
        further = [
            max(statistic(family[place], flip) for place in subset) >= most - 1e-9 for flip in flips
        ]
        return float(np.mean(further))

    places = range(len(family))
    subsets = [
        [place for place in places if chosen[place]]
        for chosen in product((False, True), repeat=len(family))
    ]
    wanted = [max(p_value(some) for some in subsets if place in some) for place in places]
    assert families.family_wise(family) == pytest.approx(wanted)


@given(st.dictionaries(st.integers(0, 30), VALUE, min_size=1, max_size=9))
def test_a_family_of_one_is_the_sign_flip_test(sample: Sample) -> None:
    found = families.family_wise([sample])
    assert found == pytest.approx([sign_flip(list(sample.values()))])


SIGNED = st.tuples(st.integers(1, 9), st.integers(0, 9)).map(
    lambda drawn: {seed: 1.0 if seed >= drawn[1] else -1.0 for seed in range(drawn[0])}
)


@given(st.lists(SIGNED | st.dictionaries(st.integers(0, 9), VALUE, min_size=1), min_size=1))
def test_page_wise_is_the_step_up_of_benjamini_and_hochberg(family: list[Sample]) -> None:
    """At every level: the largest k of which the k-th smallest p is at most k / m of the level.

    Only of those whose smallest possible p is at most 0.05; the others are never significant.
    """
    raw = [sign_flip(list(sample.values())) for sample in family]
    least = [sign_flip([abs(value) for value in sample.values()]) for sample in family]
    found = families.page_wise(family)
    able = [place for place, p in enumerate(least) if p <= ALPHA]
    ordered = sorted(raw[place] for place in able)
    for level in (0.005, 0.01, 0.03, 0.05):
        below = [p for k, p in enumerate(ordered, 1) if p <= level * k / len(able) + 1e-12]
        most = max(below, default=-1.0)
        words = [p <= level + 1e-12 for p in found]
        assert words == [place in able and p <= most for place, p in enumerate(raw)]


def test_seven_seeds_are_not_silenced_by_a_page_of_three() -> None:
    """As in the quick matrix, of which one task has seeds enough."""
    few = numbered(np.random.default_rng(3).normal(size=(60, 3)))
    sure = [dict.fromkeys(range(7), float(value)) for value in (1, 2)]
    found = families.page_wise([*few, *sure])
    assert max(found[-2:]) == 2 / 2**7
    assert min(found[:-2]) > ALPHA


def test_of_normal_values_against_one_base_it_is_near_dunnetts_test() -> None:
    """Scipy's is for unpaired values of one spread; with 30 seeds the two say nearly the same."""
    random, apart = np.random.default_rng(0), []
    for _ in range(20):
        base, *values = random.normal(size=(6, 30))
        values[0] += 0.6
        found = families.family_wise(numbered(np.array(values) - base))
        theirs = stats.dunnett(*values, control=base, rng=np.random.default_rng(0)).pvalue
        apart.append(abs(min(found) - min(theirs)))
    assert np.mean(apart) < 0.05


def test_nothing_to_correct() -> None:
    assert families.family_wise([]) == families.page_wise([]) == []
    assert families.family_wise([{}, {0: 0.0}]) == [1.0, 1.0]


def test_six_seeds_decide_in_a_family_of_any_size() -> None:
    noise = np.random.default_rng(2).normal(size=(30, 6))
    found = families.family_wise([*numbered(noise), dict.fromkeys(range(6), 1.0)])
    assert found[-1] == 2 / 2**6
    assert min(found[:-1]) > ALPHA


@pytest.mark.parametrize("correct", [families.family_wise, families.page_wise])
def test_without_a_true_difference_a_page_seldom_holds_a_word(correct: object) -> None:
    """Thirty values against one base, 10 seeds: three standard errors of 300 pages are 0.04."""
    assert callable(correct)
    random, false = np.random.default_rng(0), 0
    for _ in range(300):
        scores = random.normal(size=(31, 10))
        false += min(correct(numbered(scores[1:] - scores[0]))) <= ALPHA
    assert false / 300 <= ALPHA + 0.04


def test_among_true_differences_few_words_of_a_page_are_false() -> None:
    """Half of forty values differ from the shared base by twice the spread of a difference."""
    random, rates, found = np.random.default_rng(1), [], 0
    for _ in range(100):
        scores = random.normal(size=(41, 10))
        scores[1:21] += 2 * 2**0.5
        words = np.array(families.page_wise(numbered(scores[1:] - scores[0]))) <= ALPHA
        rates.append(words[20:].sum() / max(1, words.sum()))
        found += int(words[:20].sum())
    assert np.mean(rates) <= ALPHA
    assert found / 2000 > 0.95
