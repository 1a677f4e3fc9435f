"""Proves that the learning rate rises, stays and falls as its schedules say."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from variants.schedules.learning_rates import RATE_SCHEDULES, factor

counts = st.integers(0, 10**6)


@given(st.sampled_from(list(RATE_SCHEDULES)), counts, st.integers(1, 10**6), counts)
def test_within_0_and_1(schedule: str, step: int, steps: int, warmup: int) -> None:
    assert 0.0 <= factor(schedule, step, steps, warmup) <= 1.0


@given(st.sampled_from(list(RATE_SCHEDULES)), st.integers(1, 10**5), st.integers(1, 10**6))
def test_warms_up_in_a_straight_line(schedule: str, warmup: int, steps: int) -> None:
    for step in {0, warmup // 2, warmup - 1}:
        assert factor(schedule, step, steps, warmup) == (step + 1) / warmup
    assert factor(schedule, warmup - 1, steps, warmup) == 1.0


@given(st.sampled_from(list(RATE_SCHEDULES)), counts, counts, st.integers(1, 10**6), counts)
def test_never_rises_after_the_warm_up(
    schedule: str, one: int, other: int, steps: int, warmup: int
) -> None:
    early, late = sorted((warmup + one, warmup + other))
    assert factor(schedule, early, steps, warmup) >= factor(schedule, late, steps, warmup)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_arrives_at_zero_and_stays(schedule: str) -> None:
    assert factor(schedule, 0, 100, 0) == 1.0
    assert factor(schedule, 60, 100, 20) == pytest.approx(0.5)
    for step in (100, 101, 10**9):
        assert factor(schedule, step, 100, 20) == pytest.approx(0.0, abs=1e-15)


@given(st.integers(0, 200))
def test_cosine_equals_torchs(step: int) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=200)
    assert theirs.base_lrs == [1.0]
    expected = 0.5 * (1 + math.cos(math.pi * step / 200))
    assert factor("cosine", step, 200, 0) == pytest.approx(expected)


def test_inverse_sqrt_is_its_equation() -> None:
    """Vaswani et al. 2017, eq. 3: min(n^-1/2, n w^-3/2), divided by its peak w^-1/2."""
    w = 40
    for step in (0, 10, 39, 40, 41, 4000):
        n = step + 1
        expected = min(n**-0.5, n * w**-1.5) / w**-0.5
        assert factor("inverse-sqrt", step, 1000, w) == pytest.approx(expected)
