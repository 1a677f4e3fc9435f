"""Tells runs that failed to learn from those that did, and bounds how often that happens.

A side that fails now and then has a mean that few seeds cannot know: with 8 seeds, a side that
fails in 10 % of them shows no failure in 43 % of tables. So failures are counted apart from the
scores of runs that did not fail.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from results.stats.inference import ALPHA, Mask, Values

FAR_BEHIND = 10
"""Smallest distance of a failed run from its side's best, in margins that matter."""


def failed(values_N2: Values, margin: float) -> Mask:
    """Return which runs of two sides failed, of scores of which 0 is the lowest and more is better.

    A side has failures if its runs fall apart: some have less than half of its best one's score,
    and lie FAR_BEHIND margins below it. Half of that best score is then the bound for both sides,
    so that a side of which every run is below it has failed every time.

    Args:
        values_N2: scores by seed, of a and of b.
        margin: the smallest difference that matters.
    """
    bounds = [_bound(values_N2[:, side], margin) for side in (0, 1)]
    return values_N2 < max(bounds)


def _bound(values: Values, margin: float) -> float:
    """Return the score below which a run of this side failed; 0 if the side does not fall apart."""
    best = float(values.max(initial=0.0))
    behind = values[values < best / 2]
    return best / 2 if np.any(best - behind > FAR_BEHIND * margin) else 0.0


def highest_rate(failures: int, runs: int, alpha: float = ALPHA) -> float:
    """Return the failure rate above which so few failures are unlikely (Clopper and Pearson 1934).

    Rates above it would have shown more failures with probability 1 - alpha.
    """
    if failures >= runs:
        return 1.0
    return float(stats.beta.ppf(1 - alpha, failures + 1, runs - failures))
