"""Compares two sides at every point of a curve, with one band that holds for all points together.

The band is the mean difference and so many of its standard errors to either side, equally many at
all points. How many is seen from what chance alone does: of pairs, the deviations of a seed from
the mean change their signs, at all points at once; of sides without common seeds, deviations are
dealt to the sides anew, each with its whole curve. In 95 of 100 such flips or deals, the largest
of Student's t along the curve stays below (Westfall and Young 1993 with studentised deviations;
of flips, a wild bootstrap).
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np

from results.stats.inference import (
    ALPHA,
    DRAWS,
    EXACT_TO,
    Mask,
    Values,
    fewest_pairs,
    fixed_generator,
    sign_patterns,
)


class Band(NamedTuple):
    """Holds mean differences along a curve, and the bounds of a simultaneous band, each (G,).

    Where all differences are the same, the band has no width. Where there are too few runs for any
    test to reject, it is infinitely wide.
    """

    effect: Values
    low: Values
    high: Values


def paired_band(differences_NG: Values, alpha: float = ALPHA) -> Band:
    """Return the band of mean differences between pairs, at G points of a curve.

    Args:
        differences_NG: a minus b, by seed and point.
        alpha: one minus the confidence.
    """
    count = len(differences_NG)
    effect = differences_NG.mean(axis=0)
    if count < fewest_pairs(alpha):
        return _unbounded(effect)
    observed, drawn = np.full(count, 1 / count), count > EXACT_TO
    reach = _errors(
        differences_NG - effect, observed, sign_patterns(count) / count, count - 1, alpha, drawn
    )
    return Band(effect, effect - reach, effect + reach)


def unpaired_band(ours_MG: Values, theirs_NG: Values, alpha: float = ALPHA) -> Band:
    """Return the band of differences between the means of two sides that share no seeds.

    The standard error is that of both sides together, so where they have unlike numbers of runs,
    they should spread alike.

    Args:
        ours_MG: values of a, by run and point.
        theirs_NG: values of b, of which there may be more or fewer.
        alpha: one minus the confidence.
    """
    first, second = len(ours_MG), len(theirs_NG)
    effect = ours_MG.mean(axis=0) - theirs_NG.mean(axis=0)
    if not unpaired_can_reject(first, second, alpha):
        return _unbounded(effect)
    deviations = np.concatenate(
        [ours_MG - ours_MG.mean(axis=0), theirs_NG - theirs_NG.mean(axis=0)]
    )
    observed = np.repeat([1 / first, -1 / second], [first, second])
    drawn = math.comb(first + second, first) > DRAWS
    reach = _errors(deviations, observed, deals(first, second), first + second - 2, alpha, drawn)
    return Band(effect, effect - reach, effect + reach)


def unpaired_can_reject(first: int, second: int, alpha: float = ALPHA) -> bool:
    """Return whether dealing so many runs of two sides anew can reach alpha at all."""
    if min(first, second) < 2:
        return False
    # of sides of one size, to swap them all is no other way
    return (1 + (first == second)) / math.comb(first + second, first) <= alpha


def _unbounded(effect: Values) -> Band:
    beyond = np.full(len(effect), math.inf)
    return Band(effect, -beyond, beyond)


def _errors(
    deviations_NG: Values,
    observed_N: Values,
    weights_DN: Values,
    freedom: int,
    alpha: float,
    drawn: bool,
) -> Values:
    """Return how far the band reaches from the mean difference, at each point (G,).

    Args:
        deviations_NG: values of the runs, less the mean of their side.
        observed_N: what each run weighs in the mean difference.
        weights_DN: the same, by flip or deal.
        freedom: degrees of freedom of a standard error.
        alpha: one minus the confidence.
        drawn: flips or deals were drawn, so that what was observed has to be counted as one.
    """
    length, size = float(np.sum(observed_N**2)), (deviations_NG**2).sum(axis=0)
    errors = np.sqrt(size / freedom * length)
    spread: Mask = size > 1e-24 * np.abs(deviations_NG).max(initial=0.0)
    if not spread.any():
        return np.zeros(len(size))
    # a t statistic depends on the cosine of weights and deviations alone; einsum, because a matrix
    # product by BLAS would start threads for so little work
    products = np.einsum("dn,ng->dg", weights_DN, deviations_NG[:, spread])
    cosines = np.abs(products / np.sqrt(size[spread] * length)).max(axis=1)
    with np.errstate(divide="ignore"):
        largest = np.sqrt(freedom * cosines**2 / np.maximum(1 - cosines**2, 0.0))
    # what was observed has deviations of no mean, and counts as further off than any
    same = np.abs((weights_DN * observed_N).sum(axis=1)) > length * (1 - 1e-9)
    largest[same] = math.inf
    if drawn:
        largest = np.append(largest, math.inf)
    rejected = int(alpha * len(largest) + 1e-9)
    reach: Values = np.where(spread, np.sort(largest)[::-1][rejected] * errors, 0.0)
    return reach


@lru_cache(maxsize=8)
def deals(first: int, second: int) -> Values:
    """Return the weights of runs in a difference of means (D, first + second), by deal.

    All deals of the runs to two sides, what was observed among them, or DRAWS random ones if there
    are more.
    """
    count = first + second
    if math.comb(count, first) <= DRAWS:
        chosen = np.array(list(combinations(range(count), first)))
    else:
        random = fixed_generator()
        chosen = np.array([random.permutation(count)[:first] for _ in range(DRAWS)])
    weights = np.full((len(chosen), count), -1 / second)
    np.put_along_axis(weights, chosen, 1 / first, axis=1)
    return weights
