"""Intervals that assume nothing of how values are spread."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

CONFIDENCE = 0.95


class MedianInterval(NamedTuple):
    """A median and its interval. confidence: that which the interval has, at least what was asked
    for where there are values enough (6 for 95 %), less for fewer."""

    median: float
    low: float
    high: float
    confidence: float


def median_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> MedianInterval:
    """The median, and between which order statistics it lies: by the binomial distribution, as
    each value falls below the true median with probability 1/2 (Conover 1999, section 3.2)."""
    ordered, count = sorted(values), len(values)
    # values that are left out on either side
    left_out, tail = 0, 2.0**-count
    for cut in range(1, (count + 1) // 2):
        wider = tail + math.comb(count, cut) * 2.0**-count
        if 2 * wider > 1 - confidence:
            break
        left_out, tail = cut, wider
    low, high = ordered[left_out], ordered[count - 1 - left_out]
    return MedianInterval(statistics.median(ordered), low, high, max(0.0, 1 - 2 * tail))
