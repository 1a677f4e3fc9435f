"""What a loss asks for is read from it however sure the model is, and however the loss is written.

A model that gives just the probabilities that smoothed targets ask for has no gradients at all, and
one that is sure of a symbol has none in single precision.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.watching.measure.losses import losses_seen
from bench.watching.read.recording import Recording
from bench.watching.record.recorder import Recorder

B, T, V, PAD = 6, 5, 9, 0
SMOOTHING = 0.1

Loss = Callable[[Tensor, Tensor], Tensor]
"""Returns the loss of logits (N, V) and targets (N,), of which padding has no weight."""


def mean(losses_N: Tensor, target_N: Tensor) -> Tensor:
    counted_N = (target_N != PAD).float()
    return (losses_N * counted_N).sum() / counted_N.sum()


def cross_entropy(logits_NV: Tensor, target_N: Tensor) -> Tensor:
    return F.cross_entropy(logits_NV, target_N, ignore_index=PAD)


def smoothed(logits_NV: Tensor, target_N: Tensor) -> Tensor:
    return F.cross_entropy(logits_NV, target_N, ignore_index=PAD, label_smoothing=SMOOTHING)


def smoothed_by_hand(logits_NV: Tensor, target_N: Tensor) -> Tensor:
    log_NV = F.log_softmax(logits_NV, -1)
    likely_N = log_NV.gather(-1, target_N[:, None])[:, 0]
    return mean(-(1 - SMOOTHING) * likely_N - SMOOTHING * log_NV.mean(-1), target_N)


def divergence(logits_NV: Tensor, target_N: Tensor) -> Tensor:
    asked_NV = F.one_hot(target_N, V) * (1 - SMOOTHING) + SMOOTHING / V
    apart_NV = F.kl_div(F.log_softmax(logits_NV, -1), asked_NV, reduction="none")
    return mean(apart_NV.sum(-1), target_N)


def focal(logits_NV: Tensor, target_N: Tensor) -> Tensor:
    likely_N = F.log_softmax(logits_NV, -1).gather(-1, target_N[:, None])[:, 0]
    return mean(-((1 - likely_N.exp()) ** 2) * likely_N, target_N)


def normaliser_less_score(logits_NV: Tensor, target_N: Tensor) -> Tensor:
    chosen_N = logits_NV.gather(-1, target_N[:, None])[:, 0]
    return mean(logits_NV.logsumexp(-1) - chosen_N, target_N)


def written_out(logits_NV: Tensor, target_N: Tensor) -> Tensor:
    raised_NV = (logits_NV - logits_NV.max(-1, keepdim=True).values).exp()
    likely_NV = raised_NV / raised_NV.sum(-1, keepdim=True)
    return mean(-(likely_NV.gather(-1, target_N[:, None])[:, 0] + 1e-9).log(), target_N)


WRITTEN: list[Loss] = [
    cross_entropy,
    smoothed,
    smoothed_by_hand,
    divergence,
    focal,
    normaliser_less_score,
    written_out,
]
HIGHEST = torch.tensor((1 - SMOOTHING + SMOOTHING / V) / (SMOOTHING / V)).log().item()
"""The score of the symbol asked for, beside zeros, that smoothed targets ask for."""


class Copy(nn.Module):
    """Gives the symbol that it is fed a score, and all others 0."""

    def __init__(self, score: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(V, V)
        self.embedding.weight.data.copy_(torch.eye(V))
        self.out = nn.Linear(V, V, bias=False)
        self.out.weight.data.copy_(score * torch.eye(V))

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.out(self.embedding(ids))
        return logits


def targets() -> Tensor:
    target_BT = torch.randint(1, V, (B, T), generator=torch.Generator().manual_seed(0))
    target_BT[1:3, 3:] = PAD
    return target_BT


def recorded(loss: Loss, score: float, sign: int = 1) -> Recording:
    """Record three training steps of a model that is right, with a rate that changes little."""
    model, target_BT = Copy(score), targets()
    optimizer = torch.optim.SGD(model.parameters(), 1e-6, maximize=sign < 0)
    with Recorder() as recorder:
        for _ in range(3):
            optimizer.zero_grad()
            logits_BTV = model(target_BT)
            given = loss(logits_BTV.reshape(-1, V), target_BT.reshape(-1))
            (sign * given).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return Recording.of(recorder)


@pytest.mark.parametrize("score", [0.5, HIGHEST, 60.0])
@pytest.mark.parametrize("loss", WRITTEN)
def test_what_is_asked_for_is_read_however_sure_the_model_is(loss: Loss, score: float) -> None:
    target_BT = targets()
    for _, reading in recorded(loss, score).readings:
        asked = reading.predictions
        asked_BT, weight_BT = reading.table(asked.asked_N), reading.table(asked.weight_N)
        assert ((weight_BT != 0) == (target_BT != PAD)).all()
        assert (asked_BT == target_BT)[target_BT != PAD].all()
        assert asked.right_N[asked.weight_N != 0].all()


@pytest.mark.parametrize("loss", WRITTEN)
def test_a_likelihood_that_is_made_larger_is_sound(loss: Loss) -> None:
    seen = losses_seen(recorded(loss, HIGHEST, sign=-1))
    assert seen is not None
    assert seen.uphill
    assert seen.gradient_sign is None or seen.gradient_sign < 0
