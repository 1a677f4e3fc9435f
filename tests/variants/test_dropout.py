"""Proves that dropout drops at its rate, keeps the mean, and is off exactly where it should be."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from variants.dropout import apply, mask

LIKE = torch.zeros((), dtype=torch.float64)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(rate=st.floats(0.01, 0.95), seed=st.integers(0, 2**32))
def test_rate_and_scale(rate: float, seed: int) -> None:
    drawn = mask((100, 200), rate, generator(seed), LIKE)
    assert drawn is not None
    dropped = (drawn == 0).double().mean().item()
    # six standard deviations of a share of 20,000 tosses
    bound = 6 * (rate * (1 - rate) / drawn.numel()) ** 0.5
    assert dropped == pytest.approx(rate, abs=bound)
    kept = drawn[drawn != 0]
    assert torch.allclose(kept, torch.full_like(kept, 1 / (1 - rate)))
    # so that the mean of what is masked is preserved
    assert drawn.mean().item() == pytest.approx(1.0, abs=bound / (1 - rate))


def test_nothing_to_drop() -> None:
    assert mask((2, 3), 0.5, None, LIKE) is None
    before = generator()
    assert mask((2, 3), 0.0, before, LIKE) is None
    assert torch.equal(before.get_state(), generator().get_state()), "drew for nothing"
    values = torch.ones(2, 3)
    assert apply(values, None) is values


def test_applied_elementwise() -> None:
    drawn = mask((3, 4), 0.5, generator(), LIKE)
    assert drawn is not None
    values = torch.arange(12, dtype=torch.float64).reshape(3, 4)
    assert torch.equal(apply(values, drawn), values * drawn)
    assert set(drawn.flatten().tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_follows_its_generator_and_type(dtype: torch.dtype) -> None:
    like = torch.zeros((), dtype=dtype)
    first, same = (mask((9, 9), 0.5, generator(1), like) for _ in range(2))
    other = mask((9, 9), 0.5, generator(2), like)
    assert first is not None
    assert same is not None
    assert other is not None
    assert first.dtype == dtype
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
