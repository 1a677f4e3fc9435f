"""Proves that bf16 and fp16 compute in that format, train, and agree roughly with fp32."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import torch

from bench.runner import execute
from bench.specs import Budget, make
from bench.training.randomness import torch_generator
from tasks import build as build_task
from tests.small import CLASSES, LONGEST, SMALL, SOURCES, TARGETS, labelled, rows, sequences
from variants import Model, build
from variants.axes import parse
from variants.precision import TYPES

TEXTS = (
    "cell=gru,attention=general",
    "cell=lstm,direction=bidirectional,attention=additive,input_feeding=on",
    "cell=slstm,attention=local-p",
    "cell=mingru",
    "cell=lstm-layernorm,attention=multihead",
    "cell=transformer",
)


def single(text: str, tagging: bool = False) -> Model:
    return build(
        parse(text, SMALL),
        SOURCES,
        CLASSES if tagging else (TARGETS,),
        tagging,
        lambda name: torch_generator(0, "init", name),
        LONGEST,
    )


@pytest.mark.parametrize("precision", TYPES)
@pytest.mark.parametrize("text", TEXTS)
def test_near_single_precision(text: str, precision: str) -> None:
    batch = sequences(rows(1, 4))
    plain, small = single(text), single(f"{text},precision={precision}")
    assert small.number_format == TYPES[precision]
    assert small.state_dict().keys() == plain.state_dict().keys()
    (exact,), (rough,) = plain.score(batch), small.score(batch)
    assert rough.dtype == torch.float32
    assert not torch.equal(exact, rough), "nothing was computed in the smaller format"
    torch.testing.assert_close(exact, rough, rtol=0.05, atol=0.05)
    rough.sum().backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in small.parameters())
    memory, state = small.encode(batch)
    tokens = batch.inputs_BT[:, 0]
    for _ in range(2):
        logits, state, _ = small.step(tokens, state, memory)
        assert logits.dtype == torch.float32
        tokens = logits.argmax(-1)


@pytest.mark.parametrize("precision", TYPES)
def test_a_tagger_too(precision: str) -> None:
    batch = labelled([source for source, _ in rows(1, 4)])
    for exact, rough in zip(
        single("base", True).score(batch),
        single(f"precision={precision}", True).score(batch),
        strict=True,
    ):
        torch.testing.assert_close(exact, rough, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("precision", TYPES)
def test_a_run_is_solved(precision: str) -> None:
    label = "opposites"
    variant = parse(f"precision={precision},attention=additive")
    task = build_task(label)
    spec = make(label, task.digest(), asdict(variant), Budget(steps=300, every=10), 0, "cpu")
    outcome = execute(spec, None, lambda point, timed: None)["outcome"]
    assert outcome["status"] == "solved", outcome.get("error")
    assert outcome == execute(spec, None, lambda point, timed: None)["outcome"]
