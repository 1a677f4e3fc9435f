"""Attention is found however its weights are made of scores."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.watching.watch import Watch
from results.doctor.watched.attention import WeightsSeen

B, J, H, V = 6, 5, 8, 9

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Returns the context (B, H) of a state (B, H), encoder outputs (B, J, H) and a mask (B, J)."""


def scores_of(state_BH: Tensor, memory_BJH: Tensor) -> Tensor:
    scores_BJ: Tensor = torch.einsum("bh,bjh->bj", state_BH, memory_BJH)
    return scores_BJ / math.sqrt(H)


def called(state_BH: Tensor, memory_BJH: Tensor, mask_BJ: Tensor) -> Tensor:
    scores_BJ = scores_of(state_BH, memory_BJH).masked_fill(~mask_BJ, -1e9)
    return torch.einsum("bj,bjh->bh", F.softmax(scores_BJ, dim=1), memory_BJH)


def written_out(state_BH: Tensor, memory_BJH: Tensor, mask_BJ: Tensor) -> Tensor:
    scores_BJ = scores_of(state_BH, memory_BJH).masked_fill(~mask_BJ, -1e9)
    raised_BJ = torch.exp(scores_BJ - scores_BJ.max(1, keepdim=True).values)
    weights_BJ = raised_BJ / raised_BJ.sum(1, keepdim=True)
    return torch.einsum("bj,bjh->bh", weights_BJ, memory_BJH)


def masked_afterwards(state_BH: Tensor, memory_BJH: Tensor, mask_BJ: Tensor) -> Tensor:
    raised_BJ = scores_of(state_BH, memory_BJH).exp() * mask_BJ
    weights_BJ = raised_BJ / (raised_BJ.sum(1, keepdim=True) + 1e-9)
    return torch.einsum("bj,bjh->bh", weights_BJ, memory_BJH)


def renewed(state_BH: Tensor, memory_BJH: Tensor, mask_BJ: Tensor) -> Tensor:
    weights_BJ = F.softmax(scores_of(state_BH, memory_BJH), dim=1) * mask_BJ.float()
    weights_BJ = weights_BJ / weights_BJ.sum(1, keepdim=True)
    return torch.einsum("bj,bjh->bh", weights_BJ, memory_BJH)


def masked_and_left(state_BH: Tensor, memory_BJH: Tensor, mask_BJ: Tensor) -> Tensor:
    weights_BJ = F.softmax(scores_of(state_BH, memory_BJH), dim=1) * mask_BJ.float()
    return torch.einsum("bj,bjh->bh", weights_BJ, memory_BJH)


def as_a_whole(state_BH: Tensor, memory_BJH: Tensor, mask_BJ: Tensor) -> Tensor:
    memory_BjJH, mask_BjtJ = memory_BJH[:, None], mask_BJ[:, None, None]
    given = F.scaled_dot_product_attention(
        state_BH[:, None, None], memory_BjJH, memory_BjJH, attn_mask=mask_BjtJ
    )
    return given[:, 0, 0]


def by_a_module(state_BH: Tensor, memory_BJH: Tensor, mask_BJ: Tensor) -> Tensor:
    given_B1H: Tensor = HEADS(state_BH[:, None], memory_BJH, memory_BJH, key_padding_mask=~mask_BJ)[
        0
    ]
    return given_B1H[:, 0]


HEADS = nn.MultiheadAttention(H, 2, batch_first=True)
WAYS = [called, written_out, masked_afterwards, renewed, masked_and_left, as_a_whole, by_a_module]
SAME_SCORES = [called, written_out, masked_afterwards, renewed, as_a_whole]


def seen(attend: Attend, inverted: bool = False) -> WeightsSeen:
    """Train an encoder and a decoder with attention, and return what was seen of its weights."""
    torch.manual_seed(0)
    embedding, out = nn.Embedding(V, H), nn.Linear(2 * H, V)
    encoder, decoder = nn.GRU(H, H, batch_first=True), nn.GRUCell(H, H)
    parts = nn.ModuleList([embedding, out, encoder, decoder])
    optimizer = torch.optim.SGD(parts.parameters(), 1e-3)
    with Watch() as doctor:
        for _ in range(4):
            source_BJ = torch.randint(1, V, (B, J))
            source_BJ[torch.arange(J) >= torch.randint(2, J + 1, (B,))[:, None]] = 0
            mask_BJ = (source_BJ != 0) ^ inverted
            fed_BT = torch.randint(1, V, (B, 4))
            memory_BJH, state_1BH = encoder(embedding(source_BJ))
            state_BH, loss = state_1BH[0], torch.zeros(())
            for step in range(3):
                state_BH = decoder(embedding(fed_BT[:, step]), state_BH)
                context_BH = attend(state_BH, memory_BJH, mask_BJ)
                logits_BV = out(torch.cat([state_BH, context_BH], -1))
                loss = loss + F.cross_entropy(logits_BV, fed_BT[:, step + 1])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    assert doctor.watched is not None
    assert doctor.watched.attention is not None
    (weights,) = doctor.watched.attention.last
    return weights


@pytest.mark.parametrize("attend", WAYS)
def test_weights_are_found_over_the_source_and_not_on_padding(attend: Attend) -> None:
    weights = seen(attend)
    assert weights.over == "source"
    assert (weights.positions, weights.steps) == (J, 3)
    assert weights.padding == 0
    assert (weights.covered, weights.hidden) == (0, 0)
    assert not weights.even
    assert not weights.same_each_step


@pytest.mark.parametrize("attend", SAME_SCORES)
def test_an_inverted_mask_is_seen(attend: Attend) -> None:
    weights = seen(attend, inverted=True)
    assert weights.padding == pytest.approx(1, abs=1e-6)
    # rows without padding have nothing left, and may have lost their scores
    assert weights.covered > 0.5
    assert weights.covered_symbols > 2
