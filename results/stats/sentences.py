"""Tells two sources of chance in a difference of scores apart: seeds, and the sentences of test.

A difference over S seeds and N sentences may be chance in two ways. Models trained with other
seeds would differ otherwise, and so would the same models on other sentences. The first is what
`inference` tests. The second is the paired bootstrap over sentences at fixed runs (Koehn 2004, as
in sacrebleu). Both together resample seeds and sentences, each independently (the pigeonhole
bootstrap of Owen 2007).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from results.stats import aggregates
from results.stats.inference import ALPHA, Values

RESAMPLINGS = 1000
"""Number of samples of sentences that are drawn, sacrebleu's own."""
SACREBLEU_SEED = 12345
"""Seed of the samples, sacrebleu's own, so that its `--paired-bs` gives the same p value."""

CountsOfRun = npt.NDArray[np.int64] | Values
"""Counts of one run's outputs (N, K); whole numbers, but for means over references."""


class Chance(NamedTuple):
    """States what one source of chance leaves of an effect.

    low, high: bounds of 95 %; None where one seed says nothing. p: two-sided; None likewise.
    """

    low: float | None
    high: float | None
    p: float | None


class OverSentences(NamedTuple):
    """States an effect and what chance in sentences, and in both, leaves of it.

    effect: mean over seeds of the differences of scores. sentences: at fixed runs. both: other
    seeds and other sentences.
    """

    effect: float
    examples: int
    seeds: int
    sentences: Chance
    both: Chance


def over_sentences(
    name: str, ours: Sequence[CountsOfRun], theirs: Sequence[CountsOfRun]
) -> OverSentences:
    """Return what sentences, and seeds with sentences, leave of the difference of two variants.

    Args:
        name: the score.
        ours: counts of the runs of a, one for each of S seeds, all of the same N examples.
        theirs: those of b with the same seeds, in the same order.
    """
    observed = np.array([_difference(name, a, b) for a, b in zip(ours, theirs, strict=True)])
    examples, seeds = len(ours[0]), len(observed)
    drawn_RS = resampled_differences(name, ours, theirs)
    effect = float(observed.mean())
    return OverSentences(
        effect,
        examples,
        seeds,
        _at_fixed_runs(drawn_RS.mean(axis=1), effect),
        _over_both(drawn_RS, observed, examples),
    )


def _difference(name: str, a_NK: CountsOfRun, b_NK: CountsOfRun) -> float:
    sums = np.stack([a_NK.sum(axis=0), b_NK.sum(axis=0)])
    ours, theirs = aggregates.scores(name, sums)
    return float(ours - theirs)


def resampled_differences(
    name: str, ours: Sequence[CountsOfRun], theirs: Sequence[CountsOfRun]
) -> Values:
    """Return a minus b (R, S) on R samples of the sentences, the same for all runs."""
    times_RN = _times_drawn(len(ours[0]))
    columns = []
    for a, b in zip(ours, theirs, strict=True):
        # sums of the counts of each sample's sentences, of which some are in it several times
        sides = [aggregates.scores(name, times_RN @ counts) for counts in (a, b)]
        columns.append(sides[0] - sides[1])
    return np.stack(columns, axis=1)


def _times_drawn(examples: int) -> Values:
    """Return how often each sentence is in each sample (R, N), which are drawn as by sacrebleu."""
    chosen_RN = np.random.default_rng(SACREBLEU_SEED).choice(
        examples, size=(RESAMPLINGS, examples), replace=True
    )
    places = chosen_RN + np.arange(RESAMPLINGS)[:, None] * examples
    counted = np.bincount(places.ravel(), minlength=RESAMPLINGS * examples)
    return counted.reshape(RESAMPLINGS, examples).astype(float)


def _at_fixed_runs(drawn_R: Values, effect: float) -> Chance:
    """Return the paired bootstrap's percentile interval, and sacrebleu's p value.

    Where no sample differs, as between two models that solve a task, the p value is 1: sacrebleu's
    own would be the least that there is, and read as a sure difference.
    """
    low, high = np.quantile(drawn_R, [ALPHA / 2, 1 - ALPHA / 2])
    distances = np.abs(drawn_R)
    if not distances.any():
        return Chance(0.0, 0.0, 1.0)
    beyond = int(np.sum(distances - distances.mean() > abs(effect)))
    return Chance(float(low), float(high), (beyond + 1) / (len(drawn_R) + 1))


def _over_both(drawn_RS: Values, observed: Values, examples: int) -> Chance:
    """Return a t interval and p value whose spread is that of samples of seeds and sentences.

    Samples of few seeds spread too little, by a factor of sqrt((S - 1) / S), which is made up for.
    Degrees of freedom are Satterthwaite's, from the spread of seeds and that of sentences.
    """
    seeds = len(observed)
    if seeds < 2:
        return Chance(None, None, None)
    chance = np.random.default_rng(SACREBLEU_SEED)
    picked_RS = chance.integers(0, seeds, size=drawn_RS.shape)
    means_R = drawn_RS.mean(axis=1)
    of_seeds_R = np.take_along_axis(drawn_RS, picked_RS, axis=1).mean(axis=1) - means_R
    draws_R = means_R + of_seeds_R * math.sqrt(seeds / (seeds - 1))
    error = float(draws_R.std(ddof=1))
    effect = float(observed.mean())
    if error == 0:
        return Chance(effect, effect, 1.0 if effect == 0 else 0.0)
    by_seeds, by_sentences = float(of_seeds_R.var()), float(means_R.var())
    freedom = (by_seeds + by_sentences) ** 2 / (
        by_seeds**2 / (seeds - 1) + by_sentences**2 / max(examples - 1, 1)
    )
    half = float(stats.t.ppf(1 - ALPHA / 2, freedom)) * error
    p = float(2 * stats.t.sf(abs(effect) / error, freedom))
    return Chance(effect - half, effect + half, p)
