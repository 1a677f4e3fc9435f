"""Proves what enters the decoder and when, by its gradients and against a loop over the papers.

Every structure passes gradcheck; Bahdanau's and Luong's decoders, and the context of the step
before, equal a loop written from the equations.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.training.losses import mean_loss
from tests.small import SEQUENCES, built, close, rows, sequences
from variants import inapplicable
from variants.axes import parse, values
from variants.cells import Cell
from variants.decoder import Decoder
from variants.seq2seq import Seq2Seq

STRUCTURES = [
    f"decoder_input={fed},attention={attention},attention_order={order},input_feeding={feeding}"
    if attention != "none"
    else f"decoder_input={fed}"
    for fed, attention, order, feeding in product(
        values("decoder_input"), ("none", "additive"), ("after", "before"), ("off", "on")
    )
    if attention != "none" or (order, feeding) == ("after", "off")
]


class Scoring(nn.Module):
    """A model's loss on a batch, as a module."""

    def __init__(self, model: nn.Module, batch: Any) -> None:
        super().__init__()
        self.model = model
        self.batch = batch

    def forward(self) -> Tensor:
        score: Any = self.model.score
        return mean_loss(score(self.batch), self.batch, SEQUENCES)


@pytest.mark.parametrize("text", STRUCTURES)
def test_gradcheck(text: str) -> None:
    assert inapplicable(parse(text), tagging=False) is None
    base = parse("hidden=3,embedding=2,embedding_init=normal")
    scoring = Scoring(built(text, base=base), sequences(rows(3, 2)))
    named = dict(scoring.named_parameters())

    def run(*weights: Tensor) -> Tensor:
        given = dict(zip(named, weights, strict=True))
        loss: Tensor = torch.func.functional_call(scoring, given, ())
        return loss

    # fast: along random directions instead of each weight alone
    assert torch.autograd.gradcheck(run, tuple(named.values()), atol=1e-6, fast_mode=True)


def parts(text: str) -> tuple[Seq2Seq, Decoder]:
    model = built(text)
    assert isinstance(model, Seq2Seq)
    assert isinstance(model.decoder, Decoder)
    return model, model.decoder


def only_cell(decoder: Decoder) -> Cell:
    (cell,) = decoder.stack.each()
    return cell


def attend(decoder: Decoder, query_BH: Tensor, memory: Any) -> Tensor:
    """Context by additive attention, row by row."""
    a: Any = decoder.attention
    contexts = []
    for b, query in enumerate(query_BH):
        source = memory.outputs_BSD[b][memory.attended.mask_BS[b]]
        inner = torch.tanh(a.from_query.weight @ query + source @ a.from_memory.weight.T)
        contexts.append(torch.softmax(inner @ a.v.weight[0], dim=0) @ source)
    return torch.stack(contexts)


@torch.no_grad()
def test_bahdanaus_order() -> None:
    """s_i = f(s_{i-1}, y_{i-1}, c_i), c_i from s_{i-1}. Bahdanau et al. 2015, section 3.1."""
    text = "attention=additive,attention_order=before,decoder_input=output+context"
    model, decoder = parts(text)
    batch = sequences(rows(4, 3))
    memory, state = model.encode(batch)
    cell, layer = only_cell(decoder), state.layers[0]
    for t in range(batch.inputs_BT.shape[1]):
        tokens = batch.inputs_BT[:, t]
        context = attend(decoder, layer.h_BH, memory)
        layer = cell.step(torch.cat([decoder.embedding(tokens), context], -1), layer)
        readout = torch.tanh(decoder.merge(torch.cat([layer.h_BH, context], -1)))
        logits, state, _ = model.step(tokens, state, memory)
        close(logits, decoder.output(readout))


@torch.no_grad()
def test_luongs_input_feeding() -> None:
    """h_t reads y_{t-1} and h~_{t-1}; h~_t = tanh(W [h_t ; c_t]). Luong et al. 2015, eq. 5 and
    section 3.3."""
    model, decoder = parts("attention=additive,input_feeding=on")
    batch = sequences(rows(4, 3))
    memory, state = model.encode(batch)
    cell, layer = only_cell(decoder), state.layers[0]
    vector = torch.zeros(3, decoder.hidden, dtype=torch.float64)
    for t in range(batch.inputs_BT.shape[1]):
        tokens = batch.inputs_BT[:, t]
        layer = cell.step(torch.cat([decoder.embedding(tokens), vector], -1), layer)
        context = attend(decoder, layer.h_BH, memory)
        vector = torch.tanh(decoder.merge(torch.cat([layer.h_BH, context], -1)))
        logits, state, _ = model.step(tokens, state, memory)
        close(logits, decoder.output(vector))


@torch.no_grad()
def test_after_the_cell_the_context_is_of_the_step_before() -> None:
    model, decoder = parts("attention=additive,decoder_input=context")
    batch = sequences(rows(4, 3))
    memory, state = model.encode(batch)
    cell, layer = only_cell(decoder), state.layers[0]
    context = torch.zeros(3, memory.outputs_BSD.shape[-1], dtype=torch.float64)
    for t in range(batch.inputs_BT.shape[1]):
        layer = cell.step(context, layer)
        context = attend(decoder, layer.h_BH, memory)
        readout = torch.tanh(decoder.merge(torch.cat([layer.h_BH, context], -1)))
        logits, state, _ = model.step(batch.inputs_BT[:, t], state, memory)
        close(logits, decoder.output(readout))


@torch.no_grad()
def test_residual_adds_a_layers_inputs() -> None:
    """He et al. 2016, eq. 1, from the second layer on."""
    model, decoder = parts("decoder_depth=3,stack=residual")
    batch = sequences(rows(4, 3))
    memory, state = model.encode(batch)
    layers = list(state.layers)
    for t in range(batch.inputs_BT.shape[1]):
        tokens = batch.inputs_BT[:, t]
        values = decoder.embedding(tokens)
        for level, cell in enumerate(decoder.stack.each()):
            layers[level] = cell.step(values, layers[level])
            values = layers[level].h_BH + (values if level else 0.0)
        logits, state, _ = model.step(tokens, state, memory)
        close(logits, decoder.output(values))


@torch.no_grad()
def test_tied_outputs_are_the_embeddings() -> None:
    model, decoder = parts("output_weights=tied,embedding=8")
    batch = sequences(rows(4, 3))
    names = [name for name, _ in model.named_parameters()]
    assert names.count("decoder.embedding.table") == 1
    assert "decoder.output.weight" not in names
    before = model.score(batch)[0]
    readout = torch.randn(2, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = readout @ decoder.embedding.table.T + model.get_parameter("decoder.output.bias")
    close(decoder.output(readout), expected)
    decoder.embedding.table.mul_(2.0)
    assert not torch.allclose(before, model.score(batch)[0])
