"""Estimates how many times as long one side takes where some runs never reached the target.

A run that never got there took longer than all that it was given, and nothing says how much
longer. So a pair's ratio may be known only to lie above or below a bound. The median over pairs
can bear that: it is exact as long as the pairs around the middle are.
"""

from __future__ import annotations

import math
import statistics
from typing import NamedTuple

import numpy as np

from results.stats.inference import Mask, Values
from results.stats.median import CONFIDENCE, median_interval


class Bounds(NamedTuple):
    """Holds the least and the largest value that each pair's difference can have.

    Attributes:
        low_N, high_N: equal where the difference is known; infinite where a side never got there.
    """

    low_N: Values
    high_N: Values

    @property
    def signs(self) -> Values:
        """1 or -1 where a pair's order is known, 0 where it is not."""
        return np.where(self.low_N > 0, 1.0, np.where(self.high_N < 0, -1.0, 0.0))


def bounds(values_NC2: Values, censored_NC2: Mask) -> Bounds:
    """Return the bounds of a minus b for each seed, as the mean over contexts.

    Args:
        values_NC2: logarithms of costs by seed, context and side; where censored, a lower bound.
        censored_NC2: True where the target was not reached.
    """
    difference = values_NC2[..., 0] - values_NC2[..., 1]
    # if b never got there, the difference is below; if a did not, above
    low = np.where(censored_NC2[..., 1], -math.inf, difference)
    high = np.where(censored_NC2[..., 0], math.inf, difference)
    return Bounds(low.mean(axis=1), high.mean(axis=1))


class MedianBounds(NamedTuple):
    """Holds what is known of a median difference and of its interval; infinite where nothing is.

    Attributes:
        least, most: the bounds of the median; equal where it is known.
        low, high: the interval, by order statistics; it assumes nothing about the distribution.
    """

    least: float
    most: float
    low: float
    high: float


def median_bounds(known: Bounds) -> MedianBounds:
    """Return the bounds of the median of pairs; the interval is infinite for too few pairs."""
    lows, highs = known.low_N.tolist(), known.high_N.tolist()
    below, above = median_interval(lows), median_interval(highs)
    least, most = statistics.median(lows), statistics.median(highs)
    if below.confidence < CONFIDENCE:
        return MedianBounds(least, most, -math.inf, math.inf)
    return MedianBounds(least, most, below.low, above.high)
