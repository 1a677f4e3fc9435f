"""Proves that an examination measures what it says, that it finds every planted fault that is
certain, and that nothing is found in a healthy model."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.doctor import examination, inside, probes, wrong_losses
from bench.doctor.faults import FAULTS, planted
from bench.doctor.patient import Patient
from bench.doctor.step import compare_step
from bench.runner import execute
from bench.specs import Budget, make
from bench.training.batching import collate
from bench.training.losses import training_loss
from bench.training.process import cached_digest
from bench.training.state import Recipe
from bench.training.weights import build_initial
from results.doctor.examined import SURE, above, examined_run
from results.doctor.health import Health, Repetition
from results.doctor.rules import findings
from results.record import Record
from tasks import Split, build
from tasks.ragged import Ragged
from variants import Model
from variants.axes import parse
from variants.cells import Cell

SMALL = "hidden=24,embedding=16,learning_rate=0.01,dropout=0.2,forcing=constant"
CERTAIN = [
    name
    for name in FAULTS
    if name
    not in {
        # these are found by their effect at the end of training
        *("rate-too-high", "rate-too-low", "saturating-embedding", "vanishing-memory"),
        *("one-label", "log-softmax-twice", "decay-too-high"),
    }
]


@cache
def ran(
    fault: str, variant: str = SMALL, task: str = "reversal", steps: int = 20, seed: int = 0
) -> Any:
    digest = cached_digest(task, None)
    budget = Budget(steps=steps, batch=16, every=steps // 2, stop="budget")
    axes = asdict(parse(variant))
    spec = make(task, digest, axes, budget, seed, "cpu", fault=fault)
    return Record.read(json.loads(json.dumps(execute(spec, None, lambda point, clock: None))))


def found(record: Record) -> list[str]:
    """Return the causes found in a run that must have been examined."""
    run = examined_run(record)
    assert run is not None, record.outcome
    return [finding.cause for finding in findings(run)]


@pytest.mark.parametrize("variant", [SMALL, f"{SMALL},cell=lstm,attention=general"])
@pytest.mark.parametrize("fault", [name for name in CERTAIN if FAULTS[name].sequences])
def test_planted_faults_are_named_first(fault: str, variant: str) -> None:
    record = ran(fault, variant)
    assert found(record)[0] == fault
    assert record.outcome["findings"] == found(record)
    run = examined_run(record)
    assert run is not None
    for finding in findings(run):
        # what is certain says a line of code before and after
        assert finding.sure != SURE or " becomes " in finding.change


@pytest.mark.parametrize("fault", [n for n in CERTAIN if FAULTS[n].tagging and n != "unclipped"])
def test_planted_faults_of_taggers(fault: str) -> None:
    variant = "hidden=16,embedding=16,dropout=0.2"
    assert found(ran(fault, variant, "keyphrase", 8))[0] == fault


@pytest.mark.parametrize(
    ("task", "variant"),
    [
        ("reversal", SMALL),
        ("reversal", f"{SMALL},cell=lstm,attention=multihead,depth=2,direction=bidirectional"),
        ("reversal", f"{SMALL},cell=mingru,attention=location,label_smoothing=0.1"),
        ("reversal", f"{SMALL},cell=slstm,optimizer=sgd,clip=0"),
        ("opposites", "cell=transformer,hidden=16,embedding=16,dropout=0.1"),
        ("increment", "hidden=16,embedding=16,embedding_trained=frozen,precision=bf16"),
        ("keyphrase", "hidden=16,embedding=16,dropout=0.2,cell=lstm,direction=bidirectional"),
        ("keyphrase", "hidden=16,embedding=16,attention=none,clip=0"),
    ],
)
def test_nothing_is_found_in_a_healthy_run(task: str, variant: str) -> None:
    record = ran("", variant, task)
    assert "error" not in record.outcome["health"]
    assert found(record) == []


def test_an_examination_leaves_the_run_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ran("").outcome
    monkeypatch.setattr("bench.runner.of_run", lambda *_: Health())
    after = ran.__wrapped__("").outcome
    assert after["health"] == Health().plain()
    for key in ("curve", "scores", "samples", "status", "best_step"):
        assert before[key] == after[key]


def test_what_cannot_be_examined_loses_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("out of reach")

    monkeypatch.setattr("bench.runner.of_run", broken)
    outcome = ran.__wrapped__("").outcome
    assert outcome["status"] == "finished"
    assert outcome["health"] == {"error": "RuntimeError: out of reach"}
    assert "findings" not in outcome


def test_weights_that_decay_are_seen_to_shrink() -> None:
    sizes = {}
    for decay in ("0", "0.01", "1"):
        variant = f"hidden=16,embedding=16,optimizer=sgd,learning_rate=0.1,weight_decay={decay}"
        sizes[decay] = ran("", variant, "opposites", 10).outcome["health"]["weights"]
    assert {size["first"] for size in sizes.values()} == {sizes["0"]["first"]}
    assert [size["decay"] for size in sizes.values()] == [0.0, 0.01, 1.0]
    # SGD multiplies weights by 1 - 0.1 * 1 in each of ten steps; gradients change them much less
    assert sizes["1"]["last"] == pytest.approx(0.9**10 * sizes["1"]["first"], rel=0.1)
    assert sizes["0"]["last"] > sizes["0.01"]["last"] > sizes["1"]["last"]
    planted = ran("decay-too-high", SMALL).outcome["health"]["weights"]
    assert planted["decay"] == 0.01


def test_each_parameter_has_its_gradient_and_its_update() -> None:
    step = ran("").outcome["health"]["step"]
    assert step["gradients"].keys() == step["updates"].keys()
    assert min(step["gradients"].values()) > 0
    norm = math.hypot(*step["gradients"].values())
    assert norm == pytest.approx(step["own_norm"], rel=1e-3)


STORED: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "results/doctor/examinations.json").read_text("utf-8")
)
"""Examinations as earlier versions stored them."""


def form(value: Any) -> Any:
    """Return the keys of JSON in their order, with a type in place of each number."""
    if isinstance(value, dict):
        return [(key, form(inner)) for key, inner in value.items()]
    if isinstance(value, list):
        return [form(inner) for inner in value]
    return None if value is None else type(value).__name__


def without_wrapper(health: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Return a stored examination of a model in half precision as it is made now.

    Half precision was a wrapper once, which held the parts under `model.` and hid the embedding.
    """
    renamed: dict[str, Any] = json.loads(json.dumps(health).replace('"model.', '"'))
    return renamed | {name: now[name] for name in ("profile", "embedded")}


