"""Proves that an examination names what is wrong with a finished model, in several styles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim
from torch.nn import functional as F

import bench
from tests.bench.watching.strangers import (
    VOCAB,
    BenSeq2Seq,
    FixedSize,
    Given,
    PackedConv,
    Plain,
    Tagger,
    batches,
    ben_batches,
)

IGNORING = nn.CrossEntropyLoss(ignore_index=0)


def trained(model: nn.Module, loss: Any, steps: int, given: list[Any], rate: float = 0.01) -> Any:
    """Train a model called as model(source, inputs) and return its optimizer."""
    optimizer = optim.Adam(model.parameters(), rate)
    for step in range(steps):
        source, target = given[step % len(given)]
        optimizer.zero_grad()
        logits = model(source, target[:, :-1])
        loss(logits.flatten(0, 1), target[:, 1:].flatten()).backward()
        optimizer.step()
    return optimizer


class LogSoftmax(Plain):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.log_softmax = nn.LogSoftmax(dim=dim)

    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        scores: Tensor = self.log_softmax(super().forward(src, trg))
        return scores


def softmax_over_time() -> Given:
    return LogSoftmax(1), batches(), {"loss": nn.NLLLoss(ignore_index=0)}


def softmax_over_time_without_loss() -> Given:
    return LogSoftmax(1), batches(), {}


def softmax_over_batch() -> Given:
    return LogSoftmax(0), batches(), {"loss": nn.NLLLoss(ignore_index=0)}


def softmax_over_time_in_the_loss() -> Given:
    def loss(logits: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(logits.log_softmax(1).flatten(0, 1), target.flatten(), ignore_index=0)

    return Plain(), [(s, t[:, :-1], t[:, 1:]) for s, t in batches()], {"loss": loss}


def probabilities() -> Given:
    class Probabilities(Plain):
        def forward(self, src: Tensor, trg: Tensor) -> Tensor:
            return super().forward(src, trg).softmax(-1)

    return Probabilities(), batches(), {"loss": IGNORING}


def logits_to_nll() -> Given:
    return Plain(), batches(), {"loss": nn.NLLLoss(ignore_index=0)}


def unshifted_triples() -> Given:
    return Plain(), [(s, t, t) for s, t in batches()], {"loss": IGNORING}


def unshifted_in_the_fifth() -> Given:
    given = [(s, t[:, :-1], t[:, 1:]) for s, t in batches(6)]
    given[4] = (given[4][0], given[4][2], given[4][2])
    return Plain(), given, {"loss": IGNORING}


def unshifted_in_the_step() -> Given:
    model = Plain()

    def step(batch: tuple[Tensor, Tensor]) -> Tensor:
        src, trg = batch
        loss: Tensor = IGNORING(model(src, trg).transpose(1, 2), trg)
        return loss

    return model, batches(), {"step": step}


def unshifted_without_start() -> Given:
    return Plain(), [(s, t[:, 1:]) for s, t in batches()], {"loss": IGNORING}


def rows_for_steps() -> Given:
    model = Tagger()
    model.lstm.batch_first = False
    return (
        model,
        [(s, (s % 3).masked_fill(s == 0, -100)) for s, _ in batches()],
        {"loss": nn.CrossEntropyLoss()},
    )


class Keeping(FixedSize):
    """Hands the state of the last batch to the next one."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = self.init_hidden()

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        _, state = self.enc(self.embed(x), self.hidden)
        self.hidden = tuple(part.detach() for part in state)
        out, _ = self.dec(self.embed(y), state)
        logits: Tensor = self.linear(out)
        return logits


def state_kept() -> Given:
    return Keeping(), batches(), {"loss": IGNORING}


