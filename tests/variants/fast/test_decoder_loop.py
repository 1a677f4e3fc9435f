"""Proves that the decoder's loop in few operations is the plain one, gradients included.

Each attention in each structure, each cell in several, with reference tokens and with the
model's own, deep, residual and dropped: readouts within 1e-10, gradients within 1e-9, float64.
"""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor

from bench.training.randomness import torch_generator
from tests.small import SMALL, built, close, rows, sequences
from variants import inapplicable
from variants.attention import ATTENTIONS, Attention
from variants.attention.content import General
from variants.axes import parse, values
from variants.cells import CELLS, Cell, CellState, Hidden
from variants.cells.torch_cells import GRU
from variants.decoder import Decoder
from variants.seq2seq import Seq2Seq
from variants.stepwise import stepwise

STRUCTURES = [
    f"attention_order={order},input_feeding={feeding},decoder_input={fed}"
    for order, feeding, fed in product(("after", "before"), ("off", "on"), values("decoder_input"))
]
ALSO = ("", "decoder_depth=3,stack=residual,dropout=0.3", "decoder_depth=2,recurrent_dropout=0.2")
RECURRENT = [name for name, kind in CELLS.items() if kind.recurrent]
CASES = [
    f"cell={RECURRENT[number % len(RECURRENT)]},attention={attention},{structure}"
    for number, (attention, structure) in enumerate(
        product([name for name in ATTENTIONS if name != "none"], STRUCTURES)
    )
]
CASES += [
    f"cell={cell},attention={attention}"
    for cell in CELLS
    for attention in ("none", "general,input_feeding=on", "additive,attention_order=before")
]


def passes(text: str) -> list[tuple[Tensor, tuple[Tensor | None, ...]]]:
    """Readouts and gradients, in plain form and as a loop, by reference and by own tokens."""
    model = built(text)
    assert isinstance(model, Seq2Seq)
    decoder = model.decoder
    assert isinstance(decoder, Decoder)
    batch = sequences(rows(3, 4))
    coins = torch.rand(batch.inputs_BT.shape, generator=torch.Generator().manual_seed(1))
    found: list[tuple[Tensor, tuple[Tensor | None, ...]]] = []
    for fed_BT in (None, coins < 0.5):
        if (fed_BT is None and not decoder.loops) or (fed_BT is not None and not decoder.token):
            continue
        for form in (stepwise, type(decoder).unfold):
            dropout = torch_generator(0, "dropout")
            encoded = decoder.remember(model._read(batch, dropout), batch.source_mask_BS)
            count, length = batch.inputs_BT.shape
            masks = decoder.masks(count, length, dropout, encoded[0].outputs_BSD)
            readout = form(decoder, batch.inputs_BT, fed_BT, encoded[1], encoded[0], masks)
            mixed = (readout * torch.arange(readout.numel()).view_as(readout).sin()).sum()
            parameters = list(model.parameters())
            found.append((readout, torch.autograd.grad(mixed, parameters, allow_unused=True)))
    return found


@pytest.mark.parametrize("text", CASES)
def test_the_loop_is_the_plain_form(text: str) -> None:
    compared = 0
    for also in ALSO:
        whole = f"{text},{also}" if also else text
        if inapplicable(parse(whole, SMALL), tagging=False) is not None:
            continue
        found = passes(whole)
        for (plain, derived), (fast, fast_derived) in zip(found[::2], found[1::2], strict=True):
            close(plain, fast)
            for mine, other in zip(derived, fast_derived, strict=True):
                assert (mine is None) == (other is None)
                if mine is not None and other is not None:
                    torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-9)
            compared += 1
    assert compared or "decoder_input=state" in text or "decoder_input=context" in text


def test_a_second_pass_backward_is_as_the_first() -> None:
    """What a pass noted is gone after it, and a pass that is never gone back through is too."""
    model = built("cell=lstm,attention=general,input_feeding=on")
    batch = sequences(rows(3, 4))

    def derived() -> list[Tensor]:
        (logits,) = model.score(batch)
        return list(torch.autograd.grad(logits.square().sum(), list(model.parameters())))

    once = derived()
    model.score(batch)
    for mine, other in zip(once, derived(), strict=True):
        assert torch.equal(mine, other)


def test_an_inherited_loop_is_not_that_of_other_steps() -> None:
    """Who overrides a step of a built-in part gets no fast form of what is not computed."""

    class Slower(GRU):
        def advance(
            self, gates_BG: Tensor, state: CellState, dropped_BH: Tensor | None = None
        ) -> CellState:
            return Hidden(0.5 * super().advance(gates_BG, state, dropped_BH).h_BH)

    class Flat(General):
        def score(self, queries_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
            return 0.5 * super().score(queries_BTH, keys_BSK)

    class Doubled(GRU):
        def project(self, inputs: Tensor) -> Tensor:
            return 2.0 * super().project(inputs)

    assert (Slower.kernel, GRU.kernel) == (False, True)
    assert Slower.in_loop is Cell.in_loop is not GRU.in_loop
    assert Flat.in_loop is Attention.in_loop is not General.in_loop
    assert Doubled.affine is Cell.affine is not GRU.affine
    assert not Doubled.kernel


def test_mixins_and_overrides_anywhere_are_seen() -> None:
    class Halved:
        def advance(
            self, gates_BG: Tensor, state: CellState, dropped_BH: Tensor | None = None
        ) -> CellState:
            return state

    class Mixed(Halved, GRU):
        pass

    class Below(Mixed):
        pass

    for kind in (Mixed, Below):
        assert kind.in_loop is Cell.in_loop
        assert not kind.kernel


def test_a_way_back_that_ends_early_leaves_nothing() -> None:
    """Gradients of inputs alone do not come by where weights' are made; the next ones are right."""
    model = built("cell=lstm,attention=additive,input_feeding=on")
    batch = sequences(rows(3, 4))
    parameters = list(model.parameters())
    (logits,) = model.score(batch)
    loss = logits.square().sum()
    exact = torch.autograd.grad(loss, parameters, retain_graph=True)
    torch.autograd.grad(loss, [model.get_parameter("embedding.table")], retain_graph=True)
    for mine, other in zip(torch.autograd.grad(loss, parameters), exact, strict=True):
        assert torch.equal(mine, other)


def test_second_derivatives_are_refused() -> None:
    model = built("cell=lstm,attention=general,input_feeding=on")
    (logits,) = model.score(sequences(rows(3, 4)))
    with pytest.raises(RuntimeError, match="first derivatives alone"):
        torch.autograd.grad(logits.sum(), list(model.parameters()), create_graph=True)
