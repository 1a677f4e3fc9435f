"""Proves which word follows from evidence: from scores, from failures, and where they disagree."""

from __future__ import annotations

import numpy as np

from results.stats import families, inference
from results.stats.verdicts import (
    FAILS_LESS,
    FAILS_MORE,
    TIE_RATE,
    TOO_FEW,
    Evidence,
    Verdict,
    verdict,
)


def evidence(
    values: list[float], failures: list[float] | None = None, rate: float = 0.0
) -> Evidence:
    """Evidence of which no run failed, or of which these differences of failures are known."""
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    further = dict(enumerate(failures or []))
    typical = {seed: value for seed, value in enumerate(values) if not further.get(seed, 0.0)}
    return Evidence(typical, further, float(np.mean(values)), spread, len(values), rate)


def said(one: Evidence, margin: float = 0.01, interval_of: list[float] | None = None) -> Verdict:
    interval = inference.mean_interval(interval_of or list(one.typical.values()))
    return verdict(one, interval, families.family_wise(one.tested), margin)


def test_words() -> None:
    assert said(evidence([0.1, 0.12, 0.09, 0.11, 0.1, 0.13])) == ("better", 0, "")
    assert said(evidence([-0.1, -0.12, -0.09, -0.11, -0.1, -0.13])) == ("worse", 0, "")
    assert said(evidence([0.0, 0.001, -0.001, 0.0])) == ("tie", 0, "")
    # however clear, five pairs cannot say so
    word, more, why = said(evidence([0.1, 0.12, 0.09, 0.11, 0.1]))
    assert (word, why) == ("undecided", TOO_FEW)
    assert more is not None
    assert more >= 1
    word, more, why = said(evidence([0.3, -0.2, 0.1, 0.25, -0.1, 0.15, 0.2]))
    assert (word, why) == ("undecided", "")
    assert more is not None
    assert 5 < more < 60
    assert said(evidence([0.2])) == ("undecided", 5, TOO_FEW)
    # nothing between them that more seeds would show
    assert said(evidence([0.4, -0.4, 0.3, -0.3, 0.0, 0.0]), 1e-9).more is None


def test_a_tie_needs_seeds_that_exclude_failures() -> None:
    alike = [0.0, 0.001, -0.001, 0.0]
    assert said(evidence(alike, rate=TIE_RATE)).word == "tie"
    assert said(evidence(alike, rate=0.31)) == ("alike", 0, "")


def test_failures_decide_where_they_are_clear() -> None:
    """Six of eight runs of b failed, and none of a: whatever the others score."""
    values = [0.9] * 6 + [0.01, -0.02]
    for sign, word in ((1, "better"), (-1, "worse")):
        turned = [sign * value for value in values]
        failures = [sign * 1.0] * 6 + [0.0] * 2
        assert said(evidence(turned, failures), interval_of=turned).word == word


def test_scores_and_failures_that_disagree_are_undecided() -> None:
    """Better by 0.1 in eight seeds, and failed in two: over all of them it is behind."""
    values = lead = [0.1, 0.11, 0.09, 0.1, 0.12, 0.1, 0.1, 0.11, -0.9, -0.9]
    failures = [0.0] * 8 + [-1.0] * 2
    assert said(evidence(values, failures), interval_of=values) == ("undecided", None, FAILS_MORE)
    # a lead that failures do not outweigh is a lead
    values = [0.5, 0.51, 0.49, 0.5, 0.52, 0.5, 0.5, 0.51, 0.5, -0.3]
    assert said(evidence(values, [0.0] * 9 + [-1.0]), interval_of=values).word == "better"
    opposed = [-value for value in lead]
    opposite = evidence(opposed, [-value for value in failures])
    assert said(opposite, interval_of=opposed) == ("undecided", None, FAILS_LESS)
