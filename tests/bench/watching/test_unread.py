"""Proves that steps which cannot be read are told with what could not be read in them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from bench.watching.watch import Watch

SYMBOLS, HIDDEN = 7, 12
STEPS = 6


class Tagger(nn.Module):
    """Gives each symbol a label, by scores (B, T, V)."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS, HIDDEN)
        self.layer = nn.GRU(HIDDEN, HIDDEN, batch_first=True)
        self.out = nn.Linear(HIDDEN, SYMBOLS)

    def forward(self, ids: Tensor) -> Tensor:
        """Return scores of ids (B, T)."""
        scores: Tensor = self.out(self.layer(self.embedding(ids))[0])
        return scores


def train(step: Callable[[nn.Module], Tensor], model: nn.Module) -> Watch:
    """Watch a training of some steps, each with the loss that `step` returns."""
    torch.manual_seed(0)
    with Watch() as doctor:
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for _ in range(STEPS):
            optimizer.zero_grad()
            step(model).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    assert doctor.steps == STEPS
    return doctor


def ids() -> Tensor:
    """Return symbols (4, 5)."""
    return torch.randint(0, SYMBOLS, (4, 5))


def of_numbers(model: nn.Module) -> Tensor:
    """Return a loss that compares numbers, written out."""
    loss: Tensor = (model(ids()) - torch.randn(4, 5, SYMBOLS)).pow(2).mean()
    return loss


def of_sounds(model: nn.Module) -> Tensor:
    """Return a loss over symbols of a model that is given no symbols."""
    return nn.functional.cross_entropy(model(torch.randn(20, HIDDEN)), ids().flatten())


@pytest.mark.parametrize(
    ("step", "make", "words"),
    [
        (of_numbers, Tagger, ("test_unread.py", "mean, pow", "no softmax or loss function")),
        (of_sounds, lambda: nn.Linear(HIDDEN, SYMBOLS), ("no symbols", "one-hot", "(20, 12)")),
    ],
)
def test_the_sentence_names_what_could_not_be_read(
    step: Callable[[nn.Module], Tensor], make: Callable[[], nn.Module], words: tuple[str, ...]
) -> None:
    doctor = train(step, make())
    assert doctor.findings == []
    (sentence,) = doctor.watched.unseen
    assert f"{STEPS} training steps, none of which could be read" in sentence
    for part in words:
        assert part in sentence


def written_out(model: nn.Module, dim: int = -1) -> Tensor:
    """Return the cross-entropy by a softmax that is written out."""
    given = ids()
    scores = model(given)
    e = torch.exp(scores - scores.max(dim=dim, keepdim=True).values)
    p = e / e.sum(dim=dim, keepdim=True)
    return -torch.log(p.gather(-1, given[:, :, None]) + 1e-9).mean()


def test_a_softmax_that_is_written_out_is_read() -> None:
    doctor = train(written_out, Tagger())
    assert (doctor.findings, doctor.watched.unseen) == ([], ())
    assert doctor.watched.losses is not None
    assert doctor.watched.losses.predictions == 20
