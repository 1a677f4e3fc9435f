"""Proves that the reference is fed as often as each schedule says, by the coin that it names."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from variants.schedules.forcing import COINS, DECAYING, SCHEDULES, probability, toss

steps_of_schedule = st.integers(1, 10**9)
training_steps = st.integers(0, 10**9)
rates = st.floats(0.0, 1.0)


def tossed(p: float, coin: str, batch: int, steps: int, seed: int = 0) -> torch.Tensor:
    fed = toss(p, coin, batch, steps, torch.Generator().manual_seed(seed))
    assert fed is not None
    assert fed.shape == (batch, steps)
    assert fed.dtype == torch.bool
    return fed


@given(st.sampled_from(list(SCHEDULES)), training_steps, rates, steps_of_schedule)
def test_within_0_and_1(schedule: str, step: int, rate: float, steps: int) -> None:
    assert 0.0 <= probability(schedule, step, rate, steps) <= 1.0


@given(st.sampled_from(DECAYING), training_steps, training_steps, steps_of_schedule)
def test_never_rises(schedule: str, one: int, other: int, steps: int) -> None:
    early, late = sorted((one, other))
    first, then = (probability(schedule, step, 0.5, steps) for step in (early, late))
    assert first >= then


@given(steps_of_schedule)
def test_linear_arrives(steps: int) -> None:
    assert probability("linear", 0, 0.5, steps) == 1.0
    assert probability("linear", steps, 0.5, steps) == 0.0
    assert probability("linear", steps - 1, 0.5, steps) == pytest.approx(1 / steps, abs=1e-12)
    assert probability("linear", 10**9, 0.5, steps) == 0.0


@given(steps_of_schedule)
def test_inverse_sigmoid_is_half_way(steps: int) -> None:
    assert probability("inverse-sigmoid", steps, 0.5, steps) == pytest.approx(0.5, abs=1e-6)


@given(st.integers(1, 10**6), st.integers(0, 10**6))
def test_exponential_is_its_equation(steps: int, step: int) -> None:
    """Bengio et al. 2015, section 2.4: k^i; k is such that p is one half at i = steps."""
    k = math.exp(math.log(0.5) / steps)
    expected = math.exp(step * math.log(k))
    assert probability("exponential", step, 0.5, steps) == pytest.approx(expected, abs=1e-6)
    assert probability("exponential", steps, 0.5, steps) == 0.5


@given(st.integers(2, 10**6), st.integers(0, 10**6))
def test_inverse_sigmoid_is_its_equation(steps: int, step: int) -> None:
    """Bengio et al. 2015, section 2.4: k / (k + exp(i / k)); k by bisection here."""
    low, high = 1.0, 10.0**6
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if middle * math.log(middle) < steps else (low, middle)
    expected = low / (low + math.exp(min(step / low, 700.0)))
    assert probability("inverse-sigmoid", step, 0.5, steps) == pytest.approx(expected, abs=1e-6)


@given(training_steps, rates, steps_of_schedule)
def test_constant_ones(step: int, rate: float, steps: int) -> None:
    assert probability("always", step, rate, steps) == 1.0
    assert probability("never", step, rate, steps) == 0.0
    assert probability("constant", step, rate, steps) == rate


def test_unknown_schedule_is_refused() -> None:
    with pytest.raises(KeyError):
        probability("linaer", 0, 0.5, 10)


@pytest.mark.parametrize("coin", COINS)
@pytest.mark.parametrize("schedule", [name for name in SCHEDULES if name != "always"])
@given(step=st.integers(1, 600), rate=st.floats(0.01, 0.99), seed=st.integers(0, 2**32))
def test_share_is_the_schedules(
    schedule: str, coin: str, step: int, rate: float, seed: int
) -> None:
    p = probability(schedule, step, rate, 300)
    batch, steps = {"token": (50, 40), "step": (2, 2000), "sequence": (2000, 2)}[coin]
    fed = tossed(p, coin, batch, steps, seed)
    # six standard deviations of a share of 2,000 independent tosses
    bound = 6 * (p * (1 - p) / 2000) ** 0.5
    assert fed.double().mean().item() == pytest.approx(p, abs=bound)


@pytest.mark.parametrize("coin", COINS)
def test_what_shares_a_toss(coin: str) -> None:
    fed = tossed(0.5, coin, 30, 20)
    rows_alike = bool((fed == fed[:1]).all())
    steps_alike = bool((fed == fed[:, :1]).all())
    assert (rows_alike, steps_alike) == {
        "token": (False, False),
        "step": (True, False),
        "sequence": (False, True),
    }[coin]
    assert fed.any()
    assert not fed.all()


@pytest.mark.parametrize("coin", COINS)
def test_ends_of_the_scale(coin: str) -> None:
    generator = torch.Generator().manual_seed(0)
    assert toss(1.0, coin, 3, 4, generator) is None
    unmoved = torch.Generator().manual_seed(0).get_state()
    assert torch.equal(generator.get_state(), unmoved), "tossed for nothing"
    assert not tossed(0.0, coin, 30, 40).any()


@pytest.mark.parametrize("coin", COINS)
def test_follows_its_generator(coin: str) -> None:
    assert torch.equal(tossed(0.5, coin, 20, 20), tossed(0.5, coin, 20, 20))
    assert not torch.equal(tossed(0.5, coin, 20, 20), tossed(0.5, coin, 20, 20, seed=1))
