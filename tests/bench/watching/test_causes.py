"""Plants slips in a small plain-PyTorch training loop: the watch names them, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.watching.watch import Watch

PAD, BOS, EOS, SYMBOLS = 0, 1, 2, 12
BATCH, LENGTH = 8, 5
Slip = dict[str, Any]


class Translator(nn.Module):
    """A GRU encoder and a GRU decoder with attention, with places for slips."""

    def __init__(self, slip: Slip) -> None:
        super().__init__()
        self.slip = slip
        self.embed_source = nn.Embedding(SYMBOLS, 16)
        self.embed_target = nn.Embedding(SYMBOLS, 16)
        self.encoder = nn.GRU(16, 24, batch_first=not slip.get("time_first"))
        self.decoder = nn.GRUCell(16, 24)
        self.out = nn.Linear(48, SYMBOLS)

    def forward(self, source: Tensor, fed: Tensor) -> Tensor:
        """Return logits of shape (B, T, V) for ids source (B, S) and fed (B, T)."""
        memory, state = self.encoder(self.embed_source(source))
        if self.slip.get("time_first"):
            state = memory[:, -1][None]
        if self.slip.get("view"):
            memory = memory.reshape(memory.shape[1], memory.shape[0], -1).transpose(0, 1)
        hidden = first = state[0] if not self.slip.get("cut") else torch.zeros(len(fed), 24)
        steps: list[Tensor] = []
        for step in range(fed.shape[1]):
            symbol = fed[:, 0 if self.slip.get("start") else step]
            if self.slip.get("own") and step % 2 == 0 and steps:
                symbol = steps[-1].argmax(1)
            hidden = self.decoder(self.embed_target(symbol), hidden)
            query = first if self.slip.get("query") else hidden
            scores = (memory @ query[:, :, None])[:, :, 0]
            scores = scores.masked_fill((source == PAD) ^ bool(self.slip.get("mask")), -1e9)
            weights = functional.softmax(scores, dim=self.slip.get("attention", 1))
            context = (weights[:, None] @ memory)[:, 0]
            if self.slip.get("cut"):
                context = torch.zeros_like(context)
            steps.append(self.out(torch.cat([hidden, context], 1)))
            if self.slip.get("detached"):
                hidden = hidden.detach()
            if self.slip.get("restart"):
                hidden = first
        logits = torch.stack(steps, 1)
        return logits.softmax(self.slip["softmax"]) if "softmax" in self.slip else logits


def batch(generator: torch.Generator, shortest: int) -> tuple[Tensor, Tensor]:
    """Return sources (B, S) with padding, and their reversals (B, T) with start and end."""
    lengths = torch.randint(shortest, LENGTH + 1, (BATCH,), generator=generator)
    source = torch.full((BATCH, LENGTH), PAD)
    target = torch.full((BATCH, LENGTH + 2), PAD)
    for row, length in enumerate(lengths.tolist()):
        symbols = torch.randint(3, SYMBOLS, (length,), generator=generator)
        source[row, :length] = symbols
        target[row, : length + 2] = torch.cat(
            [torch.tensor([BOS]), symbols.flip(0), torch.tensor([EOS])]
        )
    return source, target


def loss_of(slip: Slip, logits: Tensor, target: Tensor) -> Tensor:
    """Return the mean cross-entropy of (B, T, V) logits and (B, T) targets, or a slip of it."""
    if slip.get("raw"):
        return functional.nll_loss(logits.flatten(0, 1), target.flatten(), ignore_index=PAD)
    if slip.get("over_time"):
        picked = logits.log_softmax(1).gather(2, target[:, :, None])[:, :, 0]
        return -picked[target != PAD].mean()
    flat = target.T.flatten() if slip.get("order") else target.flatten()
    rows = logits.flatten(0, 1)
    if slip.get("reshape"):
        return functional.cross_entropy(logits.reshape(BATCH, SYMBOLS, -1), target)
    smooth = slip.get("smoothing", 0.0)
    ignored = slip.get("ignored", PAD)
    loss = functional.cross_entropy(rows, flat, ignore_index=ignored, label_smoothing=smooth)
    return -loss if slip.get("minus") else loss


def train(slip: Slip, steps: int = 4) -> None:
    """Train a few steps as a student would."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    model = Translator(slip)
    model.embed_target.requires_grad_(not slip.get("frozen"))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(steps):
        source, target = batch(generator, LENGTH if slip.get("full") else 3)
        shift = 0 if slip.get("unshifted") else 1
        fed, asked = target[:, : target.shape[1] - 1], target[:, shift:][:, : target.shape[1] - 1]
        if slip.get("no_end_fed"):
            fed = fed.masked_fill(fed == EOS, PAD)
        loss = loss_of(slip, model(source, fed), asked)
        if not slip.get("uncleared"):
            optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if slip.get("cleared"):
            optimizer.zero_grad()
        optimizer.step()
        del step