def without_later(health: dict[str, Any]) -> dict[str, Any]:
    """Return an examination without what is measured since these were stored."""
    later = {"loss": "first_zero", "leak": "earlier"}
    old = {
        group: (
            {key: value for key, value in figures.items() if key != later.get(group)}
            if isinstance(figures, dict)
            else figures
        )
        for group, figures in health.items()
        if group != "decoding"
    }
    if old.get("hidden"):
        old["hidden"] = {
            cell: {key: value for key, value in figures.items() if key != "memory_mean"}
            for cell, figures in old["hidden"].items()
        }
    return old


@pytest.mark.parametrize("stored", STORED, ids=lambda stored: stored["variant"])
def test_an_examination_is_stored_in_the_form_of_before(stored: dict[str, Any]) -> None:
    now = without_later(
        ran(stored["fault"], stored["variant"], stored["task"], stored["steps"]).outcome["health"]
    )
    before = stored["health"]
    if "precision=bf16" in stored["variant"]:
        assert now["profile"] is not None
        before = without_wrapper(before, now)
    if stored["status"] == "diverged":
        # which of the numbers overflow is up to the machine
        assert list(now) == list(before)
    else:
        assert form(now) == form(before)


# which runs are examined


@given(steps=st.integers(1, 2000), first=st.integers(0, 100))
def test_seeds_of_short_runs_are_examined_so_that_it_costs_little(steps: int, first: int) -> None:
    seeds = range(2000)
    examined = [seed for seed in seeds if examination.sampled(seed, steps)]
    assert examined[0] == 0
    cost, allowed = examination.EXAMINATION_STEPS / steps, examination.EXAMINATION_SHARE
    share = cost * len(examined) / len(seeds)
    # one of the last, incomplete few seeds may be more
    assert share <= allowed + cost / len(seeds)
    # and no fewer than that allows
    assert len(examined) == len(seeds) or share > allowed / 2.1
    assert examination.sampled(first, 500)


