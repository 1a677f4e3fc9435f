"""Proves that a watch changes no number of a training, and leaves nothing behind when it ends."""

from __future__ import annotations

import contextlib
import gc
import random
import runpy
import weakref
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules import module as module_hooks
from torch.optim import Optimizer, optimizer
from torch.overrides import _get_current_function_mode_stack

from bench.watching.record.sampling import FIRST_ROUNDS, MOST_ROUNDS, sampled
from bench.watching.watch import Watch
from tests.wild.scripts import scripts

STEPS = 14
"""Steps that scripts take here; the last ones are recorded after a pause."""


class EnoughError(Exception):
    """Ends a script after its steps."""


class Losses(list[float]):
    """Takes the loss of each step, and ends the script when it has enough."""

    def append(self, loss: float) -> None:
        """Keep a loss."""
        if len(self) >= STEPS:
            raise EnoughError
        super().append(loss)


def numbers(script: Path, watch: Watch | None) -> dict[str, Any]:
    """Run a script for some steps; return losses, weights and the state of all generators."""
    np.random.seed(0)  # not every script does
    losses = Losses()
    weights: list[Tensor] = []

    def count(stepped: Optimizer, *_: Any) -> None:
        weights[:] = [
            parameter.detach().clone()
            for group in stepped.param_groups
            for parameter in group["params"]
        ]

    handle = optimizer.register_optimizer_step_post_hook(count)
    try:
        with pytest.raises(EnoughError), watch or contextlib.nullcontext():
            runpy.run_path(str(script), {"_losses": losses}, "__main__")
    finally:
        handle.remove()
    return {
        "losses": losses,
        "weights": weights,
        "torch": torch.get_rng_state(),
        "python": random.getstate(),
        "numpy": np.random.random(4).tolist(),  # what it draws next
    }


