"""Micro-benchmarks of the parts, float32, one thread: pytest tests/perf --benchmark-only.

Sizes are those of small runs here: batch 64, S 10, T 11, hidden 64, 101 symbols. Without
--benchmark-only each runs once, untimed, so that they are known to work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from bench.speed.cases import Shape, random_workload
from bench.training.batching import collate, length_batches
from bench.training.decoding import greedy
from bench.training.losses import readout_loss
from bench.training.process import cached_task
from bench.training.randomness import numpy_generator, torch_generator
from bench.training.state import Recipe, build_optimizer, start
from tasks import build as build_task
from variants import Model, Readout, build
from variants.attention import ATTENTIONS, Sizes
from variants.axes import parse, values
from variants.cells import CELLS, fastest

B, S, T, H, V = 64, 10, 11, 64, 101
SHAPE = Shape(B, S, T, V)
TIMED = {"gru": "cell=gru", "lstm": "cell=lstm", "luong": "cell=lstm,attention=general"}
TIMED["luong fed"] = "cell=lstm,attention=general,input_feeding=on"
TIMED["bahdanau"] = "attention=additive,attention_order=before,decoder_input=output+context"
TIMED["forced by half"] = "cell=gru,forcing=constant,forcing_rate=0.5"
Benchmark = Callable[..., Any]


def model_of(text: str) -> Model:
    variant = parse(f"{text},hidden={H},embedding={H}")
    return build(variant, V, (V,), False, lambda name: torch_generator(0, "init", name), longest=S)


@pytest.mark.parametrize("name", CELLS)
def test_cell_step(benchmark: Benchmark, name: str) -> None:
    """One step forward, as decoding makes it."""
    cell = CELLS[name](H, H)
    inputs = torch.randn(B, H)
    state = cell.zeros(B, inputs)
    with torch.no_grad():
        benchmark(cell.step, inputs, state)


@pytest.mark.parametrize("name", CELLS)
def test_cell_over_time(benchmark: Benchmark, name: str) -> None:
    """S steps forward and backward, as encoders do."""
    cell = CELLS[name](H, H)
    inputs = torch.randn(B, S, H, requires_grad=True)
    state = cell.zeros(B, inputs)

    def run() -> None:
        outputs, _ = fastest(cell, inputs, state, None, None)
        outputs.sum().backward()  # type: ignore[no-untyped-call]

    benchmark(run)


@pytest.mark.parametrize("name", [name for name in ATTENTIONS if name != "none"])
def test_attention(benchmark: Benchmark, name: str) -> None:
    """T queries, one after another, forward and backward."""
    kind = ATTENTIONS[name]
    assert kind is not None
    attention = kind(Sizes(query=H, memory=H, longest=S, heads=4, span=2))
    memory = torch.randn(B, S, H, requires_grad=True)
    query = torch.randn(B, H, requires_grad=True)
    mask = torch.ones(B, S, dtype=torch.bool)

    def run() -> None:
        attend = attention.in_loop(attention.remember(memory, mask))
        total = torch.stack([attend(query, step) for step in range(T)]).sum()
        total.backward()  # type: ignore[no-untyped-call]

    benchmark(run)


@pytest.mark.parametrize("symbols", [101, 8000])
def test_output_layer_and_loss(benchmark: Benchmark, symbols: int) -> None:
    parts = (torch.randn(B * T, H), torch.randn(symbols, H), torch.zeros(symbols))
    readout = Readout(*(part.requires_grad_() for part in parts))
    target = torch.arange(B * T) % symbols
    benchmark(lambda: readout_loss(readout, target).backward())  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("name", values("optimizer"))
def test_optimizer(benchmark: Benchmark, name: Any) -> None:
    model = model_of("cell=lstm")
    optimizer = build_optimizer(parse(f"optimizer={name}"), model)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    benchmark(optimizer.step)


def test_batcher(benchmark: Benchmark) -> None:
    """An epoch of reversal, every batch padded and put together."""
    task = build_task("reversal")
    train = task.splits["train"]

    def run() -> None:
        for indices in length_batches(
            train.source.lengths, train.targets[0].lengths, B, numpy_generator(0, "order")
        ):
            collate(train.take(indices), task.facts, "cpu")

    benchmark(run)


@pytest.mark.parametrize("name", TIMED)
def test_training_step(benchmark: Benchmark, name: str) -> None:
    """Forward, backward, clipping and Adam."""
    variant, work = parse(f"{TIMED[name]},hidden={H},embedding={H}"), random_workload(SHAPE, "cpu")
    state = start(model_of(TIMED[name]), variant, 0, "cpu", Recipe())
    recipe = Recipe()
    fed = None
    if variant.forcing != "always":
        fed = torch.arange(B * T).view(B, T) % 2 == 0
    benchmark(recipe.step, state, variant, work.facts, recipe.loss, work.batches[0], fed)


@pytest.mark.parametrize("name", ["gru", "lstm", "luong fed", "bahdanau"])
def test_greedy_decoding(benchmark: Benchmark, name: str) -> None:
    model, work = model_of(TIMED[name]), random_workload(SHAPE, "cpu")
    benchmark(greedy, model, work.batches[0], T)


def test_building_a_task(benchmark: Benchmark) -> None:
    benchmark(build_task, "increment")


def test_scoring(benchmark: Benchmark) -> None:
    task = cached_task("reversal", None)
    test = task.splits["test"]
    outputs = [test.targets[0][index] for index in range(len(test))]
    benchmark(task.score, [outputs], test)
