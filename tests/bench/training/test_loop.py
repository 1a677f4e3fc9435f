"""Proves of a run, from its spec to its record, that

- the same spec gives the same outcome bit for bit, and a stopped run goes on as if never stopped;
- its losses are those that this version of the numerics has always given (golden losses);
- it trains as long as its budget says, selects on valid alone and reads test once, at the end;
- what it reports of a step (gradient norm, clipping, update ratio) is so;
- a run that diverges or fails is recorded as such, with the reason.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.runner import execute
from bench.specs import NUMERICS, Budget, RunSpec, make
from bench.training import evaluation, loop
from bench.training.batching import DataPosition, collate, endless
from bench.training.decoding import Decoding
from bench.training.evaluation import Collate, Evaluation
from bench.training.loop import train
from bench.training.losses import mean_loss, training_loss
from bench.training.process import RunError
from bench.training.state import Recipe, Setting, TrainState, start, train_step
from bench.training.weights import build_initial, load_trained
from tasks import EOS, Indices, Split, Task
from tasks import build as build_task
from tests.small import SEQUENCES, built, rows, sequences
from variants import Batch, Model, Readout, Variant, real
from variants.axes import parse

SMALL = parse("hidden=8,embedding=6")
LABEL = "increment:pairs=12"


def spec(
    text: str = "base", budget: Budget | None = None, label: str = LABEL, seed: int = 0
) -> RunSpec:
    budget = budget or Budget(steps=6, batch=4, every=3, stop="budget")
    return make(label, "no digest", asdict(parse(text, SMALL)), budget, seed, "cpu")


@pytest.fixture(autouse=True)
def any_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Specs of these tests do not say what the data is."""
    monkeypatch.setattr("bench.runner.cached_digest", lambda label, data: "no digest")


def ran(given: RunSpec) -> dict[str, Any]:
    """The outcome of a spec."""
    record = execute(given, None, lambda point, timed: None)
    assert record["id"] == given.id
    # as it is stored: no infinity, no NaN, nothing but plain values
    json.dumps(record, allow_nan=False)
    outcome: dict[str, Any] = record["outcome"]
    return outcome


def prepared(
    text: str = "base",
    budget: Budget | None = None,
    task: Task | None = None,
    recipe: Recipe | None = None,
) -> tuple[TrainState, Setting]:
    """A state before its first step, and its setting, without `execute` around them."""
    given = spec(text, budget)
    task, recipe = task or build_task(LABEL), recipe or Recipe()
    variant = parse(text, SMALL)
    setting = Setting(task, variant, given.budget, given.seed, "cpu", recipe)
    state = start(build_initial(given, task), variant, given.seed, "cpu", recipe)
    return state, setting


def finish(state: TrainState, setting: Setting) -> TrainState:
    train(state, setting, lambda point, timed: None)
    return state


