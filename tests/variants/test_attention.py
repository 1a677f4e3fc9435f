"""Proves each attention against a loop over its paper's equation, and that padding weighs 0.

Scaled-dot and multihead also against torch's own; every attention passes gradcheck.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.small import close
from variants.attention import ATTENTIONS, Attention, Sizes

B, T, S, H, D = 3, 4, 5, 6, 7
LONGEST, HEADS, SPAN, START = 4, 2, 2, 1
LENGTHS = torch.tensor([5, 1, 3])
MASK = torch.arange(S) < LENGTHS[:, None]
Vector = list[float]


def dot(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def times(linear: Any, values: Vector) -> Vector:
    bias = [0.0] * linear.out_features if linear.bias is None else linear.bias.tolist()
    return [dot(row, values) + b for row, b in zip(linear.weight.tolist(), bias, strict=True)]


def softmax(scores: Vector) -> Vector:
    powers = [math.exp(score) for score in scores]
    return [power / sum(powers) for power in powers]


# Each gives the weights of one query over the real positions of one source. t: its step.


def additive(a: Any, query: Vector, memory: list[Vector], t: int) -> Vector:
    """Bahdanau et al. 2015, A.1.2: v . tanh(W s + U h)."""
    from_query = times(a.from_query, query)
    inner = [
        [math.tanh(sum(both)) for both in zip(from_query, times(a.from_memory, m), strict=True)]
        for m in memory
    ]
    return softmax([dot(a.v.weight[0].tolist(), hidden) for hidden in inner])


def concat(a: Any, query: Vector, memory: list[Vector], t: int) -> Vector:
    """Luong et al. 2015, section 3.1: v . tanh(W [h_t ; h_s])."""
    inner = [[math.tanh(value) for value in times(a.both, query + m)] for m in memory]
    return softmax([dot(a.v.weight[0].tolist(), hidden) for hidden in inner])


def general_scores(a: Any, query: Vector, memory: list[Vector]) -> Vector:
    """Luong et al. 2015, section 3.1: h_t . W h_s."""
    return [dot(query, times(a.from_memory, m)) for m in memory]


def general(a: Any, query: Vector, memory: list[Vector], t: int) -> Vector:
    return softmax(general_scores(a, query, memory))


def plain_dot(a: Any, query: Vector, memory: list[Vector], t: int) -> Vector:
    """Luong et al. 2015, section 3.1: h_t . h_s."""
    return softmax([dot(query, m) for m in memory])


def scaled(a: Any, query: Vector, memory: list[Vector], t: int) -> Vector:
    """Vaswani et al. 2017, eq. 1: q . k / sqrt(d_k)."""
    return softmax([dot(query, m) / math.sqrt(len(m)) for m in memory])


def location(a: Any, query: Vector, memory: list[Vector], t: int) -> Vector:
    """Luong et al. 2015, section 3.1, location: softmax(W h_t); nothing beyond the longest."""
    weights = softmax(times(a.to_positions, query)[: len(memory)])
    return weights + [0.0] * (len(memory) - len(weights))


def windowed(scores: Vector, middle: float) -> Vector:
    inside = [abs(s - middle) <= SPAN for s in range(len(scores))]
    kept = iter(softmax([score for score, kept in zip(scores, inside, strict=True) if kept]))
    return [next(kept) if kept_here else 0.0 for kept_here in inside]


def local_m(a: Any, query: Vector, memory: list[Vector], t: int) -> Vector:
    """Luong et al. 2015, section 3.2: p_t = t, here at most the last position."""
    return windowed(general_scores(a, query, memory), min(t, len(memory) - 1))


def local_p(a: Any, query: Vector, memory: list[Vector], t: int) -> Vector:
    """Luong et al. 2015, eq. 9 and 10, sigma = D / 2."""
    inner = [math.tanh(value) for value in times(a.to_place, query)]
    middle = len(memory) / (1 + math.exp(-dot(a.place.weight[0].tolist(), inner)))
    weights = windowed(general_scores(a, query, memory), middle)
    sigma = SPAN / 2
    return [w * math.exp(-((s - middle) ** 2) / (2 * sigma**2)) for s, w in enumerate(weights)]


def head_weights(a: Any, query: Vector, memory: list[Vector]) -> list[Vector]:
    size = H // HEADS
    q = times(a.from_query, query)
    keys = [times(a.from_memory, m) for m in memory]
    cuts = [slice(head * size, (head + 1) * size) for head in range(HEADS)]
    return [softmax([dot(q[cut], key[cut]) / math.sqrt(size) for key in keys]) for cut in cuts]


def multihead(a: Any, query: Vector, memory: list[Vector], t: int) -> Vector:
    """Vaswani et al. 2017, section 3.2.2; the mean over heads is what is shown."""
    heads = head_weights(a, query, memory)
    return [sum(column) / HEADS for column in zip(*heads, strict=True)]


EQUATIONS: dict[str, Callable[[Any, Vector, list[Vector], int], Vector]] = {
    "location": location,
    "additive": additive,
    "concat": concat,
    "dot": plain_dot,
    "scaled-dot": scaled,
    "general": general,
    "local-m": local_m,
    "local-p": local_p,
    "multihead": multihead,
}
every = pytest.mark.parametrize("name", EQUATIONS)


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def made(name: str) -> tuple[Attention, Tensor, Tensor]:
    """An attention with queries_BTH and memory_BSD; sizes differ where that is allowed."""
    kind = ATTENTIONS[name]
    assert kind is not None
    width = H if kind.same_size else D
    attention = kind(Sizes(H, width, LONGEST, HEADS, SPAN)).double()
    with torch.no_grad():
        for number, parameter in enumerate(attention.parameters()):
            parameter.copy_(normal(10 + number, *parameter.shape))
    return attention, normal(1, B, T, H), normal(2, B, S, width)


def test_every_attention_has_its_equation_here() -> None:
    assert {*EQUATIONS, "none"} == {*ATTENTIONS}


@every
@torch.no_grad()
def test_equals_the_equation(name: str) -> None:
    attention, queries, memory = made(name)
    contexts, weights = attention(queries, attention.remember(memory, MASK), START)
    assert contexts.shape == (B, T, attention.context)
    assert weights.shape == (B, T, S)
    for b in range(B):
        length = int(LENGTHS[b])
        source: list[Vector] = memory[b, :length].tolist()
        for t in range(T):
            query: Vector = queries[b, t].tolist()
            naive = EQUATIONS[name](attention, query, source, START + t)
            padded = naive + [0.0] * (S - length)
            close(weights[b, t], torch.tensor(padded, dtype=torch.float64))
            if name != "multihead":
                summed = [dot(naive, column) for column in zip(*source, strict=True)]
                close(contexts[b, t], torch.tensor(summed, dtype=torch.float64))


@torch.no_grad()
def test_multihead_contexts_equal_the_equation() -> None:
    attention, queries, memory = made("multihead")
    a: Any = attention
    contexts, _ = attention(queries, attention.remember(memory, MASK), 0)
    size = H // HEADS
    for b in range(B):
        source: list[Vector] = memory[b, : int(LENGTHS[b])].tolist()
        values = [times(a.to_values, m) for m in source]
        for t in range(T):
            heads = head_weights(a, queries[b, t].tolist(), source)
            joined = [dot(heads[k // size], [value[k] for value in values]) for k in range(H)]
            close(contexts[b, t], torch.tensor(times(a.join, joined), dtype=torch.float64))


@torch.no_grad()
def test_scaled_dot_equals_torch() -> None:
    attention, queries, memory = made("scaled-dot")
    contexts, _ = attention(queries, attention.remember(memory, MASK), 0)
    theirs = nn.functional.scaled_dot_product_attention(
        queries, memory, memory, attn_mask=MASK[:, None].expand(B, T, S)
    )
    close(contexts, theirs)


def test_multihead_equals_torch() -> None:
    attention, queries, memory = made("multihead")
    a: Any = attention
    theirs = nn.MultiheadAttention(H, HEADS, kdim=D, vdim=D, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        for mine, other in (
            (a.from_query.weight, theirs.q_proj_weight),
            (a.from_memory.weight, theirs.k_proj_weight),
            (a.to_values.weight, theirs.v_proj_weight),
            (a.join.weight, theirs.out_proj.weight),
            (a.join.bias, theirs.out_proj.bias),
        ):
            other.copy_(mine)
        parts = [a.from_query.bias, a.from_memory.bias, a.to_values.bias]
        theirs.in_proj_bias.copy_(torch.cat(parts))
    queries.requires_grad_()
    memory.requires_grad_()
    contexts, weights = attention(queries, attention.remember(memory, MASK), 0)
    other_contexts, other_weights = theirs(queries, memory, memory, key_padding_mask=~MASK)
    close(contexts, other_contexts)
    close(weights, other_weights)
    mixture = normal(5, *contexts.shape)
    for mine, other in zip(
        torch.autograd.grad((contexts * mixture).sum(), [queries, memory]),
        torch.autograd.grad((other_contexts * mixture).sum(), [queries, memory]),
        strict=True,
    ):
        close(mine, other)


@every
def test_padding_weighs_nothing(name: str) -> None:
    attention, queries, memory = made(name)
    contexts, weights = attention(queries, attention.remember(memory, MASK), START)
    assert (weights.masked_select(~MASK[:, None]) == 0).all()
    if name == "local-p":
        assert (weights.sum(-1) <= 1).all()
    else:
        close(weights.sum(-1), torch.ones(B, T, dtype=torch.float64))
    # what stands at padding is never seen
    other = torch.where(MASK[..., None], memory, torch.full_like(memory, 1e6))
    again, _ = attention(queries, attention.remember(other, MASK), START)
    close(again, contexts)


@every
def test_one_query_at_a_time(name: str) -> None:
    attention, queries, memory = made(name)
    read = attention.remember(memory, MASK)
    contexts, _ = attention(queries, read, START)
    steps = [attention(queries[:, t : t + 1], read, START + t)[0] for t in range(T)]
    close(contexts, torch.cat(steps, dim=1))


@every
def test_gradients_are_finite(name: str) -> None:
    """A mask of minus infinity must not come back as NaN, not even in a row of one position."""
    attention, queries, memory = made(name)
    queries.requires_grad_()
    memory.requires_grad_()
    contexts, _ = attention(queries, attention.remember(memory, MASK), 0)
    of = [queries, memory, *attention.parameters()]
    for gradient in torch.autograd.grad(contexts.square().sum(), of):
        assert gradient.isfinite().all()
        assert gradient.abs().sum() > 0


class Attending(nn.Module):
    """An attention with its memory, as a module."""

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, queries: Tensor, memory: Tensor) -> Tensor:
        contexts: Tensor = self.attention(queries, self.attention.remember(memory, MASK), 0)[0]
        return contexts


@every
def test_gradcheck(name: str) -> None:
    attention, queries, memory = made(name)
    named = {f"attention.{key}": value for key, value in attention.named_parameters()}

    def run(queries: Tensor, memory: Tensor, *weights: Tensor) -> Tensor:
        given = dict(zip(named, weights, strict=True))
        contexts: Tensor = torch.func.functional_call(
            Attending(attention), given, (queries, memory)
        )
        return contexts

    inputs = (queries.requires_grad_(), memory.requires_grad_(), *named.values())
    assert torch.autograd.gradcheck(run, inputs, atol=1e-6)


@pytest.mark.parametrize("name", ["dot", "scaled-dot"])
def test_dot_refuses_unlike_sizes(name: str) -> None:
    kind = ATTENTIONS[name]
    assert kind is not None
    with pytest.raises(AssertionError):
        kind(Sizes(H, D))
