"""Proves that products by oneDNN are those of torch, and that their gradients are too."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from variants.fast import matmul
from variants.fast.matmul import Linear, add_product, linear, product

LARGE = (130, 70, 500)
"""Rows, inner size and columns of a product that goes to oneDNN."""


def normal(seed: int, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def near(mine: Tensor, exact: Tensor) -> None:
    """float32 beside float64: the roundings of sums of at most a thousand terms."""
    torch.testing.assert_close(mine.double(), exact, rtol=1e-4, atol=1e-4)


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every product goes to oneDNN, where there is one."""
    monkeypatch.setattr(matmul, "_onednn_from", 0)


def test_large_ones_go_to_onednn_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matmul, "_onednn_from", 2**22)
    if matmul._ONEDNN is None:
        pytest.skip("this torch has no oneDNN")
    rows, inner, columns = LARGE
    assert rows * inner * columns >= 2**22
    left = normal(1, rows, inner)
    assert matmul._worth(left, columns)
    assert not matmul._worth(left.double(), columns)
    assert not matmul._worth(left[:1], columns)
    matmul.use_onednn_from(None)
    assert not matmul._worth(left, columns), "on a machine where oneDNN is never faster"


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 70), st.integers(1, 70), st.integers(1, 70)),
    turned=st.tuples(st.booleans(), st.booleans()),
    gaps=st.booleans(),
    biased=st.booleans(),
)
def test_any_shape_and_layout(
    sizes: tuple[int, int, int], turned: tuple[bool, bool], gaps: bool, biased: bool
) -> None:
    rows, inner, columns = sizes

    def matrix(seed: int, height: int, width: int, turn: bool) -> Tensor:
        if turn:
            return normal(seed, width, height).t()
        return (
            normal(seed, height, width + 3)[:, 1 : width + 1]
            if gaps
            else normal(seed, height, width)
        )

    left, right = matrix(1, rows, inner, turned[0]), matrix(2, columns, inner, turned[1])
    bias = normal(3, columns) if biased else None
    exact = left.double() @ right.double().t()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matmul, "_onednn_from", 0)
        near(product(left, right, bias), exact if bias is None else exact + bias)
        near(add_product(normal(4, columns), left, right), exact + normal(4, columns))


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("shape", [(5, 4), (3, 5, 4), (2, 3, 5, 4)])
@pytest.mark.parametrize("biased", [True, False])
def test_linear_and_its_gradients(shape: tuple[int, ...], biased: bool) -> None:
    inputs, weight = normal(1, *shape).requires_grad_(), normal(2, 6, 4).requires_grad_()
    bias = normal(3, 6).requires_grad_() if biased else None
    given = [part for part in (inputs, weight, bias) if part is not None]
    mine = linear(inputs, weight, bias)
    theirs = nn.functional.linear(*(part.double() for part in given))
    near(mine, theirs)
    factor = normal(4, *mine.shape)
    pairs = zip(
        torch.autograd.grad((mine * factor).sum(), given),
        torch.autograd.grad((theirs * factor).sum(), given),
        strict=True,
    )
    for ours, exact in pairs:
        near(ours, exact.double())


@pytest.mark.usefixtures("always")
def test_frozen_weights_get_no_gradient() -> None:
    layer = Linear(4, 6)
    layer.weight.requires_grad_(False)
    inputs = normal(1, 3, 4).requires_grad_()
    layer(inputs).sum().backward()
    assert layer.weight.grad is None
    assert inputs.grad is not None
    assert layer.bias.grad is not None


def test_gradcheck() -> None:
    """In float64 the door is closed, so the function behind it is called by name."""
    parts = [
        normal(seed, *shape, dtype=torch.float64).requires_grad_()
        for seed, shape in enumerate(((2, 3, 4), (5, 4), (5,)))
    ]
    assert torch.autograd.gradcheck(matmul._OneDNNLinear.apply, tuple(parts))
