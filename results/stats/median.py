"""Computes the median of a sample with a confidence interval from its order statistics.

The interval assumes nothing about the distribution except that values are independent. It is
used for times, whose distributions are skewed and have outliers.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

CONFIDENCE = 0.95
"""Confidence that an interval has unless another is asked for."""


class MedianInterval(NamedTuple):
    """Holds a median and its interval.

    Attributes:
        median: the sample's median.
        low, high: the values of the sample that bound the interval.
        confidence: the interval's actual confidence. It is at least what was asked for if there
            are enough values (6 for 95 %), and less if there are fewer.
    """

    median: float
    low: float
    high: float
    confidence: float


def median_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> MedianInterval:
    """Return the median and its narrowest interval between two order statistics.

    The number of values below the true median is binomial with probability 1/2 (Conover 1999,
    section 3.2). So the true median is below the k-th smallest value with probability
    P(Binomial(n, 1/2) < k), and by symmetry it is as often above the k-th largest.
    """
    ordered, count = sorted(values), len(values)
    # values left out at either end, and the probability that the true median is beyond them
    left_out, tail = 0, 2.0**-count
    for cut in range(1, (count + 1) // 2):
        # one more value left out at either end adds one more binomial term to the tail
        wider = tail + math.comb(count, cut) * 2.0**-count
        if 2 * wider > 1 - confidence:
            break
        left_out, tail = cut, wider
    low, high = ordered[left_out], ordered[count - 1 - left_out]
    return MedianInterval(statistics.median(ordered), low, high, max(0.0, 1 - 2 * tail))
