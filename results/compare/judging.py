"""Judges pairs of runs: effects with intervals, corrected tests, and verdicts, as plain rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypedDict

import numpy as np

from results import metrics
from results.compare.pairs import Compared, Head, Pairs
from results.stats import censored, failures, families, inference, verdicts
from results.stats.families import Sample
from results.stats.inference import ALPHA, Interval, Mask, Values
from results.stats.verdicts import Evidence, Verdict

NEITHER = "neither reached the target score"
"""Reason for `undecided`: no run of either side reached the target."""


class Judgement(TypedDict):
    """States what pairs show; all values are None if the pairs cannot be compared."""

    a_mean: float | None
    b_mean: float | None
    effect: float | None
    low: float | None
    high: float | None
    interval: str | None
    open: str
    """Where an effect or bound is not known, as runs never reached the target: `below`, `above`
    or `both` say on which side of `effect` the true one may lie."""
    p: float | None
    p_adjusted: float | None
    detectable: float | None
    verdict: str | None
    more_seeds: int | None
    why: str


class ComparisonRow(Head, Judgement):
    """States the effect of one measure; `bench compare --json` prints these rows."""

    measure: str
    pairs: int
    unpaired: int
    trained_beside: int
    core_share: float | None
    contexts: int
    censored_a: int
    censored_b: int
    failed_a: int
    failed_b: int
    rate_excluded: float | None
    """Failure rate above which is excluded for both sides; None for what cannot fail."""
    rising_a: int
    rising_b: int
    """Number of runs that still rose when training ended, where scores are compared."""
    settled: bool
    """True if both sides are known to have flattened: at most a quarter of their runs still rose,
    and those that broke off will not rise."""
    ratio: bool
    margin: float
    family: int
    over_page: bool
    """True if the verdict is corrected over all axes; else within one axis or question."""
    refused: str


class Weighed(NamedTuple):
    """Holds what is tested of a comparison, with the interval of its effect as a better than b."""

    evidence: Evidence
    interval: Interval
    open: str
    failed: tuple[int, int]


def judged(found: Sequence[Compared]) -> list[ComparisonRow]:
    """Return a row with a verdict for each of these, in their order.

    All that compare one measure in one task and setting are a family, tested together: a false
    word is in it with probability ALPHA at most.
    """
    return _judged(found, _table, families.family_wise)


def judged_as_page(found: Sequence[Compared]) -> list[ComparisonRow]:
    """Return a row with a verdict for each of these, of whose words a share of ALPHA is false.

    All that compare scores are one page, and all that compare one cost.
    """
    rows = _judged(found, _page, families.page_wise)
    return [{**row, "over_page": True} for row in rows]


def _table(compared: Compared) -> tuple[str, ...]:
    return compared.head["task"], compared.head["setting"], compared.pairs.measure.key


def _page(compared: Compared) -> tuple[str, ...]:
    measure = compared.pairs.measure
    return (measure.key if measure.ratio else "score",)


def _judged(
    found: Sequence[Compared],
    family_of: Callable[[Compared], tuple[str, ...]],
    correct: Callable[[Sequence[Sample]], list[float]],
) -> list[ComparisonRow]:
    """Return a row for each of these. family_of: those of which it is the same are corrected as
    one family, by `correct`."""
    rows = {
        place: _row(compared, _no_judgement(), None, 0)
        for place, compared in enumerate(found)
        if compared.pairs.refused
    }
    # what was not tested must not make the correction of others stricter
    by_family: dict[tuple[str, ...], list[int]] = {}
    for place in range(len(found)):
        if place not in rows:
            by_family.setdefault(family_of(found[place]), []).append(place)
    for tested in by_family.values():
        weighed = {place: weigh(found[place].pairs) for place in tested}
        corrected = _corrected([weighed[place].evidence for place in tested], correct)
        own_alpha = _own_alpha(corrected, correct is families.page_wise)
        for place, p_values in zip(tested, corrected, strict=True):
            judgement = _judgement(found[place].pairs, weighed[place], p_values, own_alpha)
            rows[place] = _row(found[place], judgement, weighed[place], len(tested))
    return [rows[place] for place in range(len(found))]


def _corrected(
    evidence: Sequence[Evidence], correct: Callable[[Sequence[Sample]], list[float]]
) -> list[list[float]]:
    """Return the corrected p values of each comparison's samples."""
    p_values = iter(correct([sample for one in evidence for sample in one.tested]))
    return [[next(p_values) for _ in one.tested] for one in evidence]