def found(slip: Slip) -> list[str]:
    """Return the causes found, the likeliest first."""
    with Watch() as doctor:
        train(slip)
    assert not [text for text in doctor.watched.unseen if "error in bench" in text]
    return [finding.cause for finding in doctor.findings]


def test_gradients_are_asked_of_what_is_trained_alone() -> None:
    assert "embedding-frozen" not in found({"frozen": True, "detached": True})


@pytest.mark.parametrize(
    ("slip", "cause"),
    [
        ({"softmax": 1}, "softmax-over-time"),
        ({"softmax": 0}, "softmax-over-batch"),
        ({"softmax": 2}, "probabilities-as-logits"),
        ({"over_time": True}, "softmax-over-time"),
        ({"raw": True}, "logits-as-log-probabilities"),
        ({"order": True}, "targets-transposed"),
        ({"order": True, "no_end_fed": True}, "targets-transposed"),
        ({"reshape": True}, "view-for-transpose"),
        ({"minus": True}, "loss-maximised"),
        ({"ignored": 5}, "real-token-ignored"),
        ({"unshifted": True}, "unshifted-targets"),
        ({"unshifted": True, "own": True}, "unshifted-targets"),
        ({"start": True}, "always-start"),
        ({"restart": True}, "state-not-advanced"),
        ({"cut": True}, "source-cut"),
        ({"query": True}, "query-constant"),
        ({"mask": True}, "mask-inverted"),
        # without padding, all that is real is hidden alike
        ({"mask": True, "full": True}, "mask-inverted"),
        ({"attention": 0}, "attention-over-batch"),
        ({"view": True}, "view-for-transpose"),
        ({"time_first": True}, "axes-swapped"),
        ({"uncleared": True}, "uncleared-gradients"),
        ({"cleared": True}, "cleared-before-step"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_cause_is_named_first(slip: Slip, cause: str) -> None:
    assert found(slip)[:1] == [cause]


@pytest.mark.parametrize("slip", [{}, {"smoothing": 0.1}, {"ignored": -100}, {"own": True}])
def test_nothing_is_found_in_sound_training(slip: Slip) -> None:
    assert found(slip) == []


def test_two_causes_are_both_named() -> None:
    assert set(found({"softmax": 2, "restart": True})) == {
        "probabilities-as-logits",
        "state-not-advanced",
    }


def final_weights(watched: bool) -> dict[str, Tensor]:
    """Return the weights after a training that was watched or not."""
    kept: list[nn.Module] = []
    original: Callable[..., None] = Translator.__init__

    def remember(self: Translator, slip: Slip) -> None:
        original(self, slip)
        kept.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Translator, "__init__", remember)
        if watched:
            with Watch():
                train({})
        else:
            train({})
    return dict(kept[0].state_dict())


def test_watching_changes_no_weight() -> None:
    alone, watched = final_weights(False), final_weights(True)
    assert alone.keys() == watched.keys()
    assert all(torch.equal(alone[name], watched[name]) for name in alone)


def test_recorded_rounds_run_again_to_the_bit() -> None:
    doctor = Watch()
    with doctor:
        train({})
    rounds = doctor._recorder.rounds
    assert len(rounds) == 3
    for one in rounds:
        (backward,) = one.happened("backward")
        values = one.tape.replay(gradients=True)
        assert float(values[backward.number].detach()) == doctor._recorder.curve.losses[one.index]
