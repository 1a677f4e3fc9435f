"""Proves each attention against a loop over its paper's equation, and that padding weighs 0."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.small import close
from variants.attention import ATTENTIONS, Additive, Attention, Dot, General, attend

B, T, S, H, D = 3, 4, 5, 6, 7
LENGTHS = torch.tensor([5, 1, 3])
MASK = torch.arange(S) < LENGTHS[:, None]


def additive(attention: Attention, query: Tensor, memory: Tensor) -> float:
    """Bahdanau et al. 2015, A.1.2: v . tanh(W s + U h)."""
    assert isinstance(attention, Additive)
    inner = attention.from_query.weight @ query + attention.from_memory.weight @ memory
    return float(attention.v.weight[0] @ torch.tanh(inner))


def general(attention: Attention, query: Tensor, memory: Tensor) -> float:
    """Luong et al. 2015, eq. 8: h_t . W h_s."""
    assert isinstance(attention, General)
    return float(query @ (attention.from_memory.weight @ memory))


def dot(attention: Attention, query: Tensor, memory: Tensor) -> float:
    """Luong et al. 2015, eq. 8: h_t . h_s."""
    return sum(float(q * m) for q, m in zip(query, memory, strict=True))


def scaled(attention: Attention, query: Tensor, memory: Tensor) -> float:
    """Vaswani et al. 2017, eq. 1: q . k / sqrt(d_k)."""
    return dot(attention, query, memory) / math.sqrt(len(memory))


EQUATIONS: dict[str, Callable[[Attention, Tensor, Tensor], float]] = {
    "additive": additive,
    "dot": dot,
    "scaled-dot": scaled,
    "general": general,
}


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def made(name: str) -> tuple[Attention, Tensor, Tensor]:
    """An attention with queries_BTH and memory_BSD; sizes differ where that is allowed."""
    kind = ATTENTIONS[name]
    assert kind is not None
    width = H if kind.same_size else D
    attention = kind(H, width).double()
    with torch.no_grad():
        for number, parameter in enumerate(attention.parameters()):
            parameter.copy_(normal(10 + number, *parameter.shape))
    return attention, normal(1, B, T, H), normal(2, B, S, width)


def test_every_attention_has_its_equation_here() -> None:
    assert {*EQUATIONS, "none"} == {*ATTENTIONS}


@pytest.mark.parametrize("name", EQUATIONS)
@torch.no_grad()
def test_equals_the_equation(name: str) -> None:
    attention, queries, memory = made(name)
    scores = attention.score(queries, attention.keys(memory))
    assert scores.shape == (B, T, S)
    contexts, weights = attend(attention, queries, attention.keys(memory), memory, MASK)
    for b in range(B):
        for t in range(T):
            length = int(LENGTHS[b])
            naive = [EQUATIONS[name](attention, queries[b, t], memory[b, s]) for s in range(S)]
            close(scores[b, t], torch.tensor(naive, dtype=torch.float64))
            total = sum(math.exp(score) for score in naive[:length])
            context = torch.zeros(memory.shape[-1], dtype=torch.float64)
            for s in range(length):
                share = math.exp(naive[s]) / total
                assert float(weights[b, t, s]) == pytest.approx(share, abs=1e-10)
                context += share * memory[b, s]
            close(contexts[b, t], context)


@pytest.mark.parametrize("name", EQUATIONS)
def test_padding_weighs_nothing(name: str) -> None:
    attention, queries, memory = made(name)
    keys = attention.keys(memory)
    contexts, weights = attend(attention, queries, keys, memory, MASK)
    assert (weights.masked_select(~MASK[:, None]) == 0).all()
    assert (weights.masked_select(MASK[:, None]) > 0).all()
    close(weights.sum(-1), torch.ones(B, T, dtype=torch.float64))
    # what stands at padding is never seen
    other = torch.where(MASK[..., None], memory, torch.full_like(memory, 1e6))
    again, _ = attend(attention, queries, attention.keys(other), other, MASK)
    close(again, contexts)


@pytest.mark.parametrize("name", EQUATIONS)
def test_gradients_are_finite(name: str) -> None:
    """A mask of minus infinity must not come back as NaN, not even in a row of one position."""
    attention, queries, memory = made(name)
    queries.requires_grad_()
    memory.requires_grad_()
    contexts, _ = attend(attention, queries, attention.keys(memory), memory, MASK)
    of = [queries, memory, *attention.parameters()]
    for gradient in torch.autograd.grad(contexts.square().sum(), of):
        assert gradient.isfinite().all()
        assert gradient.abs().sum() > 0


def test_dot_refuses_unlike_sizes() -> None:
    with pytest.raises(AssertionError):
        Dot(H, D)