def _own_alpha(corrected: Sequence[Sequence[float]], over_page: bool) -> float:
    """Return the level at which one further test of a family or page would be significant."""
    count = max(1, sum(map(len, corrected)))
    if not over_page:
        return ALPHA / count
    rejected = sum(p <= ALPHA for p_values in corrected for p in p_values)
    return ALPHA * min(1.0, (rejected + 1) / count)


def _row(
    compared: Compared, judgement: Judgement, weighed: Weighed | None, family: int
) -> ComparisonRow:
    head, pairs = compared
    failed = weighed.failed if weighed else (0, 0)
    rate = weighed.evidence.highest_rate if weighed else 0.0
    return {
        **head,
        "measure": pairs.measure.key,
        "pairs": len(pairs.values_NC2),
        "unpaired": pairs.unpaired,
        "trained_beside": pairs.concurrent,
        "core_share": pairs.core_share,
        "contexts": pairs.values_NC2.shape[1],
        "censored_a": pairs.censored[0],
        "censored_b": pairs.censored[1],
        "failed_a": failed[0],
        "failed_b": failed[1],
        "rate_excluded": rate or None,
        "rising_a": pairs.rising[0],
        "rising_b": pairs.rising[1],
        "settled": pairs.settled,
        "ratio": pairs.measure.ratio,
        "margin": pairs.measure.margin,
        "family": family,
        "over_page": False,
        "refused": pairs.refused,
        **judgement,
    }


def _no_judgement() -> Judgement:
    return {
        "a_mean": None,
        "b_mean": None,
        "effect": None,
        "low": None,
        "high": None,
        "interval": None,
        "open": "",
        "p": None,
        "p_adjusted": None,
        "detectable": None,
        "verdict": None,
        "more_seeds": None,
        "why": "",
    }


def _judgement(
    pairs: Pairs, weighed: Weighed, p_values: Sequence[float], own_alpha: float
) -> Judgement:
    evidence, (estimate, low, high, kind) = weighed.evidence, weighed.interval
    # the verdict is asked for "more is better", the row has the sign of a minus b
    if not pairs.measure.higher:
        estimate, low, high = -estimate, -high, -low
    # an interval of a mean may reach beyond what a difference of two shares can be; error rates
    # may be above 1 themselves
    most = 1.0 if metrics.is_share(pairs.measure.key) and pairs.measure.higher else math.inf
    found = verdict_at(pairs, weighed, p_values, own_alpha)
    detectable = inference.detectable(evidence.spread, evidence.pairs, own_alpha)
    return {
        "a_mean": _side(pairs, 0),
        "b_mean": _side(pairs, 1),
        "effect": _finite(estimate),
        "low": _finite(max(low, -most) if np.isfinite(low) else low),
        "high": _finite(min(high, most) if np.isfinite(high) else high),
        "interval": kind,
        "open": weighed.open,
        "p": min(inference.sign_flip(list(sample.values())) for sample in evidence.tested),
        "p_adjusted": min(p_values),
        "detectable": _finite(detectable),
        "verdict": found.word,
        "more_seeds": found.more,
        "why": found.why,
    }


def verdict_at(
    pairs: Pairs,
    weighed: Weighed,
    p_values: Sequence[float],
    own_alpha: float = ALPHA,
    alpha: float = ALPHA,
) -> Verdict:
    """Return the verdict on pairs whose evidence was tested."""
    # if nobody reached the target, the values are all the budget: a tie that means nothing
    if _may_be_unreached(pairs) and pairs.censored_NC2.all():
        return Verdict("undecided", None, NEITHER)
    evidence, interval, *_ = weighed
    return verdicts.verdict(evidence, interval, p_values, pairs.measure.margin, own_alpha, alpha)


def _may_be_unreached(pairs: Pairs) -> bool:
    return pairs.measure.key.endswith("to_target")


