"""Proves when a curve counts as flat, as still rising, and when nothing can be said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.record import Record
from results.stats.flattening import (
    FEWEST_EVALUATIONS,
    FLATTENED,
    RISING,
    UNCLEAR,
    has_flattened,
    improvement,
    trend,
    trend_of,
)
from tests.records import failed, record


def curve(scores: list[float], losses: list[float] | None = None) -> list[dict[str, Any]]:
    """A curve of exact match; the validation loss stays at 1 unless it is given."""
    losses = losses or [1.0] * len(scores)
    return [
        {"step": 10 * place, "exact_match": score, "valid_loss": loss}
        for place, (score, loss) in enumerate(zip(scores, losses, strict=True), 1)
    ]


FLAT = [0.1, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8]
"""Two thirds of twelve evaluations."""


@pytest.mark.parametrize(
    ("last", "found"),
    [
        ([0.8, 0.8, 0.8, 0.8], FLATTENED),
        ([0.7, 0.8, 0.6, 0.809], FLATTENED),  # less than what matters
        ([0.7, 0.8, 0.6, 0.81], RISING),
        ([0.85, 0.7, 0.7, 0.7], RISING),  # its best is within the last third
        ([0.2, 0.2, 0.2, 0.2], FLATTENED),
    ],
)
def test_the_last_third_decides(last: list[float], found: str) -> None:
    assert trend(curve(FLAT + last), "exact_match") == found


@pytest.mark.parametrize(
    ("last", "found"), [([0.995, 0.991, 1.2, 1.0], FLATTENED), ([0.995, 0.99, 1.2, 1.0], RISING)]
)
def test_the_loss_may_still_fall(last: list[float], found: str) -> None:
    losses = [1.0] * 8 + last
    assert trend(curve([0.0] * 12, losses), "exact_match") == found


def test_a_score_at_its_bound_can_rise_no_further() -> None:
    """However far its loss still falls, and however few evaluations there are."""
    losses = [2.0**-place for place in range(12)]
    assert trend(curve([*FLAT, 0.9, 0.95, 0.98, 0.995], losses), "exact_match") == FLATTENED
    assert trend(curve([1.0]), "exact_match") == FLATTENED
    # one that may still get better by what matters is not there
    assert trend(curve([*FLAT, 0.9, 0.95, 0.98, 0.99], losses), "exact_match") == RISING
    errors = [{"character_error_rate": 0.005, "valid_loss": 1.0}]
    assert trend(errors, "character_error_rate") == FLATTENED


def test_lower_is_better_for_an_error_rate() -> None:
    falling = [{"token_error_rate": 0.9 - 0.05 * place, "valid_loss": 1.0} for place in range(12)]
    assert trend(falling, "token_error_rate") == RISING
    assert trend(falling[::-1], "token_error_rate") == FLATTENED


def test_bleu_has_a_margin_of_its_own() -> None:
    points = [{"bleu": 20.0 + 0.4 * (place == 11), "valid_loss": 1.0} for place in range(12)]
    assert trend(points, "bleu") == FLATTENED
    points[-1]["bleu"] = 20.5
    assert trend(points, "bleu") == RISING


@pytest.mark.parametrize(
    ("scores", "found"),
    [
        ([], UNCLEAR),
        ([0.5] * FEWEST_EVALUATIONS, UNCLEAR),
        ([0.5] * (FEWEST_EVALUATIONS + 1), FLATTENED),
        ([0.1, 0.2, 0.3, 0.4, 0.5], RISING),
        # better than the first, but not within the last third: four more could not be seen
        ([0.1, 0.5, 0.5, 0.5, 0.5], UNCLEAR),
    ],
)
def test_few_evaluations(scores: list[float], found: str) -> None:
    assert trend(curve(scores), "exact_match") == found


def test_values_that_are_not_finite_or_not_there_do_not_count() -> None:
    points = curve([*FLAT, 0.8, 0.8, 0.8, 0.8])
    points[-1]["valid_loss"] = points[-2]["exact_match"] = None
    assert trend(points, "exact_match") == FLATTENED
    assert trend([{"exact_match": 0.5}] * 12, "exact_match") == FLATTENED


def test_training_goes_on_until_a_third_is_long_enough() -> None:
    """A run that is flat by five evaluations has not trained for long."""
    assert not has_flattened(curve([0.5] * 11), "exact_match")
    assert has_flattened(curve([0.5] * 12), "exact_match")


@given(st.lists(st.floats(0.0, 0.9), min_size=1, max_size=40))
def test_any_curve_that_stays_as_it_is_flattens(scores: list[float]) -> None:
    """Half as many evaluations as there were make up the last third."""
    longer = scores + [scores[-1]] * max(-(-len(scores) // 2) + 1, FEWEST_EVALUATIONS)
    assert trend(curve(longer), "exact_match") == FLATTENED


@given(
    st.lists(st.floats(0.0, 0.5), min_size=FEWEST_EVALUATIONS, max_size=30), st.floats(0.01, 0.4)
)
def test_any_curve_whose_best_comes_last_still_rises(scores: list[float], gain: float) -> None:
    assert trend(curve([*scores, max(scores) + gain]), "exact_match") == RISING


def test_improvement_is_in_units_of_the_score_and_a_share_of_the_loss() -> None:
    found = improvement(curve([0.1, 0.4, 0.3, 0.6], [2.0, 1.0, 0.8, 0.9]), "exact_match", 2)
    assert found == pytest.approx((0.2, 0.2))


def test_runs() -> None:
    rising = record(0)
    points = curve([0.1 * place for place in range(8)])
    outcome = {**rising.outcome, "curve": points}
    assert trend_of(Record(rising.id, rising.spec, outcome, {})) == RISING
    # without its curve, what was read before
    light = {key: value for key, value in outcome.items() if key != "curve"}
    assert trend_of(Record(rising.id, rising.spec, light, {}, RISING)) == RISING
    assert trend_of(Record(rising.id, rising.spec, light, {})) is None
    # one that broke off is neither
    gone = {**outcome, "status": "diverged"}
    assert trend_of(Record(rising.id, rising.spec, gone, {})) is None
    assert trend_of(failed()) is None
