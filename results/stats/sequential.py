"""Plans looks at a growing sample, so that seeds can be added until a verdict is reached.

Testing again after each added seed would find a difference too often where there is none. So each
look may only spend a part of ALPHA, and all looks together spend ALPHA at most: the probability
of a wrong verdict stays below ALPHA, however many looks there are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from results.stats import inference
from results.stats.inference import ALPHA, Interval, Verdict

FIRST_LOOK = 6
"""Number of pairs at the first look."""
GROWTH = 1.3
"""Factor by which the number of pairs grows between looks, so that alpha is split few times."""


class Look(NamedTuple):
    """Describes one look by the number of pairs so far and the part of alpha it may spend."""

    pairs: int
    alpha: float


def looks(most: int) -> list[Look]:
    """Return all looks up to a number of pairs.

    When a share t of all pairs has been seen, ALPHA * log(1 + (e - 1) t) has been spent: the
    spending function of Lan and DeMets 1983 that approximates Pocock's boundaries. It gives early
    looks a good share, because most differences worth finding are large.

    Raises:
        ValueError: `most` is smaller than FIRST_LOOK.
    """
    if most < FIRST_LOOK:
        raise ValueError(f"seeds={most} are too few to decide anything; give at least {FIRST_LOOK}")
    counts = [FIRST_LOOK]
    while counts[-1] < most:
        counts.append(min(most, math.ceil(counts[-1] * GROWTH)))
    # the last look has t = 1, where log(1 + e - 1) = 1: all of ALPHA is spent
    spent = [0.0, *(ALPHA * math.log(1 + (math.e - 1) * count / most) for count in counts)]
    return [
        Look(count, now - before)
        for count, before, now in zip(counts, spent, spent[1:], strict=False)
    ]


def decide(differences: npt.ArrayLike, look: Look, margin: float) -> tuple[Interval, Verdict]:
    """Return the interval and the verdict at a look.

    Args:
        differences: one value per pair; positive means better.
        look: its alpha sets the level of the test and of the interval.
        margin: the smallest difference that matters.
    """
    values = np.asarray(differences, dtype=float)
    interval = inference.mean_interval(values, look.alpha)
    p = inference.sign_flip(values)
    return interval, inference.verdict(values, interval, p, margin, 1, look.alpha)


def closest_to_decided(more: Sequence[int | None]) -> list[int]:
    """Return indices by the number of seeds still needed, fewest first; None (unknown) is last."""
    return sorted(range(len(more)), key=lambda place: (more[place] is None, more[place] or 0))
