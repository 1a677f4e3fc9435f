"""Proves that recording parameters and layers changes nothing, and that its figures are right."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
import torch
from torch import nn

from bench.doctor.inside import layer_figures
from bench.runner import execute, execute_group
from bench.specs import Budget, RunSpec, make
from bench.training.layers import first_rows, parameter_figures
from tasks import build
from tests.small import built, labelled, rows, sequences
from variants.axes import parse

STEPS, EVERY = 60, 20


def spec(variant: str, task: str = "opposites", seed: int = 0, execution: str = "eager") -> RunSpec:
    return make(
        task,
        build(task).digest(),
        asdict(parse(f"hidden=16,embedding=8,{variant}")),
        Budget(steps=STEPS, every=EVERY, batch=8, stop="budget"),
        seed,
        "cpu",
        execution=execution,
    )


def outcome(one: RunSpec, layers: bool) -> dict[str, Any]:
    made: dict[str, dict[str, Any]] = execute(
        one, None, lambda p, c: None, examined=True, layers=layers
    )
    return made["outcome"]


@pytest.mark.parametrize(
    ("variant", "task"),
    [
        ("cell=lstm,attention=additive,dropout=0.2", "opposites"),
        ("forcing=constant,coin=token", "opposites"),
        ("cell=transformer", "opposites"),
        ("cell=lstm,direction=bidirectional", "keyphrase"),
    ],
)
def test_a_run_is_the_same_to_the_last_bit_with_and_without(variant: str, task: str) -> None:
    without, recorded = (outcome(spec(variant, task), layers) for layers in (False, True))
    points = recorded.pop("layers")
    assert recorded == without
    assert [point["step"] for point in points] == [20, 40, 60]


def test_replicas_record_too_and_learn_the_same() -> None:
    def done(layers: bool) -> list[dict[str, Any]]:
        group = [spec("cell=lstm", seed=seed, execution="replicas") for seed in (0, 1)]
        quiet = [lambda point, clock: None] * 2
        records = execute_group(group, None, quiet, [None] * 2, layers=layers)
        return [record["outcome"] for record in records]

    without, recorded = done(False), done(True)
    points = [run.pop("layers") for run in recorded]
    assert recorded == without
    assert points[0] != points[1]
    alone = outcome(spec("cell=lstm"), True)["layers"]
    for together, single in zip(points[0], alone, strict=True):
        assert together["parameters"].keys() == single["parameters"].keys()
        for name, figures in single["parameters"].items():
            assert together["parameters"][name] == pytest.approx(figures, rel=1e-2), name


def test_the_norms_of_the_curve_are_those_of_all_parameters_together() -> None:
    made = outcome(spec("clip=0.1"), True)
    for point, layers in zip(made["curve"], made["layers"], strict=True):
        norms = [figures["gradient_norm"] for figures in layers["parameters"].values()]
        total = sum(norm**2 for norm in norms) ** 0.5
        assert point["gradient_norm"] > 0.1  # it was clipped, and the figures are those before
        assert total == pytest.approx(point["gradient_norm"], rel=1e-3)


def test_figures_of_a_step_of_sgd_by_hand() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(3, 2).double()
    before = [parameter.detach().clone() for parameter in layer.parameters()]
    inputs = torch.tensor([[1.0, 0.0, 2.0]], dtype=torch.float64)  # one column has no gradient
    layer(inputs).sum().backward()
    # for a sum, the gradient of W is the input in each row, and that of the bias is 1
    weight, bias = torch.tensor([[1.0, 0.0, 2.0]] * 2).double(), torch.ones(2).double()
    norm = torch.sqrt((weight**2).sum() + (bias**2).sum())
    assert float(nn.utils.clip_grad_norm_(layer.parameters(), 0.5)) == pytest.approx(float(norm))
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    optimizer.step()
    now = [parameter.detach() for parameter in layer.parameters()]
    gradients = [parameter.grad for parameter in layer.parameters()]
    found = parameter_figures(["weight", "bias"], now, before, gradients, norm)
    shrunk = 0.5 / float(norm)
    for name, value, old, gradient in (
        ("weight", now[0], before[0], weight),
        ("bias", now[1], before[1], bias),
    ):
        moved = 0.1 * shrunk * gradient
        torch.testing.assert_close(value, old - moved, rtol=0, atol=1e-6)
        assert found[name] == pytest.approx(
            {
                "gradient_norm": float(gradient.norm()),
                "weight_norm": float(value.norm()),
                "update_ratio": float(moved.norm() / value.norm()),
                "zero_gradients": float((gradient == 0).double().mean()),
            },
            rel=1e-4,
        )


def test_a_parameter_without_gradient_has_none() -> None:
    weight = torch.ones(2)
    found = parameter_figures(["left"], [weight], [weight], [None], torch.zeros(()))
    assert found["left"] == {
        "gradient_norm": 0.0,
        "weight_norm": pytest.approx(2**0.5, rel=1e-4),
        "update_ratio": 0.0,
        "zero_gradients": 1.0,
    }


def test_memory_and_saturation_of_a_layer_are_those_of_torchs_own_lstm() -> None:
    batch = sequences(rows(0, 4, even=True))
    model = built("cell=lstm,hidden=6,embedding_init=normal")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(60.0)  # large, so that something is beyond 0.99
    found = layer_figures(model, batch)["encoder.stack.cells.0"]
    names = dict(model.named_parameters())
    lstm = nn.LSTMCell(5, 6).double()
    for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(lstm, part).data = names[f"encoder.stack.cells.0.layer.{part}_l0"].data
    h, c = (torch.zeros(4, 6, dtype=torch.float64) for _ in range(2))
    embedded = nn.functional.embedding(batch.source_BS, names["embedding.table"])
    memories, outputs = [], []
    with torch.no_grad():
        for t in range(batch.source_BS.shape[1]):
            h, c = lstm(embedded[:, t], (h, c))
            memories.append(c.abs())
            outputs.append(h.abs())
    assert found["memory"] == pytest.approx(float(torch.stack(memories).mean()), rel=1e-4)
    assert found["memory_largest"] == pytest.approx(float(torch.stack(memories).max()), rel=1e-4)
    saturated = float((torch.stack(outputs) > 0.99).double().mean())
    assert 0 < saturated < 1
    assert found["saturation"] == pytest.approx(saturated, rel=1e-4)


def test_every_layer_of_a_tagger_is_measured() -> None:
    model = built("depth=2,direction=bidirectional", tagging=True)
    found = layer_figures(model, labelled([[3, 4, 5], [6, 7]]))
    assert len(found) == 8  # two parts, each of two layers that are read both ways


def test_evaluations_close_to_each_other_are_not_all_recorded() -> None:
    made = spec("cell=gru")
    often = make(made.task, made.data, made.variant, Budget(steps=50, every=15), 0, "cpu")
    assert [point["step"] for point in outcome(often, True)["layers"]] == [15, 45]


def test_first_rows_score_as_they_do_in_their_batch() -> None:
    batch, model = sequences(rows(3, 5)), built("attention=additive,embedding_init=normal")
    few = first_rows(batch, 2)
    with torch.no_grad():
        (whole,), (first,) = model.score(batch), model.score(few)
    real = first.view(*few.mask_BT.shape, -1)[few.mask_BT]
    torch.testing.assert_close(real, whole[: len(real)], rtol=0, atol=1e-10)
