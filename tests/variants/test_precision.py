"""Proves that bf16 and fp16 compute in that format, train, and agree roughly with fp32.

A model from outside does so too, and weights kept when half precision was a wrapper are read.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bench.runner import execute
from bench.specs import Budget, make
from bench.training.randomness import torch_generator
from bench.training.weights import load_trained
from tasks import build as build_task
from tests.small import CLASSES, LONGEST, SMALL, SOURCES, TARGETS, labelled, rows, sequences
from variants import Batch, Encoded, Model, Step, build, real
from variants.axes import parse
from variants.models import MODELS, ModelKind
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
    base = parse("hidden=32,embedding=32,learning_rate=0.01")
    variant = parse(f"precision={precision},attention=additive", base)
    task = build_task(label)
    spec = make(label, task.digest(), asdict(variant), Budget(steps=300, every=10), 0, "cpu")
    outcome = execute(spec, None, lambda point, timed: None)["outcome"]
    assert outcome["status"] == "solved", outcome.get("error")
    assert outcome == execute(spec, None, lambda point, timed: None)["outcome"]


def test_weights_kept_by_the_wrapper_of_before_are_read(tmp_path: Path) -> None:
    """Half precision was a wrapper once, whose weights had names that begin with `model.`."""
    task = build_task("opposites")
    variant = asdict(parse("precision=bf16,hidden=8,embedding=5"))
    spec = make("opposites", task.digest(), variant, Budget(steps=2, every=1), 0, "cpu")
    file, of_before = tmp_path / "now.safetensors", tmp_path / "before.safetensors"
    execute(spec, None, lambda point, timed: None, file)
    kept = load_file(file)
    save_file({f"model.{name}": value for name, value in kept.items()}, of_before)
    found = load_trained(spec, task, None, of_before).state_dict()
    assert found.keys() == kept.keys()
    assert all(torch.equal(found[name], kept[name]) for name in kept)


def test_a_part_named_model_keeps_its_name() -> None:
    class Wrapping(Model):
        def __init__(self) -> None:
            super().__init__()
            self.model = nn.Linear(2, 2)

    own = Wrapping()
    own.load_state_dict({name: value + 1 for name, value in own.state_dict().items()})
    own.load_state_dict({f"model.{name}": value for name, value in own.state_dict().items()})
    with pytest.raises(RuntimeError, match="Missing key"):
        own.load_state_dict({"weight": own.model.weight, "bias": own.model.bias})


class Passes:
    """The passes of a model from outside, which call each other."""

    inner: nn.Linear
    output: nn.Linear
    formats: set[torch.dtype]

    def encode(self, batch: Batch) -> Encoded:
        means_B1 = batch.source_BS.float().mean(1, keepdim=True)
        return Encoded(means_B1, means_B1)

    def step(self, tokens_B: Tensor, state: Any, memory: Any) -> Step:
        hidden_BH = self.inner(torch.cat([memory, tokens_B[:, None].float()], dim=1))
        self.formats.add(hidden_BH.dtype)
        return Step(self.output(hidden_BH), state, None)

    def score(
        self, batch: Batch, fed_BT: Tensor | None = None, dropout: torch.Generator | None = None
    ) -> tuple[Tensor, ...]:
        memory, state = self.encode(batch)
        steps = [self.step(tokens_B, state, memory)[0] for tokens_B in batch.inputs_BT.unbind(1)]
        self.formats.add(steps[0].dtype)
        return (real(torch.stack(steps, dim=1), batch),)


@pytest.mark.parametrize("base", [Model, nn.Module])
@pytest.mark.parametrize("precision", TYPES)
def test_a_model_from_outside_computes_in_it(
    precision: str, base: type[nn.Module], registries_put_back: None
) -> None:
    class Outside(Passes, base):  # type: ignore[valid-type, misc]
        def __init__(self, plan: Any) -> None:
            super().__init__()
            self.inner, self.output = nn.Linear(2, 4), nn.Linear(4, TARGETS)
            self.formats = set()

    axes = frozenset({"hidden", "embedding", "embedding_init"})
    MODELS["outside"] = ModelKind(Outside, axes, "a model from outside")
    batch = sequences(rows(1, 4))
    plain: Any = single("cell=outside")
    small: Any = single(f"cell=outside,precision={precision}")
    assert isinstance(small, Outside)
    assert list(small.state_dict()) == list(plain.state_dict())
    (exact,), (rough,) = plain.score(batch), small.score(batch)
    # the whole pass is in that format, steps that it calls included, and its logits are not
    assert (plain.formats, small.formats) == ({torch.float32}, {TYPES[precision]})
    assert rough.dtype == torch.float32
    torch.testing.assert_close(exact, rough, rtol=0.05, atol=0.05)
    memory, state = small.encode(batch)
    assert small.step(batch.inputs_BT[:, 0], state, memory).logits_BV.dtype == torch.float32
