"""Proves that a planted fault is the fault that it says, and that it does its harm."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from typing import Any

import pytest
import torch

from bench.doctor.faults import FAULTS, planted
from bench.runner import execute
from bench.specs import Budget, make
from bench.training.batching import collate
from bench.training.state import Recipe
from tasks import EOS, PAD, build
from tests.small import SEQUENCES, built, rows, sequences
from variants.axes import parse


def ran(fault: str, steps: int = 60) -> dict[str, Any]:
    """The outcome of a small run with a fault."""
    task = build("increment:pairs=12")
    variant = asdict(parse("hidden=32,embedding=16,learning_rate=0.02"))
    budget = Budget(steps=steps, batch=12, every=steps // 3, stop="budget")
    spec = make("increment:pairs=12", task.digest(), variant, budget, 0, "cpu", fault=fault)
    outcome: dict[str, Any] = execute(spec, None, lambda point, clock: None)["outcome"]
    return outcome


def test_a_softmax_over_time_cannot_get_below_what_the_data_allow() -> None:
    """A symbol that stands k times in a row of targets costs k ln k there at the least."""
    split = build("increment:pairs=12").splits["train"]
    steps = int(split.targets[0].lengths.max()) + 1
    total = 0.0
    for target in split.targets[0]:
        ids = [*target.tolist(), EOS, *[PAD] * (steps - len(target) - 1)]
        total += sum(count * math.log(count) for count in Counter(ids).values())
    floor = total / len(split) / steps
    outcome = ran("softmax-over-time", 300)
    losses = [point["loss"] for point in outcome["curve"]]
    assert losses[-1] == pytest.approx(floor, rel=0.05)
    assert outcome["scores"]["test"]["exact_match"] < 0.5
    assert ran("", 300)["curve"][-1]["loss"] < floor / 3


def test_it_is_the_time_axis() -> None:
    batch = sequences(rows(1, 4))
    loss = planted("softmax-over-time", Recipe()).loss
    model = built("attention=none")
    with torch.no_grad():
        for value in model.parameters():
            value.zero_()
        even = loss(model, batch, None, None, SEQUENCES, 0.0)
    assert float(even) == pytest.approx(math.log(batch.mask_BT.shape[1]))


def test_unshifted_targets_are_fed() -> None:
    task = build("opposites")
    train = task.splits["train"]
    batch = planted("unshifted-targets", Recipe()).collate(train, task.facts, "cpu")
    assert torch.equal(batch.inputs_BT, batch.targets[0])
    healthy = collate(train, task.facts, "cpu")
    assert torch.equal(batch.targets[0], healthy.targets[0])
    assert not torch.equal(batch.inputs_BT, healthy.inputs_BT)
    outcome = ran("unshifted-targets", 150)
    test = outcome["scores"]["test"]
    assert test["forced_accuracy"] == 1.0, "it need but copy what it is fed"
    assert test["exact_match"] < 0.2


@pytest.mark.parametrize("name", FAULTS)
def test_faults_say_what_they_are(name: str) -> None:
    assert len(FAULTS[name].about.split()) > 8
    changed = [
        key
        for key, value in vars(planted(name, Recipe())).items()
        if value is not vars(Recipe())[key]
    ]
    assert len(changed) == 1, "one function of the recipe"


def test_an_unknown_fault_is_told() -> None:
    assert planted("", recipe := Recipe()) is recipe
    with pytest.raises(ValueError, match="'typo' is not one of softmax-over-time"):
        planted("typo", Recipe())