@pytest.mark.parametrize(
    ("fault", "variant", "steps", "seed", "examined"),
    [
        ("", SMALL, 2, 0, True),
        ("", SMALL, 2, 1, False),
        ("", SMALL, 200, 3, True),
        ("softmax-over-time", SMALL, 2, 1, True),
        ("", "cell=rnn-relu,optimizer=sgd,learning_rate=1000,clip=0", 4, 1, True),
    ],
)
def test_what_goes_wrong_is_examined_however_short(
    fault: str, variant: str, steps: int, seed: int, examined: bool
) -> None:
    outcome = ran(fault, variant, steps=steps, seed=seed).outcome
    assert outcome["status"] == ("diverged" if "relu" in variant else "finished")
    assert (outcome["health"] is not None) == examined
    assert ("findings" in outcome) == examined


# each measurement by itself


class Counter(Model):
    """A model whose every output is known: at each position it predicts its input plus one.

    wrong: changes its logits, given logits_NV and the batch.
    """

    def __init__(self, wrong: Callable[[torch.Tensor, Any], torch.Tensor] | None = None) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.wrong = wrong

    def score(
        self, batch: Any, fed_BT: Any = None, dropout: Any = None
    ) -> tuple[torch.Tensor, ...]:
        inputs_N = batch.inputs_BT.flatten()[batch.places_N]
        logits_NV = torch.nn.functional.one_hot((inputs_N + 1) % 9, 9).float() * self.weight
        return (logits_NV if self.wrong is None else self.wrong(logits_NV, batch),)


def patient(model: Any) -> Patient:
    random = np.random.default_rng(0)
    source = [random.integers(4, 9, size=size).tolist() for size in (3, 3, 3, 5, 6, 6, 6, 6)]
    split = Split(Ragged.of(source), (Ragged.of(source),))
    facts = build("opposites").facts.__class__(9, (9,), 8)
    alike = split.take(np.array([4, 5, 6, 7]))
    return Patient(model, facts, "cpu", collate, training_loss, 0.0, split, alike)


def alone(subject: Patient, split: Split) -> float:
    moved = probes.change_alone(subject, split)
    assert moved is not None
    return moved


def test_rows_that_change_each_other_are_seen() -> None:
    subject = patient(Counter())
    assert alone(subject, subject.examples) == 0.0
    shifted = patient(Counter(lambda logits, batch: logits + logits.mean(0)))
    assert alone(shifted, shifted.examples) > 0.1
    assert alone(shifted, shifted.plain) > 0.1
    padded = patient(Counter(lambda logits, batch: logits * (1 + (~batch.source_mask_BS).sum())))
    assert alone(padded, padded.examples) > 0.1
    assert alone(padded, padded.plain) == 0.0


def test_a_leak_is_seen_before_its_token_and_a_reference_after_it() -> None:
    leak = probes.target_leak(patient(Counter()))
    assert leak.before == 0.0
    assert above(leak.after, 0.1)

    def peeking(logits: torch.Tensor, batch: Any) -> torch.Tensor:
        targets_N = batch.targets[0].flatten()[batch.places_N]
        return logits + torch.nn.functional.one_hot(targets_N, 9)

    assert above(probes.target_leak(patient(Counter(peeking))).before, 0.1)


def test_random_draws_are_not_taken_for_memory() -> None:
    def again(wrong: Any) -> Repetition:
        subject = patient(Counter(wrong))
        batch = subject.batch(subject.examples)
        return probes.repetition(subject, batch, subject.model.score(batch))

    assert again(None) == Repetition(at_once=0.0, after_another=0.0)
    kept: list[torch.Tensor] = [torch.zeros(())]

    def remembering(logits: torch.Tensor, batch: Any) -> torch.Tensor:
        before, kept[0] = kept[0], batch.inputs_BT[0].double().mean()
        return logits + before.float() * torch.arange(9)

    assert above(again(remembering).after_another, 0.01)
    drawn = again(lambda logits, batch: logits + torch.rand(logits.shape))
    assert drawn == Repetition(at_once=0.0, after_another=0.0), "the same draws are the same"


