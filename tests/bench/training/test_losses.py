"""Proves that the loss that never holds all logits is the one that does, gradients included."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from bench.training import losses
from bench.training.losses import mean_loss, readout_loss, training_loss
from bench.training.randomness import torch_generator
from tests.small import SEQUENCES, TARGETS, built, close, rows, sequences
from variants import Model, Readout, build
from variants.axes import parse
from variants.seq2seq import Seq2Seq

VARIANTS = (
    "attention=none",
    "attention=general,input_feeding=on",
    "output_weights=tied,embedding=8",
)


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def drawn(count: int, symbols: int, hidden: int) -> tuple[Readout, Tensor]:
    parts = (normal(1, count, hidden), normal(2, symbols, hidden), normal(3, symbols))
    target_N = torch.arange(count) * 7 % symbols
    return Readout(*(part.requires_grad_() for part in parts)), target_N


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("count", [1, 63, 64, 65, 200])
def test_equals_torchs_own(count: int, smoothing: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(losses.LOGITS_AT_ONCE, "cpu", 1)
    readout, target_N = drawn(count, 11, 5)
    entropy = torch.nn.functional.cross_entropy
    theirs = entropy(readout.logits(), target_N, label_smoothing=smoothing)
    ours = readout_loss(readout, target_N, smoothing)
    close(ours, theirs)
    # times a factor, as of a head or of the scaling that fp16 needs
    pairs = (torch.autograd.grad(value * 3.0, readout) for value in (ours, theirs))
    for mine, other in zip(*pairs, strict=True):
        close(mine, other)


def test_gradcheck() -> None:
    readout, target_N = drawn(4, 3, 2)
    assert torch.autograd.gradcheck(
        lambda *parts: readout_loss(Readout(*parts), target_N, 0.1), tuple(readout)
    )


def test_far_logits_do_not_overflow() -> None:
    readout, target_N = drawn(3, 4, 2)
    far = readout._replace(weight_VH=(readout.weight_VH * 1e4).detach().requires_grad_())
    assert readout_loss(far, target_N).isfinite()
    assert all(
        part.isfinite().all() for part in torch.autograd.grad(readout_loss(far, target_N), far)
    )


@pytest.mark.parametrize("text", VARIANTS)
def test_of_a_model(text: str) -> None:
    batch = sequences(rows(5, 4))
    fed_BT = torch.rand(batch.inputs_BT.shape, generator=torch.Generator().manual_seed(0)) < 0.5

    def derived(model: Model, loss: Tensor) -> list[Tensor]:
        return list(torch.autograd.grad(loss, list(model.parameters())))

    model = built(text + ",dropout=0.2")
    ours = training_loss(model, batch, fed_BT, torch_generator(0, "x"), SEQUENCES, 0.1)
    logits = model.score(batch, fed_BT, torch_generator(0, "x"))
    theirs = mean_loss(logits, batch, SEQUENCES, 0.1)
    close(ours, theirs)
    for mine, other in zip(derived(model, ours), derived(model, theirs), strict=True):
        close(mine, other)


class Largest(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The most elements that any tensor had."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for part in result if isinstance(result, tuple | list) else (result,):
            if isinstance(part, Tensor):
                self.elements = max(self.elements, part.numel())
        return result


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_all_logits_never_exist(kind: torch.dtype) -> None:
    """A batch of 64 x 30 tokens over 62,684 words, a large vocabulary."""
    count, symbols, hidden = 64 * 30, 62_684, 8
    readout, target_N = drawn(count, symbols, hidden)
    readout = readout._replace(values_NH=readout.values_NH.to(kind))
    with Largest() as largest:  # type: ignore[no-untyped-call]
        readout_loss(readout, target_N).backward()  # type: ignore[no-untyped-call]
    assert largest.elements == losses.FEWEST_LOGIT_ROWS * symbols < count * symbols / 29
    assert readout.weight_VH.grad is not None


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_products_in_a_smaller_format(kind: torch.dtype) -> None:
    """Values of a smaller format make its products, as autocast does, and gradients like its."""
    given, target_N = drawn(200, 11, 5)
    parts = [part.detach().float().requires_grad_() for part in given]
    small = Readout(parts[0].to(kind), *parts[1:])
    ours = readout_loss(small, target_N, 0.1)
    with torch.autocast("cpu", dtype=kind):
        logits = torch.nn.functional.linear(*parts)
    theirs = torch.nn.functional.cross_entropy(logits.float(), target_N, label_smoothing=0.1)
    assert ours.dtype == torch.float32
    assert torch.equal(small.logits(), logits.float())
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0)
    pairs = [torch.autograd.grad(loss * 512.0, parts) for loss in (ours, theirs)]
    for mine, other in zip(*pairs, strict=True):
        assert (mine - other).norm() < 0.02 * other.norm()


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_model_in_a_smaller_format_never_has_all_logits(precision: str) -> None:
    model = build(
        parse(f"precision={precision},attention=general,hidden=8,embedding=5"),
        11,
        (9,),
        False,
        lambda name: torch_generator(0, name),
        longest=5,
    )
    batch = sequences(rows(5, 4))
    readouts = model.readouts(batch)
    assert readouts is not None
    (readout,) = readouts
    assert readout.values_NH.dtype in (torch.bfloat16, torch.float16)
    assert readout.weight_VH.dtype == torch.float32
    assert torch.equal(readout.logits(), model.score(batch)[0])
    training_loss(model, batch, None, None, SEQUENCES, 0.0).backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_without_gradients_none_are_made() -> None:
    readout, target_N = drawn(70, TARGETS, 4)
    with torch.no_grad():
        assert not readout_loss(readout, target_N).requires_grad


def test_scores_of_its_own_are_what_is_trained() -> None:
    """A model that changes what it inherits to score gets no loss of what it does not score."""

    class Sharper(Seq2Seq):
        def score(self, *given: Any) -> tuple[Tensor, ...]:
            return tuple(5.0 * head for head in super().score(*given))

    class Bare(nn.Module):
        def __init__(self, inner: Model) -> None:
            super().__init__()
            self.inner = inner
            self.readouts = nn.ModuleList()  # a name that may mean anything outside

        def score(self, *given: Any) -> tuple[Tensor, ...]:
            return self.inner.score(*given)

    batch = sequences(rows(5, 4))
    model = built("attention=general")
    model.__class__ = Sharper
    bare: Any = Bare(model)
    for each in (model, bare):
        ours = training_loss(each, batch, None, None, SEQUENCES, 0.0)
        close(ours, mean_loss(each.score(batch, None, None), batch, SEQUENCES))