def weights(model: Model) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def same_weights(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# the same again

CONSTANT = "dropout=0.3,forcing=constant,forcing_rate=0.5"


@pytest.mark.parametrize("label", [LABEL, "opposites"])
@pytest.mark.parametrize("text", [CONSTANT, f"cell=lstm,attention=dot,{CONSTANT}"])
def test_same_spec_same_outcome(label: str, text: str) -> None:
    given = spec(text, label=label)
    first = ran(given)
    assert first["status"] == "finished"
    torch.manual_seed(99)  # what the process did before does not matter
    torch.rand(7)
    assert ran(given) == first
    assert ran(spec(text, label=label, seed=1))["curve"] != first["curve"]


def first_state(setting: Setting, seed: int = 0) -> TrainState:
    """Before the first step, by another seed if one is given."""
    given = make(LABEL, "no digest", asdict(setting.variant), setting.budget, seed, "cpu")
    model = build_initial(given, setting.task)
    return start(model, setting.variant, seed, "cpu", setting.recipe)


def resumed(state: TrainState, setting: Setting) -> TrainState:
    """A new state with what a checkpoint would hold of the other; its own seed leaves no trace."""
    fresh = first_state(setting, seed=12345)
    fresh.model.load_state_dict(weights(state.model))
    fresh.optimizer.load_state_dict(state.optimizer.state_dict())
    fresh.forcing.set_state(state.forcing.get_state())
    fresh.dropout.set_state(state.dropout.get_state())
    return replace(
        state,
        model=fresh.model,
        optimizer=fresh.optimizer,
        forcing=fresh.forcing,
        dropout=fresh.dropout,
        curve=list(state.curve),
    )


@pytest.mark.parametrize("saved", [False, True])
def test_ten_and_ten_are_twenty(saved: bool) -> None:
    """From the very state, and from a copy of its parts."""
    whole, setting = prepared(CONSTANT, Budget(steps=20, batch=5, every=5, stop="budget"))
    half, _ = prepared(CONSTANT)
    ten = replace(setting, budget=replace(setting.budget, steps=10))
    finish(whole, setting)
    finish(half, ten)
    assert half.step == 10
    if saved:
        half = resumed(half, ten)
    half.status = "running"
    finish(half, setting)
    assert half.curve == whole.curve
    assert [point["step"] for point in whole.curve] == [5, 10, 15, 20]
    assert same_weights(weights(half.model), weights(whole.model))
    assert (half.tokens, half.position) == (whole.tokens, whole.position)


def test_evaluating_more_often_changes_no_number() -> None:
    seldom, setting = prepared(CONSTANT, Budget(steps=12, batch=4, every=12, stop="budget"))
    finish(seldom, setting)
    often, setting = prepared(CONSTANT, Budget(steps=12, batch=4, every=1, stop="budget"))
    finish(often, setting)
    assert same_weights(weights(seldom.model), weights(often.model))
    mean = sum(point["loss"] for point in often.curve) / 12
    assert seldom.curve[0]["loss"] == pytest.approx(mean, rel=1e-6)


# golden losses

EXPLICIT = (
    "hidden=8,embedding=6,depth=1,direction=forward,attention=none,decoder_input=output,"
    "forcing=always,optimizer=adam,learning_rate=0.01,clip=1,weight_decay=0,"
    "embedding_init=uniform,embedding_range=0.5,embedding_trained=tuned,dropout=0"
)
"""Every axis that matters, so that another base does not change these numbers."""
GOLDEN: dict[str, list[float]] = {
    "cell=rnn": [4.649962480, 4.651355580, 4.679942631, 4.576477795, 4.633215152],
    "cell=gru": [4.663036960, 4.635886708, 4.613350236, 4.589864505, 4.579138368],
    "cell=lstm": [4.661273519, 4.621464234, 4.618646184, 4.613665582, 4.594614889],
    "direction=bidirectional,attention=additive,decoder_input=output+context,dropout=0.2,"
    "attention_order=before,"
    "cell=gru,forcing=constant,forcing_rate=0.5": [
        *(4.629655346, 4.615246753, 4.647991486, 4.603814300, 4.602654433)
    ],
    "cell=lstm,depth=2,direction=reversed,attention=dot,optimizer=sgd,learning_rate=0.5": [
        *(4.629596349, 4.588711671, 4.610603926, 4.602258170, 4.575340167)
    ],
}


@pytest.mark.parametrize("text", GOLDEN)
def test_golden_losses(text: str) -> None:
    """The first losses of fixed runs.

    If these change, so do the outcomes of runs whose specs do not: bench.specs.NUMERICS must be
    raised in the same commit, and the literals with it. In float64, so that another machine's
    last bits do not matter; first values are drawn in float32 as always.
    """
    assert NUMERICS == 4, "new numerics: write the new losses here"
    base = parse(EXPLICIT)
    budget = Budget(steps=5, batch=4, every=1, stop="budget")
    task = build_task(LABEL)
    given = make(LABEL, "", asdict(parse(text, base)), budget, 0, "cpu")
    setting = Setting(task, parse(text, base), budget, 0, "cpu", Recipe())
    state = start(build_initial(given, task).double(), setting.variant, 0, "cpu", setting.recipe)
    losses = [point["loss"] for point in finish(state, setting).curve]
    assert losses == pytest.approx(GOLDEN[text], rel=1e-6)


# budgets


@dataclass
class Scripted:
    """Stands in for evaluation: scores and losses as written, and what it was shown."""

    script: list[tuple[float, float]]
    seen: list[str] = field(default_factory=list)
    shown: list[dict[str, Tensor]] = field(default_factory=list)

    def __call__(
        self,
        model: Model,
        task: Task,
        split: Split,
        device: str,
        collate: Collate,
        decoding: Decoding,
    ) -> Evaluation:
        name = next(name for name, known in task.splits.items() if known is split)
        self.seen.append(name)
        self.shown.append(weights(model))
        # anything but valid looks better the later it is
        late = len(self.seen) / 1000
        score, loss = self.script[len(self.seen) - 1] if name == "valid" else (late, 1 - late)
        return Evaluation(loss, score, {"exact_match": score, "token_accuracy": score}, 1.0)


def fresh_task() -> Task:
    """Splits that are not one another, and small."""
    task = build_task("increment:mode=fresh,pairs=40")
    first = np.arange(16)
    task.splits = {
        name: split if name == "train" else split.take(first) for name, split in task.splits.items()
    }
    return task


@pytest.mark.parametrize(
    ("steps", "every", "points"),
    [(23, 5, [5, 10, 15, 20, 23]), (10, 5, [5, 10]), (3, 7, [3]), (4, 1, [1, 2, 3, 4])],
)
def test_steps_are_exact(steps: int, every: int, points: list[int]) -> None:
    budget = Budget(steps=steps, batch=4, every=every, stop="budget")
    state = finish(*prepared(budget=budget))
    assert [point["step"] for point in state.curve] == points
    assert (state.step, state.status) == (steps, "finished")


def test_tokens_are_those_of_the_batches() -> None:
    """Target tokens and one eos each, no padding; the budget ends with the batch that meets it."""
    limit, size = 400, 4
    seen: list[int] = []

    def counted(split: Split, facts: Any, device: str) -> Batch:
        if torch.is_grad_enabled():  # evaluation goes through it as well
            seen.append(int(split.targets[0].lengths.sum()) + len(split))
        return collate(split, facts, device)

    budget = Budget(tokens=limit, batch=size, every=3, stop="budget")
    state = finish(*prepared(budget=budget, recipe=Recipe(collate=counted)))
    assert state.status == "finished"
    del seen[0]  # the batch that probes read
    assert state.tokens == sum(seen) == state.curve[-1]["tokens"]
    assert state.step == len(seen)
    assert sum(seen[:-1]) < limit <= sum(seen)


def test_seconds_are_those_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that ticks when it is read; evaluation, which reads none here, is excluded."""
    ticks = count()
    clock = SimpleNamespace(perf_counter=lambda: float(next(ticks)))
    monkeypatch.setattr(loop, "time", clock)
    script = Scripted([(0.0, 1.0)] * 50)

    def slow(*given: Any) -> Evaluation:
        for _ in range(1000):
            next(ticks)
        return script(*given)

    budget = Budget(seconds=60, batch=4, every=4, stop="budget")
    state = finish(*prepared(budget=budget, task=fresh_task(), recipe=Recipe(evaluate=slow)))
    assert state.status == "finished"
    assert len(state.curve) > 2
    assert 60 <= state.seconds < 80
    assert all(timed["evaluate_seconds"] > 1000 for timed in state.clock)


@pytest.mark.parametrize(
    ("stop", "steps", "status"), [("solved", 10, "solved"), ("budget", 20, "solved")]
)
def test_stop(stop: str, steps: int, status: str) -> None:
    script = Scripted([(0.5, 2.0), (1.0, 1.0), (0.7, 0.5), (0.6, 0.1)])
    budget = Budget(steps=20, batch=4, every=5, stop=stop)
    state, setting = prepared(budget=budget, task=fresh_task(), recipe=Recipe(evaluate=script))
    finish(state, setting)
    assert (state.step, state.status) == (steps, status)
    assert state.to_target is not None
    assert state.to_target["steps"] == 10
    assert state.to_target["tokens"] == state.curve[1]["tokens"]
    assert state.seconds_to_target == state.clock[1]["train_seconds"]


@pytest.mark.parametrize(
    ("scores", "steps", "status"),
    [
        # flat from the eighth evaluation on: it ends at the twelfth, four later
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, *[0.8] * 12], 12 * 5, "finished"),
        # flat from the start, but no third is long enough before
        ([0.5] * 20, 12 * 5, "finished"),
        # better at the 12th again: the last third of 16 begins at the 11th, of 18 at the 13th
        ([*[0.5] * 8, 0.5, 0.5, 0.5, 0.6, *[0.6] * 8], 18 * 5, "finished"),
        ([0.04 * place for place in range(20)], 20 * 5, "finished"),
        ([0.1, 1.0, *[1.0] * 18], 12 * 5, "solved"),
    ],
)
def test_stop_at_a_plateau(scores: list[float], steps: int, status: str) -> None:
    """It ends where the run has flattened, and with its budget at the latest."""
    script = Scripted([(score, 2.0) for score in scores])
    budget = Budget(steps=100, batch=4, every=5, stop="plateau")
    state = finish(*prepared(budget=budget, task=fresh_task(), recipe=Recipe(evaluate=script)))
    assert (state.step, state.status) == (steps, status)


def test_not_solved_is_finished() -> None:
    script = Scripted([(0.5, 2.0), (0.98, 1.0)])
    budget = Budget(steps=10, batch=4, every=5, stop="solved")
    state = finish(*prepared(budget=budget, task=fresh_task(), recipe=Recipe(evaluate=script)))
    assert (state.status, state.to_target, state.seconds_to_target) == ("finished", None, None)


# selection, and the test split


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """`execute` with a task and a recipe of the test's own; gives the outcome."""

    def run(
        task: Task, recipe: Recipe, text: str = "base", budget: Budget | None = None
    ) -> dict[str, Any]:
        monkeypatch.setattr("bench.runner.cached_task", lambda label, data: task)
        monkeypatch.setattr("bench.runner.Recipe", lambda: recipe)
        return ran(spec(text, budget))

    return run


@pytest.mark.parametrize(
    ("script", "best"),
    [
        ([(0.1, 1.0), (0.6, 1.0), (0.3, 0.1), (0.5, 0.1)], 10),
        ([(0.3, 1.0), (0.3, 0.5), (0.3, 0.7), (0.2, 0.1)], 10),  # a tie goes to the lower loss
        ([(0.3, 1.0), (0.3, 1.0), (0.3, 1.0), (0.3, 1.0)], 5),  # then to the earlier
        ([(0.1, 1.0), (0.2, 1.0), (0.3, 1.0), (0.4, 9.0)], 20),
    ],
)
def test_selects_on_valid(
    script: list[tuple[float, float]], best: int, executed: Callable[..., dict[str, Any]]
) -> None:
    evaluate = Scripted(script)
    budget = Budget(steps=20, batch=4, every=5, stop="budget")
    outcome = executed(fresh_task(), Recipe(evaluate=evaluate), budget=budget)
    assert outcome["best_step"] == best
    score, loss = script[best // 5 - 1]
    assert outcome["valid"]["exact_match"] == score
    assert outcome["valid"]["valid_loss"] == loss
    # test is evaluated once, at the end, with the weights of the best point
    assert evaluate.seen == ["valid"] * 4 + ["test", "longer"]
    assert same_weights(evaluate.shown[4], evaluate.shown[best // 5 - 1])
    assert same_weights(evaluate.shown[5], evaluate.shown[best // 5 - 1])
    for other in range(4):
        if other != best // 5 - 1:
            assert not same_weights(evaluate.shown[4], evaluate.shown[other])
    assert outcome["scores"]["test"]["exact_match"] == 5 / 1000
    assert outcome["scores"]["longer"]["exact_match"] == 6 / 1000


@dataclass(frozen=True, eq=False)
class Spied(Split):
    """A split that says when it is read."""

    name: str = ""
    log: list[str] = field(default_factory=list)

    def take(self, indices: Indices) -> Split:
        self.log.append(self.name)
        return super().take(indices)


def test_test_split_is_untouched_until_the_end(executed: Callable[..., dict[str, Any]]) -> None:
    """By the real evaluation, whatever path leads to it."""
    task, log = fresh_task(), list[str]()
    task.splits = {
        name: Spied(split.source, split.targets, name, log) for name, split in task.splits.items()
    }
    outcome = executed(task, Recipe())
    assert outcome["status"] == "finished"
    assert {*log} == {"train", "valid", "test", "longer"}
    last = max(index for index, name in enumerate(log) if name in ("train", "valid"))
    assert not {"test", "longer"} & {*log[:last]}
    # once for its scores, once for the samples that are shown
    assert log[last + 1 :] == ["test", "longer", "test"]


# diverged and failed


def test_diverged_is_recorded() -> None:
    budget = Budget(steps=40, batch=4, every=5, stop="budget")
    outcome = ran(spec("cell=rnn,optimizer=sgd,learning_rate=1000,clip=0", budget))
    assert outcome["status"] == "diverged"
    assert outcome["steps"] < 40
    assert outcome["best_step"] is None
    assert outcome["scores"] == {}
    assert outcome["to_target"] is None
    assert outcome["curve"][-1]["step"] == outcome["steps"]


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_diverged_later_is_not_scored(loss: float, executed: Callable[..., dict[str, Any]]) -> None:
    evaluate = Scripted([(0.1, 2.0), (0.5, 1.0), (0.9, loss), (1.0, 0.1)])
    budget = Budget(steps=20, batch=4, every=5, stop="budget")
    outcome = executed(fresh_task(), Recipe(evaluate=evaluate), budget=budget)
    assert outcome["status"] == "diverged"
    assert (outcome["steps"], outcome["best_step"]) == (15, 10)
    assert outcome["curve"][-1]["valid_loss"] is None
    assert outcome["scores"] == {}
    assert outcome["samples"] == []
    assert evaluate.seen == ["valid"] * 3


@pytest.mark.parametrize("scale", [100.0, math.nan])
def test_exploded_or_undefined_training_loss_is_diverged(
    scale: float, executed: Callable[..., dict[str, Any]]
) -> None:
    def loss(*given: Any) -> Tensor:
        return training_loss(*given) * scale

    evaluate = Scripted([(1.0, 0.1)] * 2)
    outcome = executed(fresh_task(), Recipe(loss=loss, evaluate=evaluate))
    assert outcome["status"] == "diverged"


def test_failed_is_recorded_with_its_traceback(executed: Callable[..., dict[str, Any]]) -> None:
    def planted(*given: Any) -> Tensor:
        raise RuntimeError("planted for a test")

    outcome = executed(build_task(LABEL), Recipe(loss=planted))
    assert outcome["status"] == "failed"
    assert outcome["error"] == "RuntimeError: planted for a test"
    assert "in planted" in outcome["traceback"]
    assert "in _steps" in outcome["traceback"]


def test_other_data_than_planned_is_refused() -> None:
    """Nothing is recorded: the run's id would claim the data that it was planned with."""
    given = replace(spec("base"), data="of yesterday")
    with pytest.raises(RunError, match=r"the data of .* changed since the run was planned"):
        ran(given)


@pytest.mark.parametrize("asked", [{"fault": "leak"}, {"execution": "graph"}])
def test_what_is_not_built_is_not_passed_over(asked: dict[str, Any]) -> None:
    outcome = ran(replace(spec("base"), **asked))
    assert outcome["status"] == "failed"
    assert "is not one of" in outcome["error"]


def test_a_score_that_no_file_can_hold_is_a_failed_run(
    executed: Callable[..., dict[str, Any]],
) -> None:
    evaluate = Scripted([(1.0, 0.1)])

    def odd(*given: Any) -> Evaluation:
        found = evaluate(*given)
        single: Any = np.float32(1.0)
        return found._replace(scores={**found.scores, "exact_match": single})

    outcome = executed(fresh_task(), Recipe(evaluate=odd))
    assert outcome["status"] == "failed"


def test_a_wrong_task_is_a_failed_run() -> None:
    outcome = ran(spec(label="incremnt"))
    assert outcome["status"] == "failed"
    assert "did you mean increment" in outcome["error"]


# what a step is


def first_gradient(setting: Setting) -> tuple[dict[str, Tensor], Tensor, Batch]:
    """Independently of the loop: weights, gradient norm and batch of the very first step."""
    state = first_state(setting)
    indices, _ = next(
        endless(setting.task.splits["train"], setting.budget.batch, 0, DataPosition())
    )
    batch = collate(setting.task.splits["train"].take(indices), setting.task.facts, "cpu")
    before = weights(state.model)
    logits = state.model.score(batch)[0]
    targets = batch.targets[0][batch.mask_BT]
    loss = -torch.log_softmax(logits, -1)[torch.arange(len(targets)), targets].mean()
    gradients = torch.autograd.grad(loss, list(state.model.parameters()))
    return before, torch.cat([part.flatten() for part in gradients]).norm(), batch


@pytest.mark.parametrize("clip", [0.0, 1e-2, 1e6])
def test_clipping_norm_and_ratio(clip: float) -> None:
    rate = 3.0  # large, so that weights before and after can be told apart
    text = f"optimizer=sgd,learning_rate={rate},clip={clip}"
    state, setting = prepared(text, Budget(steps=1, batch=4, every=1, stop="budget"))
    before, norm, batch = first_gradient(setting)
    assert norm > 2e-2, "otherwise nothing is clipped here"
    finish(state, setting)
    (point,) = state.curve
    # recorded before clipping
    assert point["gradient_norm"] == pytest.approx(float(norm), rel=1e-4)
    assert state.tokens == batch.tokens
    after = weights(state.model)
    change = torch.cat([(after[name] - before[name]).flatten() for name in before]).norm()
    moved = rate * (min(float(norm), clip) if clip else float(norm))
    assert float(change) == pytest.approx(moved, rel=3e-4)
    size = torch.cat([value.flatten() for value in after.values()]).norm()
    assert point["update_ratio"] == pytest.approx(moved / float(size), rel=3e-4)


def test_frozen_embeddings_stay() -> None:
    state, setting = prepared("embedding_trained=frozen,optimizer=adamw,weight_decay=0.1")
    before = weights(state.model)
    after = weights(finish(state, setting).model)
    for name in before:
        assert torch.equal(before[name], after[name]) == ("table" in name), name


@dataclass
class Calls:
    """What a model was asked to score with."""

    fed: list[Tensor | None] = field(default_factory=list)
    dropout: list[torch.Generator | None] = field(default_factory=list)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Callable[[Model], Calls]:
    def spy(model: Model) -> Calls:
        heard, readouts = Calls(), model.readouts

        def spied(
            batch: Batch, fed_BT: Tensor | None = None, dropout: torch.Generator | None = None
        ) -> tuple[Readout, ...] | None:
            heard.fed.append(fed_BT)
            heard.dropout.append(dropout)
            return readouts(batch, fed_BT, dropout)

        monkeypatch.setattr(model, "readouts", spied)
        return heard

    return spy


def test_forcing_follows_the_step(calls: Callable[[Model], Calls]) -> None:
    recipe = Recipe(evaluate=Scripted([(0.0, 1.0)] * 9))
    budget = Budget(steps=14, batch=12, every=7, stop="budget")
    text = "forcing=linear,forcing_steps=10"
    state, setting = prepared(text, budget, fresh_task(), recipe)
    heard = calls(state.model)
    finish(state, setting)
    assert len(heard.fed) == 14
    assert heard.fed[0] is None
    shares = [float(fed.double().mean()) for fed in heard.fed[1:] if fed is not None]
    assert len(shares) == 13
    assert shares[9:] == [0.0] * 4
    for step, share in enumerate(shares[:9], 1):
        assert share == pytest.approx(1 - step / 10, abs=0.25)


def test_dropout_is_for_training_alone(calls: Callable[[Model], Calls]) -> None:
    state, setting = prepared("dropout=0.5", Budget(steps=2, batch=4, every=2, stop="budget"))
    heard = calls(state.model)
    finish(state, setting)
    assert heard.dropout[:2] == [state.dropout] * 2
    assert len(heard.dropout) > 2
    assert set(heard.dropout[2:]) == {None}


def test_evaluation_is_of_the_whole_split() -> None:
    """Sums over unlike batches are those of one pass over all."""
    task = build_task("increment:pairs=300")
    state, _ = prepared(task=task)
    split = task.splits["train"]
    found = evaluation.evaluate(state.model, task, split, "cpu")
    batch = collate(split, task.facts, "cpu")
    with torch.no_grad():
        logits = state.model.score(batch)[0]
    assert found.loss == pytest.approx(float(mean_loss((logits,), batch, task.facts)), rel=1e-5)
    right = (logits.argmax(-1) == batch.targets[0][batch.mask_BT]).double().mean()
    assert found.forced_accuracy == pytest.approx(float(right))
    # the same without the end of each target, as token_accuracy of outputs counts
    inner = batch.targets[0][batch.mask_BT] != EOS
    hit = (logits.argmax(-1) == batch.targets[0][batch.mask_BT]) & inner
    assert int(inner.sum()) == int(split.targets[0].lengths.sum())
    assert found.forced_token_accuracy == pytest.approx(float(hit.sum() / inner.sum()))
    assert found.perplexity == pytest.approx(math.exp(found.loss))


def test_variant_is_all_there() -> None:
    """A spec holds every axis, so that a changed base changes the id of what it changes."""
    assert spec().variant.keys() == asdict(Variant()).keys()


# learning rate, label smoothing


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_the_learning_rate_follows_its_schedule(optimizer: str) -> None:
    seen: list[set[float]] = []

    def step(state: TrainState, *given: Any) -> Any:
        seen.append({group["lr"] for group in state.optimizer.param_groups})
        return train_step(state, *given)

    text = f"optimizer={optimizer},learning_rate=0.1,warmup=4,learning_rate_schedule=linear"
    budget = Budget(steps=12, batch=4, every=5, stop="budget")
    finish(*prepared(f"{text},learning_rate_steps=9", budget, recipe=Recipe(step=step)))
    wanted = [0.025, 0.05, 0.075, 0.1, 0.1, 0.08, 0.06, 0.04, 0.02, 0.0, 0.0, 0.0]
    assert [len(rates) for rates in seen] == [1] * 12
    assert [rates.pop() for rates in seen] == pytest.approx(wanted)


def test_labels_are_smoothed_while_training_alone() -> None:
    """The loss of a step is Szegedy et al. 2016, section 7; that of valid is of the true labels."""
    model = built("base")
    batch = sequences(rows(1, 4))
    (logits,) = model.score(batch)
    log_p = logits.log_softmax(-1)
    true = log_p.gather(1, real(batch.targets[0], batch)[:, None])[:, 0]
    expected = -(0.7 * true + 0.3 * log_p.mean(-1)).mean()
    torch.testing.assert_close(mean_loss((logits,), batch, SEQUENCES, 0.3), expected)

    budget = Budget(steps=1, batch=50, every=1, stop="budget")
    plain, smooth = (
        finish(*prepared(text, budget)).curve[0]
        for text in ("learning_rate=0", "learning_rate=0,label_smoothing=0.3")
    )
    assert smooth["loss"] != pytest.approx(plain["loss"])
    assert smooth["valid_loss"] == plain["valid_loss"]


def test_a_step_that_overflows_in_half_precision_is_not_the_end() -> None:
    """The first steps of fp16 often do, until the loss's scale has come down."""
    state, setting = prepared("precision=fp16", Budget(steps=30, batch=5, every=1, stop="budget"))
    state.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    finish(state, setting)
    assert state.status in ("finished", "solved")
    assert any(point["gradient_norm"] is None for point in state.curve)
    assert state.curve[-1]["gradient_norm"] is not None
    assert state.curve[-1]["valid_loss"] < state.curve[0]["valid_loss"]


def test_tied_weights_are_kept_and_loaded(tmp_path: Path) -> None:
    given = spec(f"output_weights=tied,embedding={SMALL.hidden}")
    file = tmp_path / "weights.safetensors"
    record = execute(given, None, lambda point, timed: None, file)
    assert record["outcome"]["status"] in ("finished", "solved")
    task = build_task(LABEL)
    model = load_trained(given, task, None, file)
    found = evaluation.evaluate(model, task, task.splits["test"], "cpu")
    assert found.scores == {
        name: value
        for name, value in record["outcome"]["scores"]["test"].items()
        if name not in ("forced_accuracy", "forced_token_accuracy", "perplexity")
    }
