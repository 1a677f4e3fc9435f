"""Plans looks at a growing sample, so that seeds can be added until a verdict is reached.

Testing again after each added seed would find a difference too often where there is none. So each
look tests at a level of its own, chosen so that all looks together are wrong with probability
ALPHA at most, however many there are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import stats

from results.stats.inference import ALPHA, fewest_pairs, fixed_generator

FEWEST = fewest_pairs(ALPHA)
"""Number of pairs below which no verdict can be reached, with looks or without."""
GROWTH = 1.3
"""Factor by which the number of pairs grows between looks, so that alpha is split few times."""
PATHS = 200_000
"""Number of simulated samples that the levels of looks are computed from."""


class Look(NamedTuple):
    """Describes one look by the number of pairs so far and the level of its test."""

    pairs: int
    alpha: float


@lru_cache(maxsize=64)
def looks(most: int) -> tuple[Look, ...]:
    """Return all looks up to a number of pairs; the first is where a test can reject at all.

    When a share t of all pairs has been seen, ALPHA * t has been spent (Lan and DeMets 1983, with
    the spending function of Kim and DeMets 1987 for an exponent of 1).

    Raises:
        ValueError: `most` is smaller than FEWEST.
    """
    if most < FEWEST:
        raise ValueError(f"seeds={most} are too few to decide anything; give at least {FEWEST}")
    for first in range(FEWEST, most):
        # with so few pairs the smallest p value of a sign-flip test may be above the level
        if fewest_pairs(ALPHA * first / most) <= first:
            return _looks(first, most)
    return _looks(most, most)


def _looks(first: int, most: int) -> tuple[Look, ...]:
    counts = [first]
    while counts[-1] < most:
        counts.append(min(most, math.ceil(counts[-1] * GROWTH)))
    return tuple(map(Look, counts, _levels(counts)))


def _levels(counts: Sequence[int]) -> list[float]:
    """Return the level of each look, such that the first k looks reject ALPHA * t_k together.

    The statistics of all looks are those of one random walk, so what a look may spend is found
    among walks on which no earlier look rejected. Walks are simulated; the levels are off by a
    hundredth of themselves.
    """
    if len(counts) == 1:
        return [ALPHA]
    seen = np.array(counts) / counts[-1]
    steps = fixed_generator().normal(size=(PATHS, len(counts))) * np.sqrt(np.diff(seen, prepend=0))
    walks = np.abs(steps.cumsum(axis=1)) / np.sqrt(seen)
    levels, rejected = [], np.zeros(PATHS, dtype=bool)
    for place, share in enumerate(seen):
        further = round(ALPHA * share * PATHS) - int(rejected.sum())
        bound = np.sort(walks[~rejected, place])[-further - 1]
        # of the first look the level is what it may spend
        levels.append(float(2 * stats.norm.sf(bound)) if place else float(ALPHA * share))
        rejected |= walks[:, place] > bound
    return levels


def closest_to_decided(more: Sequence[int | None]) -> list[int]:
    """Return indices by the number of seeds still needed, fewest first; None (unknown) is last."""
    return sorted(range(len(more)), key=lambda place: (more[place] is None, more[place] or 0))
