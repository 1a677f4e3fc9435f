"""How surely one thing is better than another: intervals, tests and what more runs would tell.

Runs are compared in pairs: the same seed is the same first values, the same order of data and the
same coins, as far as two variants can share them. All that is said of a pair rests on the
differences of its pairs.
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

ALPHA = 0.05
POWER = 0.8
RESAMPLES = 2000
BOOTSTRAP_FROM = 12
"""Values from which on an interval heeds their skew; fewer say little of how they are spread."""
EXACT_TO = 16
"""Pairs up to which all sign flips are gone through; beyond, DRAWS of them are."""
DRAWS = 20_000
MOST_PAIRS = 10_000
"""Pairs beyond which a question counts as not to be settled."""


class Interval(NamedTuple):
    """An estimate and where the truth lies with the confidence that was asked for. kind: how it
    was made; `none` where one value says nothing of the spread."""

    estimate: float
    low: float
    high: float
    kind: str


def generator() -> np.random.Generator:
    """The same draws at every call, so that a table says the same twice."""
    return np.random.default_rng(20_261_121)


# one sample


def interquartile_mean(values_RN: npt.ArrayLike) -> Values:
    """The mean of the middle half of each row (Agarwal et al. 2021, section 4.3): a quarter of the
    values, the number rounded down, is left out at either end."""
    ordered = np.sort(np.atleast_2d(np.asarray(values_RN, dtype=float)), axis=1)
    cut = ordered.shape[1] // 4
    middle: Values = ordered[:, cut : ordered.shape[1] - cut].mean(axis=1)
    return middle


def stratified(
    strata: Sequence[npt.ArrayLike],
    statistic: Callable[[Values], Values],
    alpha: float = ALPHA,
    resamples: int = RESAMPLES,
) -> Interval:
    """A statistic of all values together, with a percentile interval from resampling seeds within
    each stratum (a task), so that every resample has as many of each (Agarwal et al. 2021, section
    4.1). statistic: of each row."""
    random, parts = generator(), [np.asarray(values, dtype=float) for values in strata]
    drawn = [part[random.integers(0, len(part), (resamples, len(part)))] for part in parts]
    low, high = np.quantile(statistic(np.concatenate(drawn, axis=1)), [alpha / 2, 1 - alpha / 2])
    whole = float(statistic(np.concatenate(parts)[None])[0])
    return Interval(whole, float(low), float(high), "percentile")


def mean_interval(
    values: npt.ArrayLike, alpha: float = ALPHA, resamples: int = RESAMPLES
) -> Interval:
    """The mean and its interval: Student's t, and from BOOTSTRAP_FROM values on BCa, widened to
    Student's where it is narrower.

    BCa alone, even at the level that `expanded` gives, covers heavy-tailed and two-humped values
    (some seeds solve a task, some do not) in 91 to 93 of 100 cases where it should in 95, and
    Student's alone does as badly where values are skewed; the wider of the two does in 94 to 97
    (tests/results/stats/test_inference.py).
    """
    given = np.asarray(values, dtype=float)
    count, mean = len(given), float(np.mean(given))
    if count < 2:
        return Interval(mean, -math.inf, math.inf, "none")
    half = float(stats.t.ppf(1 - alpha / 2, count - 1) * given.std(ddof=1) / math.sqrt(count))
    if count < BOOTSTRAP_FROM or np.ptp(given) == 0:
        return Interval(mean, mean - half, mean + half, "t")
    low, high = bca(given, expanded(alpha, count), resamples)
    return Interval(mean, min(low, mean - half), max(high, mean + half), "BCa")


def expanded(alpha: float, count: int) -> float:
    """The level at which a bootstrap of so few values covers as it says: resamples spread by
    sqrt((n - 1) / n) too little, and know no t (Hesterberg 2015, section 4.3.3)."""
    reach = stats.t.ppf(1 - alpha / 2, count - 1) * math.sqrt(count / (count - 1))
    return float(2 * stats.norm.sf(reach))


def bca(values: Values, alpha: float, resamples: int = RESAMPLES) -> tuple[float, float]:
    """Bias-corrected and accelerated interval of the mean (Efron 1987, section 6)."""
    count = len(values)
    drawn = generator().integers(0, count, size=(resamples, count))
    means = np.sort(values[drawn].mean(axis=1))
    mean = values.mean()
    # ties count half, as scores often repeat
    below = (np.sum(means < mean) + 0.5 * np.sum(means == mean)) / resamples
    bias = special.ndtri(np.clip(below, 0.5 / resamples, 1 - 0.5 / resamples))
    away = mean - (values.sum() - values) / (count - 1)
    acceleration = np.sum(away**3) / (6 * np.sum(away**2) ** 1.5)
    reach = special.ndtri(np.array([alpha / 2, 1 - alpha / 2]))
    level = special.ndtr(bias + (bias + reach) / (1 - acceleration * (bias + reach)))
    low, high = np.quantile(means, level)
    return float(low), float(high)


# pairs


def sign_flip(differences: npt.ArrayLike) -> float:
    """Two-sided p that differences lie around 0: the share of all ways to swap a pair's two sides
    whose mean is as far from 0 (Fisher 1935, section 21). Never below 2 / 2**n."""
    given = np.asarray(differences, dtype=float)
    count = len(given)
    if count == 0:
        return 1.0
    seen = abs(given.sum())
    # what is equal but for rounding is as far
    reached = seen - 1e-12 * np.abs(given).sum()
    # not by BLAS, which would take another core for so little
    as_far = np.abs(np.einsum("dn,n->d", _signs(count), given)) >= reached
    if count <= EXACT_TO:
        return float(np.mean(as_far))
    return float((np.sum(as_far) + 1) / (DRAWS + 1))


@lru_cache(maxsize=32)
def _signs(count: int) -> Values:
    """All sign patterns whose first is +, as their mirror images are as far from 0; or some."""
    if count > EXACT_TO:
        return generator().choice(np.array([-1.0, 1.0]), size=(DRAWS, count))
    bits = (np.arange(2 ** (count - 1))[:, None] >> np.arange(count)) & 1
    return np.where(bits, -1.0, 1.0)


def fewest(alpha: float) -> int:
    """Pairs that a two-sided sign-flip test needs at least to reach alpha."""
    return math.ceil(math.log2(2 / alpha) - 1e-9)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values of a family (Holm 1979): none is rejected wrongly with more than alpha."""
    adjusted, highest = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(np.argsort(np.asarray(p_values), kind="stable")):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def probability_of_improvement(
    mine: Sequence[npt.ArrayLike], others: Sequence[npt.ArrayLike]
) -> float:
    """That a run of mine beats one of others', ties half, meaned over strata (Agarwal et al. 2021,
    section 4.3)."""
    shares = []
    for a, b in zip(mine, others, strict=True):
        apart = np.asarray(a, dtype=float)[:, None] - np.asarray(b, dtype=float)[None]
        shares.append(float(np.mean((apart > 0) + 0.5 * (apart == 0))))
    return float(np.mean(shares))


