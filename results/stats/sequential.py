"""Adding seeds until a verdict stands, without fooling oneself by looking often.

Each look may spend a part of alpha, and what all looks spend adds up to alpha at the most, so
that a false verdict comes no more often than that however many looks there are.
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
"""Pairs of the first look."""
GROWTH = 1.3
"""By which the next look has more, so that few looks are paid for."""


class Look(NamedTuple):
    """pairs: how many by then. alpha: what it may spend."""

    pairs: int
    alpha: float


def looks(most: int) -> list[Look]:
    """All looks up to so many pairs: alpha is spent as Lan and DeMets 1983 give it for Pocock's
    bounds, early looks getting a good share. ValueError for fewer pairs than a first look has."""
    if most < FIRST_LOOK:
        raise ValueError(f"seeds={most} are too few to decide anything; give at least {FIRST_LOOK}")
    counts = [FIRST_LOOK]
    while counts[-1] < most:
        counts.append(min(most, math.ceil(counts[-1] * GROWTH)))
    spent = [0.0, *(ALPHA * math.log(1 + (math.e - 1) * count / most) for count in counts)]
    return [
        Look(count, now - before)
        for count, before, now in zip(counts, spent, spent[1:], strict=False)
    ]


def decide(differences: npt.ArrayLike, look: Look, margin: float) -> tuple[Interval, Verdict]:
    """At a look, from differences of which more is better: the interval at its level, and better,
    worse, tie or undecided."""
    apart = np.asarray(differences, dtype=float)
    interval = inference.mean_interval(apart, look.alpha)
    p = inference.sign_flip(apart)
    return interval, inference.verdict(apart, interval, p, margin, 1, look.alpha)


def nearest(more: Sequence[int | None]) -> list[int]:
    """Places in the order of how few seeds they still want: what settles most comes first."""
    return sorted(range(len(more)), key=lambda place: (more[place] is None, more[place] or 0))
