"""Decides in one word what pairs of runs show: better, worse, a tie, alike, or undecided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from results.stats import inference
from results.stats.families import Sample
from results.stats.inference import ALPHA, Interval

TIE_RATE = 0.1
"""Failure rate that the seeds of a tie must exclude on both sides; 29 seeds without failure do."""
TOO_FEW = "too few seeds"
"""Reason for `undecided`: with so few seeds not even the largest difference is significant."""
FAILS_MORE = "better where it learns, but fails more often"
"""Reason for `undecided`: where a fails less it is worse than b, and the other way round."""
FAILS_LESS = "worse where both learn, but fails less often"
"""Reason for `undecided`, seen from the other side."""


class Verdict(NamedTuple):
    """States the outcome of a comparison.

    Attributes:
        word: better, worse, tie, alike or undecided. Sides are alike if no difference that matters
            was seen, but one of them may fail more often than the seeds could show.
        more: further pairs that would decide; 0 if it is decided, None if no reasonable number
            would.
        why: what prevents a decision, where there is more to say than the spread.
    """

    word: str
    more: int | None
    why: str


class Evidence(NamedTuple):
    """Holds what is tested about two sides; positive differences mean that a is better.

    Attributes:
        typical: differences of the seeds in which neither side failed.
        failures: how much more often b failed, by seed; empty if no run failed.
        mean: mean difference over all seeds.
        spread: standard deviation of the difference over all seeds.
        pairs: number of seeds.
        highest_rate: failure rate that cannot be excluded for one of the sides; 0 for what cannot
            fail.
    """

    typical: Sample
    failures: Sample
    mean: float
    spread: float
    pairs: int
    highest_rate: float

    @property
    def tested(self) -> list[Sample]:
        """The samples that are tested, each a member of the family."""
        return [self.typical, self.failures] if self.failures else [self.typical]


def verdict(
    evidence: Evidence,
    interval: Interval,
    p_values: Sequence[float],
    margin: float,
    own_alpha: float = ALPHA,
    alpha: float = ALPHA,
) -> Verdict:
    """Return the verdict on a comparison.

    Args:
        evidence: what was tested.
        interval: of the mean difference over all seeds; positive means better.
        p_values: one for each of the tested samples, corrected for the family.
        margin: the smallest difference that matters; an interval within it shows none.
        own_alpha: the level at which one among the family's comparisons works.
        alpha: the level of the family.
    """
    found = word(evidence, interval, p_values, margin, alpha)
    if found.word != "undecided" or found.why:
        return found
    return found._replace(more=_more(evidence, margin, own_alpha), why=_why(evidence))


def word(
    evidence: Evidence,
    interval: Interval,
    p_values: Sequence[float],
    margin: float,
    alpha: float = ALPHA,
) -> Verdict:
    """Return the verdict on a comparison, without the number of seeds that would decide it."""
    # first: a difference within the margin does not matter, however certain it is
    if -margin <= interval.low and interval.high <= margin:
        return Verdict("tie" if evidence.highest_rate <= TIE_RATE else "alike", 0, "")
    signs = [
        _sign(sample) for sample, p in zip(evidence.tested, p_values, strict=True) if p <= alpha
    ]
    return _directed(signs, evidence, interval) if signs else Verdict("undecided", None, "")


def _sign(sample: Sample) -> float:
    return float(np.sign(sum(sample.values())))


def _directed(signs: Sequence[float], evidence: Evidence, interval: Interval) -> Verdict:
    """Return the verdict where something is significant: the scores of runs, or their failures.

    Where one side is ahead in scores and the other fails less, the interval of the mean over all
    seeds must decide.
    """
    sign = signs[0]
    if _sign(evidence.typical) * _sign(evidence.failures) < 0:
        sign = float(interval.low > 0) - float(interval.high < 0)
    if sign:
        return Verdict("better" if sign > 0 else "worse", 0, "")
    return Verdict("undecided", None, FAILS_MORE if _sign(evidence.typical) > 0 else FAILS_LESS)


def _more(evidence: Evidence, margin: float, own_alpha: float) -> int | None:
    """Return the number of further pairs that would decide, if mean and spread stay."""
    if evidence.pairs < 2:
        return inference.fewest_pairs(ALPHA) - evidence.pairs
    total = inference.pairs_to_decide(evidence.mean, evidence.spread, margin, own_alpha)
    return None if total is None else max(total - evidence.pairs, 1)


def _why(evidence: Evidence) -> str:
    return TOO_FEW if evidence.pairs < inference.fewest_pairs(ALPHA) else ""
