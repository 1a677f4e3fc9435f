"""Proves that runs trained together, as one stacked model, are the runs that each would be alone.

- every part of the registry, in float64: losses, gradient norms, update ratios and weights of each
  replica within 1e-9 of those of its run by itself, and so by every optimizer, schedule and coin;
- a replica ends for itself: solved, diverged or out of steps, and no other is touched by it;
- what a step calls can be recorded as a CUDA graph: nothing waits for a value, and doing it twice
  gives the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from bench.engines.contract import Job
from bench.engines.local import LocalEngine
from bench.plan import groups
from bench.plan.matrix import Matrix, from_options, plan
from bench.runner import execute, execute_group
from bench.specs import Budget, RunSpec, make
from bench.training.loop import train
from bench.training.replicas.loop import ReplicaGroup, stack_batches, train_replicas
from bench.training.replicas.stacked import detach_model, replica_norms
from bench.training.state import Recipe, Setting, TrainState, start
from bench.training.weights import build_initial
from tasks import Task
from tasks import build as build_task
from variants import BASE, inapplicable
from variants.attention import ATTENTIONS
from variants.axes import parse, values
from variants.cells import CELLS
from variants.fast.forms import plain_forms

TOLERANCE = 1e-9
SMALL = parse("hidden=8,embedding=6,embedding_init=normal,optimizer=sgd,learning_rate=0.5", BASE)
LABEL = "increment:pairs=22"
BUDGET = Budget(steps=6, batch=5, every=3, stop="budget")
RATES = (0.5, 0.5, 0.1)


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    return {label: build_task(label) for label in (LABEL, "opposites")}


def prepared(
    text: str, task: Task, label: str = LABEL, budget: Budget = BUDGET, rates: Sequence[float] = ()
) -> tuple[list[TrainState], list[Setting]]:
    """A state and a setting a replica, in float64: seeds 0 and 1 at one learning rate, 1 at
    another."""
    states, settings = [], []
    variant = parse(text, SMALL)
    rates = rates or [rate * variant.learning_rate / RATES[0] for rate in RATES]
    for seed, rate in zip((0, 1, 1, 2, 3), rates, strict=False):
        own = replace(variant, learning_rate=rate)
        spec = make(label, "", asdict(own), budget, seed, "cpu", execution="replicas")
        settings.append(Setting(task, own, budget, seed, "cpu", Recipe()))
        states.append(start(build_initial(spec, task).double(), own, seed, "cpu", Recipe()))
    return states, settings


def trained_alone(states: Sequence[TrainState], settings: Sequence[Setting]) -> list[TrainState]:
    for state, setting in zip(states, settings, strict=True):
        train(state, setting, lambda point, timed: None)
    return list(states)


def trained_together(states: Sequence[TrainState], settings: Sequence[Setting]) -> list[TrainState]:
    train_replicas(states, settings, [lambda point, timed: None] * len(states))
    return list(states)


def check_same(together: TrainState, alone: TrainState, tolerance: float = TOLERANCE) -> None:
    for name in ("step", "tokens", "status", "to_target", "position"):
        assert getattr(together, name) == getattr(alone, name), name
    assert len(together.curve) == len(alone.curve)
    for ours, theirs in zip(together.curve, alone.curve, strict=True):
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            if value is None:
                assert ours[name] is None, name
            else:
                assert ours[name] == pytest.approx(value, rel=tolerance, abs=tolerance), name
    weights, others = (one.model.state_dict() for one in (together, alone))
    assert weights.keys() == others.keys()
    for name, value in weights.items():
        torch.testing.assert_close(value, others[name], rtol=tolerance, atol=tolerance)


# the same as alone

STRUCTURES = [
    "attention=additive,attention_order=before,decoder_input=output+context",
    "attention=general,input_feeding=on",
    "decoder_input=state",
    "decoder_input=context",
    "direction=bidirectional",
    "direction=reversed",
    "bridge=linear-tanh",
    "attention=dot,bridge=zero",
    "depth=2,stack=residual",
    "initial_state=learned",
    "initial_state=normal",
    "output_weights=tied,embedding=8",
    "embedding_trained=frozen",
    "weight_init=orthogonal",
    "label_smoothing=0.1",
    "forcing=never",
    "attention=additive,forcing=constant,forcing_rate=0.5",
    "forcing=linear,forcing_steps=5,coin=step",
    "forcing=exponential,forcing_steps=5,coin=sequence",
    "clip=0",
    "clip=0.01",
    "learning_rate_schedule=cosine,learning_rate_steps=10,warmup=2",
]
PARTS = [
    *(f"cell={cell}" for cell in (*CELLS, "attn-decoder-rnn")),
    *(f"cell=gru,attention={attention}" for attention in ATTENTIONS if attention != "none"),
    *STRUCTURES,
]


DRAWING = [
    "cell=gru,attention=dot,dropout=0.3,decoder_input=output+context",
    "cell=lstm,depth=2,direction=bidirectional,dropout=0.2,recurrent_dropout=0.3,forcing=never",
    "cell=slstm,recurrent_dropout=0.3,initial_state=drawn",
]


@pytest.mark.parametrize("text", [*PARTS, *DRAWING])
def test_every_part_is_the_same_together_and_alone(text: str, tasks: dict[str, Task]) -> None:
    task = tasks[LABEL]
    assert inapplicable(parse(text, SMALL), False) is None
    for together, alone in zip(
        trained_together(*prepared(text, task)), trained_alone(*prepared(text, task)), strict=True
    ):
        check_same(together, alone)


@pytest.mark.parametrize(
    "text",
    [
        "cell=gru,attention=dot",
        "cell=lstm,attention=additive,attention_order=before,decoder_input=output+context",
        "cell=lstm-layernorm,attention=concat,input_feeding=on,direction=bidirectional",
        "cell=rnn,forcing=constant,forcing_rate=0.5,label_smoothing=0.1",
    ],
)
def test_a_stack_in_its_fast_and_its_plain_form_gives_the_same(
    text: str, tasks: dict[str, Task]
) -> None:
    group = ReplicaGroup(*prepared(text, tasks[LABEL]))
    given = group.next_batch().tensors()
    results = []
    for form in (nullcontext, plain_forms):
        with form():
            losses_R, norms_R = group.replicas.backward(*given)
        gradients = [gradient.clone() for gradient in group.replicas.gradients]
        results.append([losses_R, norms_R, *gradients])
    torch.testing.assert_close(*results, rtol=TOLERANCE, atol=TOLERANCE)


OPTIMIZED = [name for name in values("optimizer") if name != "muon"]


@pytest.mark.parametrize("decay", [0.0, 0.01])
@pytest.mark.parametrize("optimizer", OPTIMIZED)
def test_every_optimizer_is_the_same_together_and_alone(
    optimizer: str, decay: float, tasks: dict[str, Task]
) -> None:
    text = f"cell=lstm,optimizer={optimizer},learning_rate=0.01,weight_decay={decay}"
    task = tasks[LABEL]
    for together, alone in zip(
        trained_together(*prepared(text, task)), trained_alone(*prepared(text, task)), strict=True
    ):
        # what divides by a gradient's size makes more of its rounding
        check_same(together, alone, 1e-7)


def test_taggers_too() -> None:
    task = build_task("keyphrase:documents=40")
    text = "cell=gru,window=3,direction=bidirectional,dropout=0.2"
    for together, alone in zip(
        trained_together(*prepared(text, task, "keyphrase:documents=40")),
        trained_alone(*prepared(text, task, "keyphrase:documents=40")),
        strict=True,
    ):
        check_same(together, alone)


def test_in_single_precision_losses_stay_near(tasks: dict[str, Task]) -> None:
    text = "cell=lstm,attention=additive,optimizer=adam,learning_rate=0.005"
    both = []
    for how in (trained_together, trained_alone):
        states, settings = prepared(text, tasks[LABEL], budget=replace(BUDGET, steps=30, every=10))
        states = [
            start(state.model.float(), setting.variant, setting.seed, "cpu", Recipe())
            for state, setting in zip(states, settings, strict=True)
        ]
        both.append([[point["loss"] for point in s.curve] for s in how(states, settings)])
    np.testing.assert_allclose(both[0], both[1], rtol=1e-4)


def test_batches_of_unlike_sizes_are_filled_up_and_do_not_count(tasks: dict[str, Task]) -> None:
    _, settings = prepared("base", tasks[LABEL])
    short, full = np.array([3, 1]), np.array([0, 5, 7, 2])
    stacked = stack_batches(settings[0], [short, full])
    assert stacked.mask_RBT.shape[:2] == (2, 4)
    assert not stacked.mask_RBT[0, 2:].any()
    assert stacked.source_mask_RBS.any(2).all()  # attention over nothing is not a number
    split = tasks[LABEL].splits["train"]
    for place, some in enumerate((short, full)):
        lengths = split.targets[0].lengths[some] + 1
        assert stacked.mask_RBT[place, : len(some)].sum(1).tolist() == lengths.tolist()


def test_random_batches_are_the_same_together_and_alone(tasks: dict[str, Task]) -> None:
    budget = replace(BUDGET, batching="random")
    alone = trained_alone(*prepared("attention=dot", tasks[LABEL], budget=budget))
    together = trained_together(*prepared("attention=dot", tasks[LABEL], budget=budget))
    by_length = trained_alone(*prepared("attention=dot", tasks[LABEL]))
    for one, other, unlike in zip(together, alone, by_length, strict=True):
        check_same(one, other)
        assert other.curve[-1]["loss"] != unlike.curve[-1]["loss"]


# each ends for itself


def test_replicas_end_when_they_would_alone(tasks: dict[str, Task]) -> None:
    budget = Budget(steps=240, batch=6, every=5, stop="solved")
    text = "cell=gru,hidden=16,optimizer=adam"
    rates = (0.02, 0.02, 0.005, 0.002, 1e-5)
    together, alone = (
        how(*prepared(text, tasks["opposites"], "opposites", budget, rates))
        for how in (trained_together, trained_alone)
    )
    ends = {state.step for state in alone}
    assert len(ends) > 2, "they are to end at different times for this test to say anything"
    for ours, theirs in zip(together, alone, strict=True):
        assert (ours.step, ours.status, ours.to_target) == (
            theirs.step,
            theirs.status,
            theirs.to_target,
        )
        assert [p["loss"] for p in ours.curve] == pytest.approx(
            [p["loss"] for p in theirs.curve], rel=1e-5
        )
        assert ours.seconds == ours.clock[-1]["train_seconds"]


def test_one_that_diverges_leaves_the_others_alone(tasks: dict[str, Task]) -> None:
    budget = Budget(steps=12, batch=5, every=3, stop="budget")
    rates = (1000.0, 0.5, 0.5)
    given = "cell=rnn-relu,clip=0", tasks[LABEL], LABEL, budget, rates
    together, alone = trained_together(*prepared(*given)), trained_alone(*prepared(*given))
    assert together[0].status == "diverged"
    assert together[0].step < together[1].step
    for ours, theirs in zip(together[1:], alone[1:], strict=True):
        check_same(ours, theirs)


def test_an_ended_replica_keeps_its_weights(tasks: dict[str, Task]) -> None:
    states, settings = prepared("base", tasks[LABEL])
    group = ReplicaGroup(states, settings)
    group.train_segment()
    states[0].status = "finished"
    detach_model(states[0].model)
    before = {name: value.clone() for name, value in states[0].model.state_dict().items()}
    step, tokens = states[0].step, states[0].tokens
    group.train_segment()
    after = states[0].model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert (states[0].step, states[0].tokens) == (step, tokens)
    assert states[1].step > step


# what CUDA graphs need


class NothingWaits(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Fails for what would make the host wait for a value, or take one from it."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        waiting = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "equal.default")
        assert not any(name in str(func) for name in waiting), f"{func} waits for its result"
        drawing = ("rand", "normal_", "bernoulli", "uniform_")
        assert not any(name in str(func) for name in drawing), f"{func} draws"
        assert "lift_fresh" not in str(func), f"{func} brings numbers from the host"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("text", PARTS)
def test_a_step_can_be_recorded(text: str, tasks: dict[str, Task]) -> None:
    group = ReplicaGroup(*prepared(text, tasks[LABEL]))
    given = group.next_batch().tensors()
    first = [value.clone() for value in group.replicas.backward(*given)]
    gradients = [gradient.clone() for gradient in group.replicas.gradients]
    with NothingWaits():  # type: ignore[no-untyped-call]
        second = group.replicas.backward(*given)
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one, other)
    for one, other in zip(gradients, group.replicas.gradients, strict=True):
        assert torch.equal(one, other), "twice must be as good as once"


def test_the_guard_sees_what_waits() -> None:
    with pytest.raises(AssertionError, match="waits"), NothingWaits():  # type: ignore[no-untyped-call]
        torch.ones(3).sum().item()
    with pytest.raises(AssertionError, match="host"), NothingWaits():  # type: ignore[no-untyped-call]
        torch.tensor([1.0])


# planned, grouped, run


def spec(text: str = "base", seed: int = 0, **changes: Any) -> RunSpec:
    variant = asdict(parse(text, replace(BASE, hidden=16)))
    digest = build_task("opposites").digest()
    budget = Budget(steps=20, every=10, stop="budget")
    made = make("opposites", digest, variant, budget, seed, "cpu", execution="replicas")
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("text", "budget", "plugin", "reason"),
    [
        ("dropout=0.1", BUDGET, "", "dropout"),
        ("recurrent_dropout=0.1", BUDGET, "", "dropout"),
        ("precision=bf16", BUDGET, "", "fp32"),
        ("optimizer=muon", BUDGET, "", "muon"),
        ("cell=transformer", BUDGET, "", "torch's own"),
        ("base", Budget(tokens=100), "", "steps"),
        ("base", Budget(seconds=1), "", "steps"),
        ("base", BUDGET, "digest", "outside"),
    ],
)
def test_what_cannot_be_a_replica_runs_alone(
    text: str, budget: Budget, plugin: str, reason: str
) -> None:
    variant = asdict(parse(text, BASE))
    assert reason in str(groups.alone(variant, budget, plugin, "cuda"))
    if reason == "dropout":  # each replica draws from its own generator, but not in a recording
        assert groups.alone(variant, budget, plugin, "cpu") is None
    assert groups.execution("replicas", "cuda", variant, budget, plugin) == "eager"


def test_replicas_are_chosen_on_cuda_and_where_asked() -> None:
    def chosen(asked: str, device: str) -> str:
        return groups.execution(asked, device, asdict(BASE), BUDGET, "")

    assert chosen("auto", "cuda") == chosen("replicas", "cpu") == "replicas"
    assert chosen("auto", "cpu") == chosen("eager", "cuda") == "eager"


@given(
    st.lists(
        st.tuples(st.integers(0, 200), st.sampled_from([0.1, 0.2]), st.booleans()), unique=True
    ),
    st.integers(1, 4),
)
def test_groups_hold_every_run_once(runs: list[tuple[int, float, bool]], workers: int) -> None:
    variant = asdict(BASE)
    given_specs = [
        RunSpec(
            task="opposites",
            data="",
            variant={**variant, "learning_rate": rate, "cell": "gru" if gru else "lstm"},
            budget=BUDGET,
            seed=seed,
            device="cpu",
            torch="",
            execution="replicas",
        )
        for seed, rate, gru in runs
    ]
    made = groups.grouped(given_specs, lambda one: 1.0, workers)
    assert sorted(one.id for group in made for one in group) == sorted(s.id for s in given_specs)
    for group in made:
        assert 1 <= len(group) <= groups.LARGEST_GROUP["cpu"]
        assert len({one.variant["cell"] for one in group}) == 1
        rates = [one.variant["learning_rate"] for one in group]
        assert rates == sorted(rates)
    assert [len(group) for group in made] == sorted(map(len, made), reverse=True)


def test_eager_runs_stay_alone() -> None:
    specs = [spec(seed=seed, execution="eager") for seed in range(3)]
    assert [len(group) for group in groups.grouped(specs, lambda one: 1.0, 1)] == [1, 1, 1]


def test_a_group_is_one_job_of_the_engine(tmp_path: Path) -> None:
    specs = [spec(seed=seed) for seed in range(3)]
    ids = tuple(one.id for one in specs)
    job = Job(tuple(one.plain() for one in specs), ids, (None, None, tmp_path / "weights"))
    events = [e for e in LocalEngine(1, tmp_path).run([job]) if e.kind != "idle"]
    kinds = [event.kind for event in events]
    assert kinds[:3] == ["started"] * 3
    assert kinds[-3:] == ["finished"] * 3
    assert kinds.count("point") == 6
    records = [event.value for event in events[-3:]]
    assert [record["id"] for record in records] == [one.id for one in specs]
    assert (tmp_path / "weights").is_file()
    for one, record in zip(specs, records, strict=True):
        assert record["measured"]["replicas"] == 3
        assert record["measured"]["beside"] == 0
        alone = execute(replace(one, execution="eager"), None, lambda point, timed: None)
        assert record["outcome"]["status"] == alone["outcome"]["status"]
        losses, others = (
            [point["loss"] for point in each["outcome"]["curve"]] for each in (record, alone)
        )
        assert losses == pytest.approx(others, rel=1e-4)


def test_a_group_that_fails_fails_as_runs() -> None:
    bad = [spec("cell=lstm", seed=seed, fault="unheard of") for seed in range(2)]
    records = execute_group(bad, None, [lambda point, timed: None] * 2, [None] * 2)
    assert [record["outcome"]["status"] for record in records] == ["failed"] * 2
    assert all("unheard of" in record["outcome"]["error"] for record in records)


def test_tf32_is_no_format_of_the_cpu(tasks: dict[str, Task]) -> None:
    (block,) = from_options(["opposites"], "base", ["precision=fp32,tf32"], False, "10", 6).blocks
    for device, kept in (("cpu", {"fp32"}), ("cuda", {"fp32", "tf32"})):
        planned = plan(Matrix("m", (block,)), tasks, device)
        assert {one.variant["precision"] for one in planned.specs} == kept
        assert [row.reason for row in planned.inapplicable] == (
            ["tf32 is CUDA's, not of cpu"] if device == "cpu" else []
        )
    (record,) = execute_group([spec("precision=tf32")], None, [lambda point, timed: None], [None])
    assert "tf32 is CUDA's" in record["outcome"]["error"]


def test_gradients_are_clipped_for_each(tasks: dict[str, Task]) -> None:
    states, settings = prepared("clip=0.01", tasks[LABEL])
    group = ReplicaGroup(states, settings)
    _, norms_R = group.replicas.backward(*group.next_batch().tensors())
    assert (norms_R > 0.01).all()
    torch.testing.assert_close(
        replica_norms(group.replicas.gradients),
        torch.full((3,), 0.01, dtype=torch.float64),
        rtol=1e-3,
        atol=0,
    )
