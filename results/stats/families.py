"""Corrects tests that are read together: the values of an axis, or a page of all axes.

All values of an axis are compared with one base, so one unlucky draw of the base's runs moves all
of their effects. Tests of one family therefore flip the signs of a seed together: what the family
shares is in the correction (many-to-one comparisons, as Dunnett 1955 made them for normal values).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from results.stats.inference import (
    ALPHA,
    DRAWS,
    EXACT_TO,
    Mask,
    Values,
    fewest_pairs,
    sign_flip,
    sign_patterns,
)

Sample = Mapping[int, float]
"""One difference per seed."""


def family_wise(samples: Sequence[Sample]) -> list[float]:
    """Return p values of which any false one is at most alpha with probability alpha.

    The step-down method of Westfall and Young 1993 (algorithm 4.1), with sign flips in place of
    permutations: how often does the largest statistic of the family get as far as this one, if
    the sign of each seed is drawn anew for all samples at once? The statistic is the sum over the
    root of the sum of squares, which orders one sample's flips like Student's t. For a family of
    one it is the sign-flip test, and 6 seeds can reach 0.05 in a family of any size.

    Args:
        samples: the differences of each comparison; seeds may be missing in some.
    """
    seeds = sorted({seed for sample in samples for seed in sample})
    if not seeds:
        return [1.0] * len(samples)
    signs = sign_patterns(len(seeds))
    places = {seed: place for place, seed in enumerate(seeds)}
    aligned = [_aligned(sample, places) for sample in samples]
    observed = [abs(float(values.sum())) for values in aligned]
    adjusted, largest = [1.0] * len(samples), np.zeros(len(signs))
    order = np.argsort(observed, kind="stable")
    for place in order:
        # the statistics of all flips, of this sample and of those with smaller ones
        np.maximum(largest, np.abs(np.einsum("dn,n->d", signs, aligned[place])), out=largest)
        adjusted[place] = _share(largest >= observed[place] - 1e-9, len(seeds))
    # an adjusted value must not be below that of a larger statistic
    highest = 0.0
    for place in order[::-1]:
        highest = adjusted[place] = max(highest, adjusted[place])
    return adjusted


def _aligned(sample: Sample, places: Mapping[int, int]) -> Values:
    """Return a sample over all seeds, with 0 for a missing one, scaled to a sum of squares of 1."""
    values = np.zeros(len(places))
    for seed, difference in sample.items():
        values[places[seed]] = difference
    size = math.sqrt(float(np.sum(values**2)))
    return values / size if size else values


def _share(as_far: Mask, count: int) -> float:
    """Return the share of flips; beyond EXACT_TO pairs the observed signs count as one draw."""
    if count <= EXACT_TO:
        return float(np.mean(as_far))
    return float((np.sum(as_far) + 1) / (DRAWS + 1))


def page_wise(samples: Sequence[Sample]) -> list[float]:
    """Return p values of which those at most alpha are false at a rate of alpha, on average.

    The false discovery rate of Benjamini and Hochberg 1995, over one sign-flip test each. With
    hundreds of tests on a page, to exclude every false word would leave few true ones. Samples so
    small that they cannot be significant, whatever their signs, do not count among the tests of the
    others (Tarone 1990; Gilbert 2005), or a page of three seeds would silence seven.
    """
    if not samples:
        return []
    p_values = [sign_flip(list(sample.values())) for sample in samples]
    corrected = _false_discoveries(p_values)
    able = [place for place, sample in enumerate(samples) if _can_be_significant(sample)]
    among_able = _false_discoveries([p_values[place] for place in able]) if able else []
    for place, p in zip(able, among_able, strict=True):
        corrected[place] = p
    return corrected


def _false_discoveries(p_values: Sequence[float]) -> list[float]:
    return [float(p) for p in stats.false_discovery_control(p_values)]


def _can_be_significant(sample: Sample) -> bool:
    """Return whether a sign-flip test of these values, of some signs, reaches the level."""
    return sum(value != 0 for value in sample.values()) >= fewest_pairs(ALPHA)
