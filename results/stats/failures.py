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
"""Smallest gap between runs that failed and those that did not, in margins that matter."""


def failed(values_N2: Values, margin: float) -> Mask:
    """Return which runs of two sides failed, of scores of which 0 is the lowest and more is better.

    A side has failures if its runs fall apart into two groups, of which the lower one has less than
    half of the best score: the gap between them is wider than both groups together, and than
    FAR_BEHIND margins. The middle of the gap is then the bound for both sides, so that a side of
    which every run is below it has failed every time.

    Args:
        values_N2: scores by seed, of a and of b.
        margin: the smallest difference that matters.
    """
    bounds = [_bound(values_N2[:, side], margin) for side in (0, 1)]
    return values_N2 < max(bounds)


def _bound(values: Values, margin: float) -> float:
    """Return the score below which a run of this side failed; 0 if the side does not fall apart."""
    if len(values) < 2:
        return 0.0
    ordered = np.sort(values)
    place = int(np.argmax(np.diff(ordered)))
    low, high, width = ordered[place], ordered[place + 1], ordered[-1] - ordered[0]
    apart = high - low > max(width / 2, FAR_BEHIND * margin)
    return float((low + high) / 2) if apart and low < ordered[-1] / 2 else 0.0


def highest_rate(failures: int, runs: int, alpha: float = ALPHA) -> float:
    """Return the failure rate above which so few failures are unlikely (Clopper and Pearson 1934).

    Rates above it would have shown more failures with probability 1 - alpha.
    """
    if failures >= runs:
        return 1.0
    return float(stats.beta.ppf(1 - alpha, failures + 1, runs - failures))