@pytest.mark.parametrize("style", ["number_words", "date_notebook"])
def test_losses_weights_and_generators_are_the_same_to_the_bit(
    style: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (text,) = [s.text for s in scripts("building") if s.title == f"{style}/train"]
    assert text.count("loss.backward()") == 1
    script = tmp_path / "train.py"
    script.write_text(
        text.replace("loss.backward()", "_losses.append(loss.item()); loss.backward()"), "utf-8"
    )
    monkeypatch.setattr("sys.argv", [str(script), "0"])
    alone = numbers(script, None)
    watch = Watch()
    watched = numbers(script, watch)
    assert watch.steps == len(alone["losses"]) == STEPS
    assert not [text for text in watch.watched.unseen if "error in bench" in text]
    assert watched["losses"] == alone["losses"]
    assert all(map(torch.equal, watched["weights"], alone["weights"]))
    assert torch.equal(watched["torch"], alone["torch"])
    assert watched["python"] == alone["python"]
    assert watched["numpy"] == alone["numpy"]


class Small(nn.Module):
    """Turns sequences round: a GRU reads them, another one writes."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(9, 8)
        self.encoder = nn.GRU(8, 8, batch_first=True)
        self.decoder = nn.GRU(8, 8, batch_first=True)
        self.out = nn.Linear(8, 9)

    def forward(self, source: Tensor, fed: Tensor) -> Tensor:
        """Return logits (B, T, 9) for ids (B, S) and (B, T)."""
        state = self.encoder(self.embedding(source))[1]
        logits: Tensor = self.out(self.decoder(self.embedding(fed), state)[0])
        return logits


def train(
    steps: int = 4, slip: bool = False, at_end: Callable[[], None] = lambda: None
) -> tuple[nn.Module, Optimizer]:
    """Train a small model; the slip is a softmax before the loss."""
    torch.manual_seed(0)
    model = Small()
    chosen = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(steps):
        # sequences of 3 to 6 symbols, padding 0, start 1, end 2
        source, fed, target = torch.zeros(3, 6, 7, dtype=torch.long).unbind()
        for row, length in enumerate((3, 6, 4, 5, 6, 3)):
            symbols = torch.randint(3, 9, (length,))
            source[row, :length], fed[row, 0] = symbols, 1
            fed[row, 1 : length + 1] = target[row, :length] = symbols.flip(0)
            target[row, length] = 2
        logits = model(source, fed)
        if slip:
            logits = logits.softmax(-1)
        loss = functional.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=0)
        chosen.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        chosen.step()
    at_end()
    return model, chosen


def fail() -> None:
    raise ValueError("the reader of the next batch failed")


def traces(model: nn.Module | None = None, chosen: Optimizer | None = None) -> list[Any]:
    """Return everything in the process by which a watch sees, and the hooks of these two."""
    left: list[Any] = [
        list(_get_current_function_mode_stack()),  # type: ignore[no-untyped-call]
        dict(module_hooks._global_forward_pre_hooks),
        dict(module_hooks._global_forward_hooks),
        dict(module_hooks._global_backward_hooks),
        dict(module_hooks._global_backward_pre_hooks),
        dict(optimizer._global_optimizer_pre_hooks),
        dict(optimizer._global_optimizer_post_hooks),
        [Optimizer.zero_grad, nn.Module.zero_grad, Optimizer.__init__, BaseProcess.start],
        [Optimizer.step, nn.Module.__call__, Tensor.backward, torch.autograd.backward],
    ]
    if model is not None and chosen is not None:
        for inner in model.modules():
            left += [dict(inner._forward_hooks), dict(inner._forward_pre_hooks)]
            left += [dict(inner._backward_hooks), dict(inner._backward_pre_hooks)]
            left += [parameter._backward_hooks for parameter in inner.parameters()]
        left += [dict(chosen._optimizer_step_pre_hooks), dict(chosen._optimizer_step_post_hooks)]
    return left


def test_nothing_is_left_behind() -> None:
    before = traces(*train())
    with Watch() as doctor:
        inside = traces()
        model, chosen = train()
    assert inside[0] != before[0]  # what is compared changes while a watch is on
    assert inside[1] != before[1]
    assert inside[7] != before[7]
    assert traces(model, chosen) == before
    assert doctor.steps == 4


@pytest.mark.parametrize("slip", [False, True])
def test_an_exception_passes_on_and_what_was_seen_is_judged(slip: bool) -> None:
    before = traces()
    doctor = Watch()
    with pytest.raises(ValueError, match="the reader of the next batch failed"), doctor:
        train(slip=slip, at_end=fail)
    assert traces() == before
    causes = {finding.cause for finding in doctor.findings}
    assert causes == {"script-raises"} | ({"probabilities-as-logits"} if slip else set())


def test_a_watch_within_a_watch_is_refused_and_the_outer_one_goes_on() -> None:
    before = traces()
    with Watch() as outer:
        train(2, slip=True)
        with pytest.raises(RuntimeError, match="on already, and there can be one"), Watch():
            pass
        train(3, slip=True)
    assert traces() == before
    assert outer.steps == 5
    assert [finding.cause for finding in outer.findings] == ["probabilities-as-logits"]


def test_a_second_watch_sees_its_own_training_only() -> None:
    with Watch() as first:
        train(slip=True)
    with Watch() as second:
        train(3)
    with Watch() as third:
        train(slip=True)
    assert [finding.cause for finding in first.findings] == ["probabilities-as-logits"]
    assert second.findings == []
    assert second.steps == 3
    assert [f.evidence for f in third.findings] == [f.evidence for f in first.findings]


def watched_model(seen: list[weakref.ref[nn.Module]]) -> None:
    """Train under a watch that is gone when this returns, and add the model to what was seen."""
    with Watch():
        seen.append(weakref.ref(train()[0]))


def test_a_watch_that_is_gone_keeps_no_model_alive() -> None:
    seen: list[weakref.ref[nn.Module]] = []
    watched_model(seen)
    gc.collect()
    assert [model() for model in seen] == [None]


def test_few_steps_of_many_are_recorded() -> None:
    """The first ones, then pairs that lie ever further apart."""
    recorded = [index for index in range(100_000) if sampled(index)]
    assert recorded[:FIRST_ROUNDS] == list(range(FIRST_ROUNDS))
    counts = [sum(index < steps for index in recorded) for steps in (10, 100, 1_000, 10_000)]
    assert counts == [5, 19, 31, 45]
    doctor = Watch()
    with doctor:
        train(100)
    assert doctor.steps == 100
    assert len(doctor._recorder.rounds) <= MOST_ROUNDS
