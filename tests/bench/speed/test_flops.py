"""Proves that operations are counted as by hand, for parts whose arithmetic is known beforehand."""

from __future__ import annotations

import pytest

from bench.speed import flops
from bench.speed.cases import Shape, Workload, random_workload
from bench.training.randomness import torch_generator
from variants import Model, build
from variants.axes import parse
from variants.cells import CELLS

B, S, T, V, E, H = 3, 5, 4, 11, 6, 8
SHAPE = Shape(batch=B, source=S, target=T, vocabulary=V)
GATES = {
    "rnn": 1,
    "rnn-relu": 1,
    "gru": 3,
    "lstm": 4,
    "lstm-layernorm": 4,
    "slstm": 4,
    "mingru": 2,
    "minlstm": 3,
}
"""Blocks of H rows that an input meets; h meets as many, but in cells that never see it."""


def model(text: str) -> tuple[Model, Workload]:
    work = random_workload(SHAPE, "cpu")
    variant = parse(f"{text},hidden={H},embedding={E}")
    built = build(variant, V, (V,), False, lambda name: torch_generator(0, "init", name), longest=S)
    return built, work


def count(text: str) -> int:
    built, work = model(text)
    return flops.training_flops(built, work.batches[0], work.facts)


def cell(name: str, inputs: int) -> int:
    """Multiplications and additions of one step of one row."""
    recurrent = H if CELLS[name].recurrent else 0
    return 2 * GATES[name] * H * (inputs + recurrent)


def test_every_cell_is_counted() -> None:
    assert set(GATES) == set(CELLS)


@pytest.mark.parametrize("name", CELLS)
def test_cells(name: str) -> None:
    """An encoder and a decoder of one layer each, and the output layer; backward is twice that."""
    by_hand = B * S * cell(name, E) + B * T * cell(name, E) + B * T * 2 * H * V
    # the first state is zeros, which no gradient goes back to
    first = B * 2 * GATES[name] * H * H if CELLS[name].recurrent else 0
    assert count(f"cell={name}") == 3 * by_hand - first


def test_attention_general_with_input_feeding() -> None:
    """Luong et al. 2015: keys W m once a source; a score and a sum for each pair of a step and a
    position; the layer before the output."""
    plain = B * S * 2 * cell("lstm", E) + B * T * cell("lstm", E + H) + B * T * 2 * H * V
    keys = B * S * 2 * (2 * H) * H
    pairs = B * T * S * 2 * (H + 2 * H)
    merge = B * T * 2 * (H + 2 * H) * H
    first = 3 * B * 2 * 4 * H * H
    ours = count("cell=lstm,direction=bidirectional,attention=general,input_feeding=on,bridge=zero")
    # both encoders' and the decoder's first states are zeros, which no gradient goes back to
    assert ours == 3 * (plain + keys + pairs + merge) - first


def test_depth_and_batch_are_counted() -> None:
    more = count("cell=gru,depth=2") - count("cell=gru")
    first = 2 * B * 2 * 3 * H * H
    assert more == 3 * (B * S + B * T) * cell("gru", H) - first + B * 2 * 3 * H * H


def test_decoding() -> None:
    """Reading once, then T steps with their output layers, nothing backward."""
    built, work = model("cell=lstm")
    by_hand = B * S * cell("lstm", E) + T * B * (cell("lstm", E) + 2 * H * V)
    assert flops.decoding_flops(built, work.batches[0], T) == by_hand


def test_other_formats_count_as_float32() -> None:
    assert count("precision=bf16,cell=lstm") == count("cell=lstm")


def test_the_model_stays_as_it_is() -> None:
    built, work = model("cell=lstm,attention=general")
    before = [p.clone() for p in built.parameters()]
    flops.training_flops(built, work.batches[0], work.facts)
    assert all(p.device.type == "cpu" and p.grad is None for p in built.parameters())
    assert all((p == b).all() for p, b in zip(built.parameters(), before, strict=True))
