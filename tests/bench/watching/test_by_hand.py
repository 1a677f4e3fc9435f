"""Proves that steps are recognised which a script takes without a torch optimizer, and no others.

A model of two matrices is trained in each way; its steps, its learning rate and the names of its
parameters must be found, and the training must come to the same numbers as without a watch.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import cast

import pytest
import torch
from torch import Tensor
from torch.func import grad

from bench.watching.record.recorder import Recorder

STEPS, RATE = 12, 0.125


def loss_of(params: dict[str, Tensor], ids: Tensor) -> Tensor:
    """Return the cross-entropy of copying symbols by an embedding and a layer."""
    scores = params["embedding"][ids] @ params["out"]
    return torch.nn.functional.cross_entropy(scores, ids)


def first() -> dict[str, Tensor]:
    """Return the first weights of a model of 6 symbols."""
    generator = torch.Generator().manual_seed(0)
    return {
        "embedding": torch.randn(6, 4, generator=generator).requires_grad_(),
        "out": torch.randn(4, 6, generator=generator).requires_grad_(),
    }


def batches() -> list[Tensor]:
    """Return the symbols of each step."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(0, 6, (5,), generator=generator) for _ in range(STEPS)]


def in_place(params: dict[str, Tensor]) -> dict[str, Tensor]:
    for ids in batches():
        loss_of(params, ids).backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for p in params.values():
                assert p.grad is not None
                p -= RATE * p.grad
                p.grad = None
    return params


def through_data(params: dict[str, Tensor]) -> dict[str, Tensor]:
    for ids in batches():
        for p in params.values():
            if p.grad is not None:
                p.grad.zero_()
        loss_of(params, ids).backward()  # type: ignore[no-untyped-call]
        for p in params.values():
            assert p.grad is not None
            p.data.add_(p.grad, alpha=-RATE)
    return params


def data_replaced(params: dict[str, Tensor]) -> dict[str, Tensor]:
    for ids in batches():
        gradients = torch.autograd.grad(loss_of(params, ids), list(params.values()))
        for p, gradient in zip(params.values(), gradients, strict=True):
            p.data = p.data - RATE * gradient
    return params


def all_at_once(params: dict[str, Tensor]) -> dict[str, Tensor]:
    for ids in batches():
        gradients = torch.autograd.grad(loss_of(params, ids), list(params.values()))
        with torch.no_grad():
            torch._foreach_add_(list(params.values()), gradients, alpha=-RATE)
    return params


def made_anew(params: dict[str, Tensor]) -> dict[str, Tensor]:
    for ids in batches():
        gradients = torch.autograd.grad(loss_of(params, ids), list(params.values()))
        pairs = zip(params.items(), gradients, strict=True)
        params = {k: (p - RATE * g).detach().requires_grad_() for (k, p), g in pairs}
    return params


def functional(params: dict[str, Tensor]) -> dict[str, Tensor]:
    params = {name: p.detach() for name, p in params.items()}
    for ids in batches():
        gradients = grad(loss_of)(params, ids)
        params = {name: p - RATE * gradients[name] for name, p in params.items()}
    return params


def copied(params: dict[str, Tensor]) -> dict[str, Tensor]:
    kept = {name: p.detach() for name, p in params.items()}
    for ids in batches():
        assert int(ids.max()) < 6
        params = {name: p.clone().requires_grad_() for name, p in kept.items()}
        loss_of(params, ids).backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            kept = {name: p - RATE * cast("Tensor", p.grad) for name, p in params.items()}
    return kept


WAYS = [in_place, through_data, data_replaced, all_at_once, made_anew, functional, copied]
Way = Callable[[dict[str, Tensor]], dict[str, Tensor]]


@pytest.mark.parametrize("way", WAYS)
def test_steps_by_hand_are_seen_with_their_rate(way: Way) -> None:
    recorder = Recorder()
    with recorder:
        params = way(first())
    assert recorder.error is None
    assert recorder.steps == STEPS
    assert recorder.curve.rates == pytest.approx([RATE] * STEPS, rel=1e-3)
    (seen,) = recorder.optimizers.seen
    assert seen.steps == STEPS
    assert seen.place is not None
    assert seen.place.file == __file__
    assert {recorder.names.of(p) for p in seen.parameters} == {
        "params['embedding']",
        "params['out']",
    }
    alone = in_place(first())
    for name, p in params.items():
        torch.testing.assert_close(p.detach(), alone[name].detach())
    for one in recorder.rounds:
        updated = [norms for norms in one.norms.values() if norms.update is not None]
        assert len(updated) == 2
        for norms in updated:
            assert norms.update == pytest.approx(RATE * norms.own, rel=1e-3)
            assert norms.own > 0


@pytest.mark.parametrize("way", [made_anew, functional, copied])
@pytest.mark.parametrize("forbids", [False, True], ids=["with gradients", "no_grad"])
def test_an_evaluation_between_two_trainings_is_no_step(way: Way, forbids: bool) -> None:
    recorder = Recorder()
    with recorder:
        params = way(first())
        (ids, *_) = batches()
        with torch.set_grad_enabled(not forbids):
            given = {name: p.detach() for name, p in params.items()}
            chosen = (given["embedding"][ids] @ given["out"]).argmax(-1)
        way({name: p.detach().requires_grad_() for name, p in params.items()})
    assert recorder.error is None
    assert recorder.steps == 2 * STEPS
    evaluation = recorder.evaluations[-1]
    assert evaluation.after == STEPS
    assert "argmax" in {call.name for call in evaluation.tape.calls}
    assert chosen.shape == ids.shape


@pytest.mark.parametrize("way", WAYS)
def test_a_watch_changes_no_number(way: Way) -> None:
    with Recorder():
        watched = way(first())
    for name, p in way(first()).items():
        assert torch.equal(p, watched[name])


def test_a_step_that_is_no_multiple_of_the_gradient_has_no_rate() -> None:
    params = first()
    with Recorder() as recorder:
        memory = {name: torch.zeros_like(p) for name, p in params.items()}
        for ids in batches():
            loss_of(params, ids).backward()  # type: ignore[no-untyped-call]
            with torch.no_grad():
                for name, p in params.items():
                    assert p.grad is not None
                    memory[name].mul_(0.9).add_(p.grad.sign())
                    p -= 0.01 * memory[name]
                    p.grad = None
    assert recorder.steps == STEPS
    assert all(math.isnan(rate) for rate in recorder.curve.rates)


def test_other_writes_to_weights_are_no_steps() -> None:
    embedding, layer = torch.nn.Embedding(6, 4), torch.nn.Linear(4, 6)
    model = torch.nn.Sequential(embedding, layer)
    with Recorder() as recorder:
        average = copy.deepcopy(model)
        optimizer = torch.optim.SGD(model.parameters(), RATE)
        for ids in batches():
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(ids), ids)
            loss.backward()  # type: ignore[no-untyped-call]
            with torch.no_grad():
                embedding.weight[0].zero_()  # as for padding
            optimizer.step()
            with torch.no_grad():
                for mine, other in zip(average.parameters(), model.parameters(), strict=True):
                    mine.mul_(0.9).add_(other, alpha=0.1)
                layer.weight.clamp_(-1, 1)
    assert recorder.error is None
    assert recorder.steps == STEPS
    assert recorder.curve.rates == [RATE] * STEPS
    assert [seen.kind for seen in recorder.optimizers.seen] == ["SGD"]
