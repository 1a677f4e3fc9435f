"""Computes intervals, tests and power for differences between paired runs.

Runs are compared in pairs that share a seed: the same initial weights, the same order of data and
the same random choices, as far as two variants can share them. All statements about two variants
rest on the differences within pairs; the spread between seeds cancels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special, stats

Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

ALPHA = 0.05
"""Probability of a wrong verdict that is accepted, over a whole family of comparisons."""
POWER = 0.8
"""Probability with which a difference should be found to count as detectable."""
RESAMPLES = 2000
"""Number of bootstrap resamples."""
BOOTSTRAP_FROM = 12
"""Number of values from which on intervals take skewness into account by a bootstrap.

A smaller sample says too little about the shape of its distribution.
"""
EXACT_TO = 16
"""Number of pairs up to which a sign-flip test enumerates all flips; beyond, it samples DRAWS."""
DRAWS = 20_000
"""Number of random sign flips of a sampled test."""
MOST_PAIRS = 10_000
"""Number of pairs beyond which a question counts as undecidable."""
COARSE = {6: 0.35, 7: 0.83}
"""Share of its level at which a test of so few pairs works, as its p values come in coarse steps.

Measured: a sign-flip test of 6 pairs at 0.05, alone or in a family, finds as much as a t test at
0.35 times the level. From 8 pairs on the two are alike (tests/perf/verdict_rates.py).
"""


class Interval(NamedTuple):
    """Holds an estimate and its confidence interval.

    Attributes:
        estimate: the point estimate.
        low, high: the bounds; infinite where a single value says nothing about the spread.
        kind: how the interval was made: `t`, `BCa`, `percentile`, or `none`.
    """

    estimate: float
    low: float
    high: float
    kind: str


def fixed_generator() -> np.random.Generator:
    """Return a generator with a fixed seed, so that a table is identical each time it is made."""
    return np.random.default_rng(20_261_121)


# intervals of one sample


def interquartile_mean(values_RN: npt.ArrayLike) -> Values:
    """Return the mean of the middle half of each row (Agarwal et al. 2021, section 4.3).

    A quarter of the values, rounded down, is left out at either end.
    """
    ordered = np.sort(np.atleast_2d(np.asarray(values_RN, dtype=float)), axis=1)
    cut = ordered.shape[1] // 4
    middle: Values = ordered[:, cut : ordered.shape[1] - cut].mean(axis=1)
    return middle


def stratified_interval(
    strata: Sequence[npt.ArrayLike],
    statistic: Callable[[Values], Values],
    alpha: float = ALPHA,
    resamples: int = RESAMPLES,
) -> Interval:
    """Return a statistic of several samples together, with a percentile bootstrap interval.

    Seeds are resampled within each stratum (a task), so that every resample has as many values of
    each task as the original (Agarwal et al. 2021, section 4.1).

    Args:
        strata: one sample per task.
        statistic: computes one value for each row of an array.
        alpha: one minus the confidence.
        resamples: number of bootstrap resamples.
    """
    random, samples = fixed_generator(), [np.asarray(values, dtype=float) for values in strata]
    drawn = [
        sample[random.integers(0, len(sample), (resamples, len(sample)))] for sample in samples
    ]
    low, high = np.quantile(statistic(np.concatenate(drawn, axis=1)), [alpha / 2, 1 - alpha / 2])
    estimate = float(statistic(np.concatenate(samples)[None])[0])
    return Interval(estimate, float(low), float(high), "percentile")


def mean_interval(
    values: npt.ArrayLike, alpha: float = ALPHA, resamples: int = RESAMPLES
) -> Interval:
    """Return the mean and its interval: Student's t, from BOOTSTRAP_FROM values on joined with BCa.

    With BOOTSTRAP_FROM values or more the interval reaches from the lower of the two lower bounds
    to the higher of the two upper ones. BCa alone, even at the level of `expanded_alpha`, covers
    heavy-tailed and bimodal values (some seeds solve a task, some do not) in 91 to 93 of 100
    cases where it should in 95, and Student's alone does as badly with skewed values. The union
    covers in 94 to 97 (tests/results/stats/test_inference.py).
    """
    sample = np.asarray(values, dtype=float)
    count, mean = len(sample), float(np.mean(sample))
    if count < 2:
        return Interval(mean, -math.inf, math.inf, "none")
    half = float(stats.t.ppf(1 - alpha / 2, count - 1) * sample.std(ddof=1) / math.sqrt(count))
    if count < BOOTSTRAP_FROM or np.ptp(sample) == 0:
        return Interval(mean, mean - half, mean + half, "t")
    low, high = bca(sample, expanded_alpha(alpha, count), resamples)
    return Interval(mean, min(low, mean - half), max(high, mean + half), "BCa")


def expanded_alpha(alpha: float, count: int) -> float:
    """Return the level at which a bootstrap of a small sample covers as it says.

    Resamples spread too little by a factor of sqrt((n - 1) / n), and their quantiles are those of
    a normal distribution instead of Student's (Hesterberg 2015, section 4.3.3).
    """
    reach = stats.t.ppf(1 - alpha / 2, count - 1) * math.sqrt(count / (count - 1))
    return float(2 * stats.norm.sf(reach))


def bca(values: Values, alpha: float, resamples: int = RESAMPLES) -> tuple[float, float]:
    """Return the bias-corrected and accelerated interval of the mean (Efron 1987, section 6)."""
    count = len(values)
    drawn = fixed_generator().integers(0, count, size=(resamples, count))
    means = np.sort(values[drawn].mean(axis=1))
    mean = values.mean()
    # z0: how far the median of the resampled means is from the mean; ties, which are common
    # among scores, count half
    below = (np.sum(means < mean) + 0.5 * np.sum(means == mean)) / resamples
    bias = special.ndtri(np.clip(below, 0.5 / resamples, 1 - 0.5 / resamples))
    # a: a sixth of the skewness of the jackknife, which leaves out one value at a time
    jackknife = mean - (values.sum() - values) / (count - 1)
    acceleration = np.sum(jackknife**3) / (6 * np.sum(jackknife**2) ** 1.5)
    # the levels of the two quantiles, shifted by both
    reach = special.ndtri(np.array([alpha / 2, 1 - alpha / 2]))
    level = special.ndtr(bias + (bias + reach) / (1 - acceleration * (bias + reach)))
    low, high = np.quantile(means, level)
    return float(low), float(high)


# tests on pairs


def sign_flip(differences: npt.ArrayLike) -> float:
    """Return the two-sided p value of the hypothesis that differences are symmetric around 0.

    It is the share of all ways to swap the two sides of some pairs for which the mean is at least
    as far from 0 (Fisher 1935, section 21). It is never below 2 / 2**n for n pairs.
    """
    values = np.asarray(differences, dtype=float)
    count = len(values)
    if count == 0:
        return 1.0
    observed = abs(values.sum())
    # sums that are equal but for rounding must count as equal
    threshold = observed - 1e-12 * np.abs(values).sum()
    # einsum, because a matrix product by BLAS would start threads for so little work
    as_far = np.abs(np.einsum("dn,n->d", sign_patterns(count), values)) >= threshold
    if count <= EXACT_TO:
        return float(np.mean(as_far))
    # the observed signs count as one draw, so that p is never 0 (Phipson and Smyth 2010)
    return float((np.sum(as_far) + 1) / (DRAWS + 1))


@lru_cache(maxsize=32)
def sign_patterns(count: int) -> Values:
    """Return sign patterns (D, N): all whose last sign is +, or DRAWS random ones beyond EXACT_TO.

    The patterns whose last sign is - are mirror images, whose sums are as far from 0.
    """
    if count > EXACT_TO:
        return fixed_generator().choice(np.array([-1.0, 1.0]), size=(DRAWS, count))
    # row d holds the binary digits of d, lowest first; the last is 0, as d is below 2**(count - 1)
    bits = (np.arange(2 ** (count - 1))[:, None] >> np.arange(count)) & 1
    return np.where(bits, -1.0, 1.0)


def fewest_pairs(alpha: float) -> int:
    """Return the number of pairs that a two-sided sign-flip test needs to reach alpha at all."""
    # 2 / 2**n <= alpha; the last term makes up for rounding where the logarithm is an integer
    return math.ceil(math.log2(2 / alpha) - 1e-9)


def probability_of_improvement(
    ours: Sequence[npt.ArrayLike], theirs: Sequence[npt.ArrayLike]
) -> float:
    """Return the probability that a run of ours scores higher than one of theirs.

    Ties count half, and the mean is taken over strata (Agarwal et al. 2021, section 4.3).
    """
    shares = []
    for a, b in zip(ours, theirs, strict=True):
        differences = np.asarray(a, dtype=float)[:, None] - np.asarray(b, dtype=float)[None]
        shares.append(float(np.mean((differences > 0) + 0.5 * (differences == 0))))
    return float(np.mean(shares))


def performance_profile(strata: Sequence[npt.ArrayLike], levels: npt.ArrayLike) -> Values:
    """Return the share of runs above each level, as the mean over strata.

    This is the score distribution of Agarwal et al. 2021, section 4.2.
    """
    above = [
        (np.asarray(sample, dtype=float)[:, None] > np.asarray(levels)).mean(axis=0)
        for sample in strata
    ]
    shares: Values = np.mean(above, axis=0)
    return shares


# power, and how many more pairs would decide


def power(effect: float, spread: float, count: int, alpha: float = ALPHA) -> float:
    """Return the probability that a two-sided sign-flip test finds a mean difference.

    It is that of Student's t test, at the level at which so few flips work (COARSE).

    Args:
        effect: the true mean difference.
        spread: the standard deviation of the differences.
        count: the number of pairs.
        alpha: the level of the test; of one among k tests of a family, a k-th of the family's.
    """
    if count < fewest_pairs(ALPHA):
        return 0.0
    if spread == 0:
        return float(effect != 0)
    bound = stats.t.ppf(1 - COARSE.get(count, 1.0) * alpha / 2, count - 1)
    # under the alternative the statistic has a noncentral t distribution
    shift = abs(effect) / spread * math.sqrt(count)
    found = stats.nct.sf(bound, count - 1, shift) + stats.nct.cdf(-bound, count - 1, shift)
    # scipy returns nan far out in the tail, where the probability is 1
    return 1.0 if math.isnan(found) else float(found)


def detectable(spread: float, count: int, alpha: float = ALPHA) -> float:
    """Return the smallest mean difference that a number of pairs finds with POWER.

    It is infinite if a sign-flip test cannot reach ALPHA with so few pairs.
    """
    if count < fewest_pairs(ALPHA):
        return math.inf
    return spread * _detectable_at_unit_spread(count, alpha)


@lru_cache(maxsize=4096)
def _detectable_at_unit_spread(count: int, alpha: float) -> float:
    """Find by bisection the difference that is found with POWER if pairs spread by 1."""
    # power grows with the difference: doubling bounds it, and 40 halvings leave 1e-12 of the range
    low, high = 0.0, 1.0
    while power(high, 1.0, count, alpha) < POWER:
        low, high = high, 2 * high
    for _ in range(40):
        middle = (low + high) / 2
        found = power(middle, 1.0, count, alpha) >= POWER
        low, high = (low, middle) if found else (middle, high)
    return high


def pairs_to_decide(
    effect: float, spread: float, margin: float, alpha: float = ALPHA
) -> int | None:
    """Return the number of pairs that would decide, if mean and spread stay as they are.

    A mean difference beyond the margin is decided once a test finds it with POWER; one within the
    margin, once its interval fits within the margin too.

    Args:
        effect: the mean difference so far.
        spread: the standard deviation of the differences so far.
        margin: the smallest difference that matters.
        alpha: the level of the test.

    Returns:
        The number of pairs, or None if it is beyond MOST_PAIRS.
    """
    beyond = abs(effect) > margin
    distance = abs(effect) if beyond else margin - abs(effect)

    def decided(count: int) -> bool:
        if beyond:
            return power(effect, spread, count, alpha) >= POWER
        half = stats.t.ppf(1 - ALPHA / 2, count - 1) * spread / math.sqrt(count)
        return bool(half < distance)

    least = fewest_pairs(ALPHA) if beyond else 2
    # the normal approximation says about where the answer is: n = (reach * spread / distance)^2
    reach = special.ndtri(1 - alpha / 2) + special.ndtri(POWER) if beyond else special.ndtri(0.975)
    # beyond MOST_PAIRS even with a tenth of room for the approximation
    if 1.1 * distance * math.sqrt(MOST_PAIRS) < reach * spread:
        return None
    guess = float(reach * spread / distance) ** 2 if spread else 0.0
    # the exact search starts around the guess, as each power takes long to compute
    low, high = max(least, int(guess * 0.9) - 2), max(least, int(guess * 1.1) + 6)
    if decided(low):  # the guess was too high
        low = least
    return _first_decided(decided, low, high)


def _first_decided(decided: Callable[[int], bool], low: int, high: int) -> int | None:
    """Return the smallest count from low on that decides; None beyond MOST_PAIRS.

    A larger count always decides too, so the smallest is found by doubling and bisection.
    """
    if decided(low):
        return low
    while not decided(high):
        if high >= MOST_PAIRS:
            return None
        low, high = high, min(2 * high, MOST_PAIRS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decided(middle) else (middle, high)
    return high