def _side(pairs: Pairs, side: int) -> float | None:
    """Return the mean of a side; of costs to a target that not all reached, the median, or None."""
    values, censored = pairs.values_NC2[..., side], pairs.censored_NC2[..., side]
    if not _may_be_unreached(pairs) or not pairs.censored_NC2.any():
        return float(values.mean())
    # as in the tables of all runs: never is later than any, and the upper middle run counts
    return _finite(float(np.median(np.where(censored, np.inf, values))))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


# what is tested


def weigh(pairs: Pairs, alpha: float = ALPHA) -> Weighed:
    """Return the evidence in pairs, and the interval of the effect at a level."""
    if _may_be_unreached(pairs):
        return _weigh_cost_to_target(pairs, alpha)
    sign = 1.0 if pairs.measure.higher else -1.0
    differences = sign * pairs.differences
    interval = inference.mean_interval(differences, alpha)
    if pairs.measure.ratio:
        evidence = _evidence(pairs, differences, pairs.sample(differences), {}, 0.0)
        return Weighed(evidence, interval, "", (0, 0))
    failed = _failed(pairs)
    without: Mask = np.logical_not(failed.any(axis=(1, 2)))
    # how much more often b failed than a, by seed
    further = (failed[..., 1].astype(float) - failed[..., 0]).mean(axis=1)
    samples = (
        pairs.sample(differences, without),
        pairs.sample(further) if failed.any() else {},
    )
    evidence = _evidence(pairs, differences, *samples, _highest_rate(failed))
    return Weighed(evidence, interval, "", (int(failed[..., 0].sum()), int(failed[..., 1].sum())))


def _evidence(
    pairs: Pairs, differences: Values, typical: Sample, further: Sample, rate: float
) -> Evidence:
    spread = float(differences.std(ddof=1)) if len(differences) > 1 else math.nan
    return Evidence(typical, further, float(differences.mean()), spread, len(differences), rate)


def _failed(pairs: Pairs) -> Mask:
    """Return which runs failed, by seed, context and side; scores without a lowest value: none."""
    values = pairs.values_NC2
    if not pairs.measure.higher or values.min(initial=0.0) < 0:
        return pairs.censored_NC2
    contexts = range(values.shape[1])
    # what a score is worth depends on the context
    found = [failures.failed(values[:, place], pairs.measure.margin) for place in contexts]
    return np.stack(found, axis=1)


def _highest_rate(failed: Mask) -> float:
    """Return the failure rate that cannot be excluded for one of two sides."""
    by_side = failed.any(axis=1).sum(axis=0)
    return max(failures.highest_rate(int(count), len(failed)) for count in by_side)


def _weigh_cost_to_target(pairs: Pairs, alpha: float) -> Weighed:
    """Weigh costs to a target: their mean ratio, or the median one if not all runs got there."""
    censored_NC2 = pairs.censored_NC2
    rate = _highest_rate(censored_NC2)
    if not censored_NC2.any():
        differences = -pairs.differences
        evidence = _evidence(pairs, differences, pairs.sample(differences), {}, rate)
        return Weighed(evidence, inference.mean_interval(differences, alpha), "", (0, 0))
    known = censored.bounds(pairs.values_NC2, censored_NC2)
    median = censored.median_bounds(known)
    # which one got there first; the order of two that never did is not known
    signs = -known.signs
    sample = pairs.sample(signs)
    evidence = Evidence(sample, {}, float(signs.mean()), math.inf, len(signs), rate)
    # as a better than b: the other way round, since less cost is better
    estimate = -_known_end(median.least, median.most)
    interval = Interval(estimate, -median.high, -median.low, "order statistics")
    return Weighed(evidence, interval, _open(median.least, median.most), pairs.censored)


def _known_end(least: float, most: float) -> float:
    """Return the end of a range that is known; NaN if none is."""
    if np.isfinite(most):
        return most
    return least if np.isfinite(least) else math.nan


def _open(least: float, most: float) -> str:
    if np.isfinite(least) and np.isfinite(most):
        return ""
    return "below" if np.isfinite(most) else "above" if np.isfinite(least) else "both"