def performance_profile(strata: Sequence[npt.ArrayLike], levels: npt.ArrayLike) -> Values:
    """The share of runs above each level, meaned over strata (Agarwal et al. 2021, section 4.2)."""
    above = [
        (np.asarray(part, dtype=float)[:, None] > np.asarray(levels)).mean(axis=0)
        for part in strata
    ]
    shares: Values = np.mean(above, axis=0)
    return shares


# what more runs would tell


def power(effect: float, spread: float, count: int, alpha: float = ALPHA) -> float:
    """That a two-sided paired t test of so many pairs finds a mean difference of so much, whose
    pairs spread so much."""
    if count < 2:
        return 0.0
    if spread == 0:
        return float(effect != 0)
    bound = stats.t.ppf(1 - alpha / 2, count - 1)
    shift = abs(effect) / spread * math.sqrt(count)
    found = stats.nct.sf(bound, count - 1, shift) + stats.nct.cdf(-bound, count - 1, shift)
    # scipy gives nan far out, where the chance is 1
    return 1.0 if math.isnan(found) else float(found)


def detectable(spread: float, count: int, alpha: float = ALPHA) -> float:
    """The smallest difference that so many pairs find with POWER; infinite where none is."""
    if count < max(2, fewest(alpha)):
        return math.inf
    return spread * _detectable_of_one(count, alpha)


@lru_cache(maxsize=4096)
def _detectable_of_one(count: int, alpha: float) -> float:
    """Where pairs spread by 1."""
    low, high = 0.0, 1.0
    while power(high, 1.0, count, alpha) < POWER:
        low, high = high, 2 * high
    for _ in range(40):
        middle = (low + high) / 2
        found = power(middle, 1.0, count, alpha) >= POWER
        low, high = (low, middle) if found else (middle, high)
    return high


def pairs_to_settle(
    effect: float, spread: float, margin: float, alpha: float = ALPHA
) -> int | None:
    """Pairs after which a mean difference that stays as it is would be decided: found with POWER
    where it is beyond the margin, else its interval within the margin. None beyond MOST."""
    beyond = abs(effect) > margin
    away = abs(effect) if beyond else margin - abs(effect)

    def settled(count: int) -> bool:
        if beyond:
            return power(effect, spread, count, alpha) >= POWER
        half = stats.t.ppf(1 - ALPHA / 2, count - 1) * spread / math.sqrt(count)
        return bool(half < away)

    least = max(2, fewest(alpha)) if beyond else 2
    # about where it will be, if there were no t
    reach = special.ndtri(1 - alpha / 2) + special.ndtri(POWER) if beyond else special.ndtri(0.975)
    if 1.1 * away * math.sqrt(MOST_PAIRS) < reach * spread:
        return None
    about = float(reach * spread / away) ** 2 if spread else 0.0
    low, high = max(least, int(about * 0.9) - 2), max(least, int(about * 1.1) + 6)
    if settled(low):
        low = least
        if settled(low):
            return low
    while not settled(high):
        if high >= MOST_PAIRS:
            return None
        low, high = high, min(2 * high, MOST_PAIRS)
    while high - low > 1:  # more pairs never unsettle
        middle = (low + high) // 2
        low, high = (low, middle) if settled(middle) else (middle, high)
    return high


# in words


class Verdict(NamedTuple):
    """word: better, worse, tie or undecided. more: further pairs that would settle it, 0 if it is
    settled, None if no number within reason would. why: what stands against a word."""

    word: str
    more: int | None
    why: str


def verdict(
    differences: npt.ArrayLike,
    interval: Interval,
    p: float,
    margin: float,
    family: int,
    alpha: float = ALPHA,
) -> Verdict:
    """Of differences of which more is better. p: adjusted for the family of so many comparisons.
    margin: the smallest difference that matters; an interval within it is a tie."""
    given = np.asarray(differences, dtype=float)
    if -margin <= interval.low and interval.high <= margin:
        return Verdict("tie", 0, "")
    if p <= alpha:
        return Verdict("better" if interval.estimate > 0 else "worse", 0, "")
    count = len(given)
    spread = float(given.std(ddof=1)) if count > 1 else math.nan
    own = alpha / family  # at worst, by Holm
    needed = fewest(own)
    if count < 2:
        return Verdict("undecided", max(needed - count, 1), "too few seeds")
    total = pairs_to_settle(interval.estimate, spread, margin, own)
    why = "too few seeds" if count < needed else ""
    return Verdict("undecided", None if total is None else max(total - count, 1), why)
