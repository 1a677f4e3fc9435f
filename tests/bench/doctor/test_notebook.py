"""Proves that the doctor finds in a plain PyTorch model what its author did wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import bench

PAD, BOS, EOS = 0, 1, 2
SIZE = 12


class Plain(nn.Module):
    """An encoder-decoder as tutorials have it. The rest says what is wrong with it."""

    def __init__(
        self,
        batch_first: bool = True,
        packed: bool = True,
        detached: bool = False,
        softmax: bool = False,
        carried: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(SIZE, 16, padding_idx=PAD)
        self.encoder = nn.GRU(16, 16, batch_first=batch_first)
        self.decoder = nn.GRU(16, 16, batch_first=True)
        self.output = nn.Linear(16, SIZE)
        self.packed, self.detached, self.softmax, self.carried = packed, detached, softmax, carried
        self.dropout = nn.Dropout(dropout)
        self.state: Tensor | None = None

    def forward(self, source: Tensor, inputs: Tensor) -> Tensor:
        embedded = self.dropout(self.embedding(source))
        if not self.encoder.batch_first:
            # its own axes are steps first
            outputs, _ = self.encoder(embedded)
            state = outputs[:, -1][None]
        elif self.packed:
            lengths = (source != PAD).sum(1).cpu()
            packed = nn.utils.rnn.pack_padded_sequence(
                embedded, lengths, batch_first=True, enforce_sorted=False
            )
            _, state = self.encoder(packed)
        else:
            _, state = self.encoder(embedded)
        if self.carried:
            before, self.state = self.state, state.detach()
            if before is not None and before.shape == state.shape:
                state = before
        if self.detached:
            state = state.detach() * 0
        read, _ = self.decoder(self.embedding(inputs), state.contiguous())
        logits: Tensor = self.output(read)
        return logits.softmax(-1) if self.softmax else logits


def triple(rows: int = 8, pad: int = PAD, bos: int = BOS, eos: int = EOS) -> Any:
    """Sources of several lengths, to be given back."""
    random = torch.Generator().manual_seed(1)
    lengths = [3, 5, 5, 5, 6, 6, 6, 6][:rows]
    source = torch.full((rows, 6), pad)
    inputs, targets = torch.full((rows, 7), pad), torch.full((rows, 7), pad)
    for row, length in enumerate(lengths):
        ids = torch.randint(4, SIZE, (length,), generator=random)
        source[row, :length] = ids
        targets[row, :length], targets[row, length] = ids, eos
        inputs[row, 0], inputs[row, 1 : length + 1] = bos, ids
    return source, inputs, targets


def loss(logits: Tensor, targets: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=PAD)


def stepping(
    model: nn.Module, clear: bool = True, part: str = "", of: Callable[..., Tensor] = loss
) -> Callable[[Tensor, Tensor, Tensor], None]:
    """A training step. part: what the optimizer was not given."""
    given = [p for name, p in model.named_parameters() if not part or not name.startswith(part)]
    optimizer = torch.optim.Adam(given, 0.01)

    def step(source: Tensor, inputs: Tensor, targets: Tensor) -> None:
        if clear:
            optimizer.zero_grad()
        of(model(source, inputs), targets).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    for _ in range(3):
        step(*triple())
    return step


def causes(model: nn.Module, **given: Any) -> list[str]:
    given = {"loss": loss, "step": stepping(model), **given}
    return [one.cause for one in bench.examine(model, [triple()], **given)]


def test_a_healthy_model_has_nothing() -> None:
    assert causes(Plain()) == []
    assert causes(Plain(dropout=0.3)) == []
    assert causes(Plain(), loss=None, step=None) == []


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        ({"batch_first": False}, "axes-swapped"),
        ({"packed": False}, "padding-attended"),
        ({"detached": True}, "source-cut"),
        ({"softmax": True}, "probabilities-as-logits"),
        ({"carried": True}, "state-carried"),
    ],
)
def test_what_is_wrong_with_a_model(wrong: dict[str, Any], cause: str) -> None:
    assert causes(Plain(**wrong))[0] == cause


def test_what_is_wrong_with_training() -> None:
    model = Plain()
    assert causes(model, step=stepping(model, clear=False)) == ["uncleared-gradients"]
    model = Plain()
    assert causes(model, step=stepping(model, part="encoder.")) == ["encoder-left-out"]
    model = Plain()
    assert causes(model, step=stepping(model, part="embedding.")) == ["embedding-left-out"]


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        (
            lambda logits, targets: nn.functional.cross_entropy(
                logits.flatten(0, 1), targets.flatten()
            ),
            "padding-in-loss",
        ),
        (
            lambda logits, targets: nn.functional.nll_loss(
                logits.log_softmax(1).flatten(0, 1), targets.flatten()
            ),
            "softmax-over-time",
        ),
        (
            lambda logits, targets: nn.functional.cross_entropy(
                logits.flatten(0, 1), targets.t().flatten()
            ),
            "targets-transposed",
        ),
    ],
)
def test_what_is_wrong_with_a_loss(wrong: Callable[..., Tensor], cause: str) -> None:
    model = Plain()
    assert causes(model, loss=wrong, step=stepping(model, of=wrong)) == [cause]


def test_inputs_that_were_not_shifted() -> None:
    source, _, targets = triple()
    found = bench.examine(Plain(), [(source, targets, targets)], loss=loss)
    assert [one.cause for one in found] == ["unshifted-targets"]


def test_other_ids_of_what_is_no_content() -> None:
    model = Plain()
    model.embedding = nn.Embedding(SIZE, 16, padding_idx=3)
    model.packed = False
    batch = triple(pad=3, bos=0, eos=1)
    found = bench.examine(model, [batch], pad=3, bos=0, eos=1)
    assert [one.cause for one in found] == ["padding-attended"]
    even = tuple(part[4:] for part in batch)
    assert bench.examine(model, [even], pad=3, bos=0, eos=1) == []


def test_the_mode_is_given_back() -> None:
    model = Plain(dropout=0.5)
    model.train()
    bench.examine(model, [triple()])
    assert model.training
    model.eval()
    bench.examine(model, [triple()])
    assert not model.training


@pytest.mark.parametrize(
    ("batch", "says"),
    [
        ((torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(2, 3)), "whole numbers"),
        ((torch.ones(2, 3).long(), torch.ones(2, 3).long(), torch.ones(2, 4).long()), "one shape"),
        ((torch.ones(2, 3).long(), torch.ones(2, 3).long(), torch.zeros(2, 3).long()), "padding"),
    ],
)
def test_batches_that_cannot_be_read(batch: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        bench.examine(Plain(), [batch])
    with pytest.raises(ValueError, match="no batch"):
        bench.examine(Plain(), [])
    with pytest.raises(ValueError, match="forward="):
        bench.examine(Plain(), [triple()], forward=lambda model, source, inputs: torch.zeros(2, 2))
    with pytest.raises(AttributeError, match="nothing"):
        _ = bench.nothing
