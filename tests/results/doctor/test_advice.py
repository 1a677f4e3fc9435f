"""Proves that rates are advised by how far steps moved weights, and what is tried after them."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.doctor.advice import (
    FARTHEST,
    HIGHEST_RATE,
    HIGHEST_RATES,
    RESCUER,
    rate_remedies,
    remedy_text,
    rounded_rate,
    scaled_rate,
)
from results.doctor.examined import ExaminedRun
from results.doctor.rules import findings as findings_of
from tests.results.doctor.test_rules import HEALTHY, VARIANT, changed, curve

SGD = {"optimizer": "sgd", "learning_rate": 0.01}


def test_a_rate_grows_by_what_the_ratio_lacks() -> None:
    """The ratio of SGD is proportional to its rate, so the rate advised has the ratio wanted."""
    assert scaled_rate(SGD, 1e-4, 3e-3) == 0.3
    assert scaled_rate(SGD, 0.03, 3e-3) == 0.001
    assert scaled_rate(SGD, 1e-9, 3e-3) == HIGHEST_RATES["sgd"]
    assert scaled_rate({"optimizer": "adam", "learning_rate": 1e-3}, 1e-5, 3e-3) == HIGHEST_RATE
    assert scaled_rate(SGD, 0.0, 3e-3) == HIGHEST_RATES["sgd"]


@given(st.floats(1e-9, 10), st.floats(0, 10), st.floats(1e-4, 1e-1))
def test_an_advised_rate_is_within_its_bounds(rate: float, seen: float, wanted: float) -> None:
    advised = scaled_rate({"optimizer": "sgd", "learning_rate": rate}, seen, wanted)
    assert 0 < advised <= HIGHEST_RATES["sgd"]
    assert advised <= rate * FARTHEST * 1.5
    assert advised >= min(rate / FARTHEST, 1.0) / 1.5


@given(st.floats(1e-12, 1e12))
def test_a_rounded_rate_has_one_digit(rate: float) -> None:
    assert math.isclose(rounded_rate(rate), rate, rel_tol=0.5)
    assert len(Decimal(repr(rounded_rate(rate))).normalize().as_tuple().digits) == 1


def test_the_optimizer_comes_after_rates() -> None:
    assert rate_remedies(SGD, [0.3, 0.01]) == [{"learning_rate": 0.3}, RESCUER]
    adam = {"optimizer": "adam", "learning_rate": 0.003}
    assert rate_remedies(adam, [0.001]) == [{"learning_rate": 0.001}]
    assert rate_remedies({**adam, "learning_rate": 0.3}, [0.003])[0] == {"learning_rate": 0.003}
    text = remedy_text(rate_remedies(SGD, [0.3]))
    assert text == "learning_rate=0.3; else optimizer=adam,learning_rate=0.003"


def found(points: list[dict[str, Any]], tagging: bool = False, **variant: Any) -> Any:
    health = changed(outputs={"commonest": 1.0, "commonest_wanted": 0.8}) if tagging else HEALTHY
    run = ExaminedRun(health, points, {**VARIANT, **variant}, "finished", tagging)
    (finding,) = findings_of(run)
    return finding


def test_small_and_large_steps_are_advised_by_their_ratio() -> None:
    low = found(curve(update_ratio=1e-5, loss=[3.0, 2.99, 2.98]), optimizer="sgd")
    assert (low.cause, low.remedy, low.others) == (
        "rate-too-low",
        {"learning_rate": 0.3},
        [RESCUER],
    )
    high = found(curve(update_ratio=0.3, loss=[3.0, 2.9, 2.8]), optimizer="adam", learning_rate=0.3)
    assert (high.cause, high.remedy) == ("rate-too-high", {"learning_rate": 0.01})


@pytest.mark.parametrize("losses", [[1.0, 0.5, 0.4], [0.4, 0.39, 0.39]])
def test_one_label_is_told_at_any_length_of_training(losses: list[float]) -> None:
    """A loss that still falls need not leave it: it falls to that of always the same label."""
    one = found(
        curve(loss=losses, update_ratio=3e-4), tagging=True, optimizer="sgd", learning_rate=0.1
    )
    assert (one.cause, one.remedy, one.others) == ("one-label", {"learning_rate": 1.0}, [RESCUER])
    early = ExaminedRun(
        changed(outputs={"commonest": 1.0, "commonest_wanted": 0.8}),
        curve(loss=losses, epoch=0)[:2],
        VARIANT,
        "finished",
        tagging=True,
    )
    assert findings_of(early) == []
