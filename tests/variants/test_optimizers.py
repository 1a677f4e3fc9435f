"""Proves that every optimizer is what it says, and that muon takes the matrices meant for it."""

from __future__ import annotations

import math
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from tests.small import built
from variants.optimizers import OPTIMIZERS, CombinedOptimizer

LR, DECAY = 0.1, 0.01


def named(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return list(model.named_parameters())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_one_descends(name: str) -> None:
    """On a bowl, from anywhere."""
    weight = nn.Parameter(torch.tensor([[3.0, -2.0], [0.5, 1.0]]))
    rate = 1.0 if name == "adadelta" else 0.05
    optimizer = OPTIMIZERS[name].build([("w", weight)], rate, 0.0)
    first = float(weight.detach().square().sum())
    for _ in range(200):
        optimizer.zero_grad()
        weight.square().sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert float(weight.detach().square().sum()) < 0.5 * first


def one_step(name: str, weight: torch.Tensor, gradients: list[torch.Tensor]) -> torch.Tensor:
    parameter = nn.Parameter(weight.clone())
    optimizer = OPTIMIZERS[name].build([("w", parameter)], LR, DECAY)
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
    return parameter.detach()


W = torch.tensor([1.0, -2.0], dtype=torch.float64)
G1 = torch.tensor([0.3, 0.1], dtype=torch.float64)
G2 = torch.tensor([-0.2, 0.4], dtype=torch.float64)


def test_sgd_is_its_equation() -> None:
    torch.testing.assert_close(one_step("sgd", W, [G1]), W - LR * (G1 + DECAY * W))


def test_momentum_and_nesterov_are_their_equations() -> None:
    """v = 0.9 v + g; w -= lr v, or with Nesterov w -= lr (g + 0.9 v)."""
    for name in ("momentum", "nesterov"):
        w, v = W, torch.zeros_like(W)
        for gradient in (G1, G2):
            g = gradient + DECAY * w
            v = 0.9 * v + g
            w = w - LR * (g + 0.9 * v if name == "nesterov" else v)
        torch.testing.assert_close(one_step(name, W, [G1, G2]), w)


def test_adam_and_adamw_decay_differently() -> None:
    """Adam's first step has the size of the learning rate, whatever the gradient."""
    g = G1 + DECAY * W
    torch.testing.assert_close(one_step("adam", W, [G1]), W - LR * g / (g.abs() + 1e-8))
    decayed = W * (1 - LR * DECAY)
    torch.testing.assert_close(one_step("adamw", W, [G1]), decayed - LR * G1 / (G1.abs() + 1e-8))


MUON = pytest.mark.skipif("muon" not in OPTIMIZERS, reason="this torch has no Muon")


@MUON
def test_muon_takes_inner_matrices() -> None:
    model = built("cell=lstm,attention=additive")
    optimizer = OPTIMIZERS["muon"].build(named(model), LR, DECAY)
    assert isinstance(optimizer, CombinedOptimizer)
    muon, rest = optimizer.optimizers
    assert isinstance(muon, torch.optim.Muon)
    taken = {id(p) for group in muon.param_groups for p in group["params"]}
    for name, parameter in named(model):
        edge = name.endswith(("embedding.table", "output.weight"))
        matrix = parameter.ndim == 2 and min(parameter.shape) > 1
        assert (id(parameter) in taken) == (matrix and not edge), name
    assert len(taken) + sum(len(g["params"]) for g in rest.param_groups) == len(named(model))


@MUON
def test_a_learning_rate_reaches_both() -> None:
    optimizer = OPTIMIZERS["muon"].build(named(built("base")), LR, 0.0)
    assert isinstance(optimizer, CombinedOptimizer)
    for group in optimizer.param_groups:
        group["lr"] = 0.5
    assert [g["lr"] for one in optimizer.optimizers for g in one.param_groups] == [0.5, 0.5]


@MUON
def test_together_goes_on_from_its_state() -> None:
    def begun() -> tuple[nn.Linear, torch.optim.Optimizer]:
        layer = nn.Linear(3, 3)
        return layer, OPTIMIZERS["muon"].build(named(layer), LR, 0.0)

    def go(layer: nn.Linear, optimizer: torch.optim.Optimizer, steps: int) -> None:
        for step in range(steps):
            optimizer.zero_grad()
            layer(torch.full((1, 3), 1.0 + step)).square().sum().backward()
            optimizer.step()

    layer, optimizer = begun()
    go(layer, optimizer, 3)
    copy, other = begun()
    copy.load_state_dict(layer.state_dict())
    other.load_state_dict(deepcopy(optimizer.state_dict()))
    go(layer, optimizer, 2)
    go(copy, other, 2)
    assert torch.equal(layer.weight, copy.weight)
    assert torch.equal(layer.bias, copy.bias)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_first_step_that_overflows_is_left_out(name: str) -> None:
    """As fp16's may: weights stay as they are, and the next step is as if it were the first."""
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(4, 3, generator=generator)
    gradient = torch.randn(4, 3, generator=generator)

    def trained(first: float | None) -> Tensor:
        weights = nn.Parameter(start.clone())
        optimizer = OPTIMIZERS[name].build([("layer.weight", weights)], 0.1, 0.0)
        scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
        for factor in ([] if first is None else [first]) + [1.0]:
            weights.grad = None
            loss = (weights * gradient * factor).sum()
            scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            scaler.unscale_(optimizer)
            # memory that is handed out unset is seen to be
            junk = [torch.full((4, 3), 1e30) for _ in range(64)]
            del junk
            scaler.step(optimizer)
            scaler.update()
        return weights.detach()

    torch.testing.assert_close(trained(math.inf), trained(None))