class Attentive(nn.Module):
    """Attention without a mask; the sources are mostly padding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, 16)
        self.encoder = nn.GRU(16, 16, batch_first=True)
        self.decoder = nn.GRU(16, 16, batch_first=True)
        self.out = nn.Linear(32, VOCAB)

    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        memory, _ = self.encoder(self.embedding(src))
        output, _ = self.decoder(self.embedding(trg))
        weights = torch.bmm(output, memory.transpose(1, 2)).softmax(2)
        logits: Tensor = self.out(torch.cat([output, torch.bmm(weights, memory)], 2))
        return logits


def view_for_transpose() -> Given:
    class Viewed(Attentive):
        def forward(self, src: Tensor, trg: Tensor) -> Tensor:
            memory, state = self.encoder(self.embedding(src.t()).contiguous())
            memory = memory.view(src.shape[0], src.shape[1], -1)
            output, _ = self.decoder(self.embedding(trg), state)
            weights = torch.bmm(output, memory.transpose(1, 2)).softmax(2)
            logits: Tensor = self.out(torch.cat([output, torch.bmm(weights, memory)], 2))
            return logits

    model = Viewed()
    model.encoder.batch_first = False
    return model, batches(), {"loss": IGNORING}


def padding_attended() -> Given:
    given = [(F.pad(s, (0, 12)), t) for s, t in batches()]
    model = Attentive()
    optimizer = trained(model, IGNORING, 210, given, 3e-4)
    return model, given, {"loss": IGNORING, "optimizer": optimizer}


def encoder_detached() -> Given:
    class Detached(Plain):
        def forward(self, src: Tensor, trg: Tensor) -> Tensor:
            _, hidden = self.encoder(self.src_embed(src))
            output, _ = self.decoder(self.trg_embed(trg), hidden.detach())
            logits: Tensor = self.out(output)
            return logits

    return Detached(), batches(), {"loss": IGNORING}


def source_ignored() -> Given:
    class Deaf(PackedConv):
        def forward(self, src: Tensor, src_len: Tensor, trg: Tensor) -> Tensor:
            self.lstm_enc(self.emb(src))
            return self.proj(self.lstm_dec(self.emb(trg))[0]).transpose(1, 2)  # type: ignore[no-any-return]

    return Deaf(), [(s, (s != 0).sum(1), t) for s, t in batches()], {"loss": IGNORING}


def never_called() -> Given:
    model = Plain()
    model.attention = nn.Linear(32, 1)
    return model, batches(), {"loss": IGNORING}


def in_a_list() -> Given:
    class Unregistered(Plain):
        def __init__(self) -> None:
            super().__init__()
            self.extra = [nn.Linear(16, 16)]

        def forward(self, src: Tensor, trg: Tensor) -> Tensor:
            _, hidden = self.encoder(self.src_embed(src))
            output, _ = self.decoder(self.trg_embed(trg), self.extra[0](hidden))
            logits: Tensor = self.out(output)
            return logits

    return Unregistered(), batches(), {"loss": IGNORING}


def dropout_alive() -> Given:
    class Alive(Plain):
        def forward(self, src: Tensor, trg: Tensor) -> Tensor:
            _, hidden = self.encoder(F.dropout(self.src_embed(src), 0.5))
            output, _ = self.decoder(self.trg_embed(trg), hidden)
            logits: Tensor = self.out(output)
            return logits

    return Alive().eval(), batches(), {"loss": IGNORING}


def dropout_alive_seen_by_a_step() -> Given:
    model, given, _ = dropout_alive()

    def step(batch: tuple[Tensor, Tensor]) -> Tensor:
        src, trg = batch
        loss: Tensor = IGNORING(model(src, trg[:, :-1]).transpose(1, 2), trg[:, 1:])
        return loss

    return model, given, {"step": step}


def loss_over_padding() -> Given:
    loss = nn.CrossEntropyLoss()
    given = [(s, F.pad(t, (0, 8))) for s, t in batches()]
    model = Plain()
    trained(model, loss, 60, given)
    return model, given, {"loss": loss}


def encoder_left_out() -> Given:
    model = Plain()
    given = [*model.decoder.parameters(), *model.out.parameters(), *model.trg_embed.parameters()]
    return model, batches(), {"loss": IGNORING, "optimizer": optim.Adam(given)}


def gradients_never_cleared() -> Given:
    model = Plain()
    optimizer = optim.SGD(model.parameters(), 0.01)

    def train(source: Tensor, target: Tensor) -> None:
        IGNORING(model(source, target[:, :-1]).flatten(0, 1), target[:, 1:].flatten()).backward()
        optimizer.step()

    return model, batches(), {"step": train}


def first_slot_in_the_loss() -> Given:
    model = BenSeq2Seq()

    def step(batch: tuple[Tensor, Tensor]) -> Tensor:
        src, trg = batch
        words = trg[1:]  # no start symbol: the first word is fed
        loss: Tensor = IGNORING(model(src, words, 1.0).flatten(0, 1), words.flatten())
        return loss

    return model, ben_batches(), {"step": step}


def maximised() -> Given:
    return (
        Plain(),
        [(s, t[:, :-1], t[:, 1:]) for s, t in batches()],
        {"loss": lambda logits, target: -IGNORING(logits.transpose(1, 2), target)},
    )


FAULTS: list[tuple[Callable[[], Given], str, str]] = [
    (softmax_over_time, "softmax-over-time", "certain"),
    (softmax_over_time_without_loss, "softmax-over-time", "certain"),
    (softmax_over_batch, "softmax-over-batch", "certain"),
    (softmax_over_time_in_the_loss, "softmax-over-time", "certain"),
    (probabilities, "probabilities-as-logits", "certain"),
    (logits_to_nll, "logits-as-log-probabilities", "certain"),
    (unshifted_triples, "unshifted-targets", "certain"),
    (unshifted_in_the_fifth, "unshifted-targets", "certain"),
    (unshifted_in_the_step, "unshifted-targets", "certain"),
    (unshifted_without_start, "unshifted-targets", "likely"),
    (rows_for_steps, "axes-swapped", "certain"),
    (view_for_transpose, "view-for-transpose", "certain"),
    (state_kept, "state-carried", "certain"),
    (padding_attended, "padding-attended", "likely"),
    (encoder_detached, "encoder-detached", "certain"),
    (source_ignored, "source-cut", "certain"),
    (never_called, "unused-layer", "likely"),
    (in_a_list, "unregistered-layers", "certain"),
    (dropout_alive, "dropout-in-evaluation", "certain"),
    (dropout_alive_seen_by_a_step, "dropout-in-evaluation", "certain"),
    (loss_over_padding, "padding-in-loss", "likely"),
    (encoder_left_out, "encoder-left-out", "certain"),
    (gradients_never_cleared, "uncleared-gradients", "certain"),
    (first_slot_in_the_loss, "first-slot-empty", "certain"),
    (maximised, "loss-maximised", "certain"),
]


@pytest.mark.parametrize(
    ("stranger", "cause", "sure"), FAULTS, ids=lambda one: getattr(one, "__name__", "")
)
def test_the_fault_is_named_and_nothing_else(
    stranger: Callable[[], Given], cause: str, sure: str
) -> None:
    torch.manual_seed(0)
    model, given, rest = stranger()
    found = bench.examine(model, given, **rest)
    assert [(one.cause, one.sure) for one in found.findings] == [(cause, sure)], found