def test_the_loss_is_known_by_its_number() -> None:
    subject = patient(Counter())
    batch = subject.batch(subject.examples)
    healthy = wrong_losses.losses(subject, batch)
    proper = healthy.proper
    assert healthy.given == pytest.approx(proper, rel=1e-6)
    for fault, name in (
        ("softmax-over-time", "over_time"),
        ("softmax-over-batch", "over_batch"),
        ("padding-in-loss", "with_padding"),
        ("no-eos-in-loss", "without_eos"),
        ("probabilities-as-logits", "of_probabilities"),
        ("targets-transposed", "transposed"),
    ):
        loss = planted(fault, Recipe()).loss
        wrong = wrong_losses.losses(replace(subject, loss=loss), batch)
        assert wrong.given == pytest.approx(getattr(wrong, name), rel=1e-6)
        assert wrong.given != pytest.approx(proper, rel=1e-4)


def test_profiles_know_where_gradients_reach() -> None:
    variant = "hidden=24,embedding=16,cell=rnn"
    healthy = ran("", variant, steps=2).outcome["health"]["profile"]
    assert len(healthy) == inside.PROFILE_PLACES
    assert max(healthy) == healthy[-1] == 1.0
    vanished = ran("vanishing-memory", variant, steps=2).outcome["health"]["profile"]
    assert 10 * vanished[0] < healthy[0]
    attended = ran("", f"{variant},attention=general", steps=2).outcome["health"]["profile"]
    assert attended[0] > healthy[0]


def test_cells_are_observed_and_then_run_as_before() -> None:
    record = ran("", f"{SMALL},cell=lstm,depth=2")
    hidden = record.outcome["health"]["hidden"]
    assert [name for name in hidden if name.startswith("encoder")] != []
    assert all(
        set(cell) == {"saturated", "gates", "memory", "memory_mean"} for cell in hidden.values()
    )
    saturated = ran("saturating-embedding", f"{SMALL},cell=lstm").outcome["health"]["hidden"]
    name = next(iter(saturated))
    assert saturated[name]["gates"][0] > 0.5 > hidden[name]["gates"][0]


def test_an_examined_cell_keeps_no_trace_of_it() -> None:
    made = build("reversal")
    spec = make("reversal", made.digest(), asdict(parse(SMALL)), Budget(steps=1), 0, "cpu")
    model = build_initial(spec, made)
    cells = [module for module in model.modules() if isinstance(module, Cell)]
    split = made.splits["train"].take(np.arange(4))
    batch = collate(split, made.facts, "cpu")
    subject = Patient(model, made.facts, "cpu", collate, training_loss, 0.0, split, split)
    assert cells
    assert inside.cell_activity(subject, batch).keys()
    assert not any("advance" in vars(cell) for cell in cells)


def test_a_model_that_shows_no_parts_has_no_profile() -> None:
    class Foreign(torch.nn.Module):
        score = Counter.score

    for model in (Counter(), Foreign()):
        subject = patient(model)
        gradient = inside.source_gradient(subject, subject.batch(subject.examples))
        assert gradient == inside.SourceGradient(None, None)


@pytest.mark.parametrize("scale", [1e25, math.inf])
def test_gradients_too_large_to_square_have_their_true_direction_or_none(scale: float) -> None:
    weight = torch.nn.Parameter(torch.ones(3))
    gradient = torch.tensor([1.0, 2.0, 3.0]) * scale
    effect = compare_step({"w": weight}, [gradient], [gradient.clone()], {"w": 0.1})
    if math.isinf(scale):
        assert effect.alignment is None
    else:
        assert effect.alignment == pytest.approx(1.0)
        assert effect.norm == effect.own_norm == pytest.approx(math.sqrt(14) * scale, rel=1e-6)


def test_a_carried_state_is_named_in_low_precision() -> None:
    run = examined_run(ran("state-carried", "hidden=24,embedding=16,precision=bf16", steps=60))
    assert run is not None
    assert findings(run)[0].cause == "state-carried"
    sound = examined_run(ran("", "hidden=24,embedding=16,precision=bf16", steps=60))
    assert sound is not None
    assert "state-carried" not in [finding.cause for finding in findings(sound)]
