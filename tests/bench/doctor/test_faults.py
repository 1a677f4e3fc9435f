"""Proves that a planted fault is the fault that it says, and that it does its harm."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.doctor import entropies, planting
from bench.doctor.faults import FAULTS, inapplicable_fault, planted, read_faults
from bench.doctor.wrong_evaluations import ForeignStart, NeverStops, StandIn
from bench.plan.matrix import Block, Matrix, plan
from bench.plugins import loading
from bench.runner import execute
from bench.specs import Budget, make
from bench.training.batching import collate
from bench.training.decoding import greedy
from bench.training.evaluation import GREEDY
from bench.training.state import Recipe, start
from bench.training.weights import build_initial
from tasks import BOS, EOS, PAD, Task, build
from tests.small import SEQUENCES, built, rows, sequences
from variants import Model, Variant
from variants.axes import parse
from variants.cells import CELLS


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


# every fault in every cell and number format

ALL_CELLS = (*CELLS, "transformer")
SEQUENCE, TAGGING = "increment:pairs=12", "keyphrase:documents=40"
TINY = "hidden=8,embedding=8,dropout=0.2,clip=0.05,learning_rate=0.01"
NOWHERE = {("vanishing-memory", "transformer"), ("state-carried", "transformer")}
"""Faults that break something which a kind of model has not."""


@cache
def task(label: str) -> Task:
    return build(label)


def variant_of(cell: str, precision: str, label: str) -> Variant:
    """Return a small variant that has what each fault breaks: dropout, clipping, forcing."""
    forcing = "" if label == TAGGING else ",forcing=constant"
    return parse(f"cell={cell},precision={precision},{TINY}{forcing}")


def spec_of(variant: Variant, label: str, fault: str = "") -> Any:
    budget = Budget(steps=2, batch=4, every=2, stop="budget")
    plugin = loading.digest_of(label, asdict(variant))
    given = (label, task(label).digest(), asdict(variant), budget, 0, "cpu")
    return make(*given, fault=fault, plugin=plugin)


def two_steps(fault: str, variant: Variant, label: str) -> dict[str, Tensor]:
    """Return all that two training steps and an evaluation give, as tensors by name."""
    facts, train = task(label).facts, task(label).splits["train"]
    recipe = planted(fault, Recipe())
    model = recipe.built(build_initial(spec_of(variant, label), task(label)))
    state = start(model, variant, 0, "cpu", recipe)
    found: dict[str, Tensor] = {}
    for step in range(2):
        batch = recipe.collate(train.take(np.arange(4) + 4 * step), facts, "cpu")
        fed_BT = None
        if not facts.tagging:
            fed_BT = torch.arange(batch.mask_BT.numel()).view_as(batch.mask_BT) % 2 == 0
        loss, norm = recipe.step(state, variant, facts, recipe.loss, batch, fed_BT)
        found |= {f"loss {step}": loss, f"norm {step}": norm}
    given = (state.model, task(label), train.take(np.arange(4)), "cpu", recipe.collate, GREEDY)
    found["evaluation"] = torch.tensor(recipe.evaluate(*given).loss)
    if not facts.tagging and fault != "dropout-stays":  # which evaluates its own kind alone
        stand_in = StandIn(facts.target_sizes[0])
        recipe.evaluate(stand_in, *given[1:])
        found["fed"] = torch.tensor([len(stand_in.fed), int(stand_in.fed[0][0])])
    found |= {name: value.detach().clone() for name, value in model.state_dict().items()}
    return found


@cache
def healthy(variant: Variant, label: str) -> dict[str, Tensor]:
    return two_steps("", variant, label)


def differs(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    assert one.keys() - {"fed"} == other.keys() - {"fed"}
    return any(not torch.equal(value, other.get(name, value)) for name, value in one.items())


def cases() -> list[tuple[str, str, str]]:
    """Return each fault with each cell, on a sequence task and with one cell on a tagger's."""
    found = [(n, cell, SEQUENCE) for n, cell in product(FAULTS, ALL_CELLS) if FAULTS[n].sequences]
    tagged = product([n for n in FAULTS if FAULTS[n].tagging], ("gru", "minlstm", "transformer"))
    return found + [(name, cell, TAGGING) for name, cell in tagged]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("name", "cell", "label"), cases())
def test_a_planted_fault_has_an_effect_or_says_that_it_has_none(
    name: str, cell: str, label: str, precision: str
) -> None:
    variant, tagging = variant_of(cell, precision, label), label == TAGGING
    reason = inapplicable_fault(name, variant, tagging)
    assert (reason is not None) == ((name, cell) in NOWHERE)
    if reason is not None:
        assert reason.startswith(f"fault={name}: cell={cell} is no recurrent cell")
        return
    sound, faulty = healthy(variant, label), two_steps(name, variant, label)
    if FAULTS[name].harmless:
        # the first step's, as rounding may turn the sign of a gradient, and so Adam's update
        torch.testing.assert_close(sound["loss 0"], faulty["loss 0"], rtol=1e-4, atol=0)
        torch.testing.assert_close(sound["norm 0"], faulty["norm 0"], rtol=1e-2, atol=0)
    else:
        assert differs(sound, faulty)


@pytest.mark.parametrize("label", [SEQUENCE, TAGGING])
def test_without_a_fault_two_runs_are_equal(label: str) -> None:
    """Or any difference from a healthy run would prove nothing."""
    for cell, precision in (("lstm", "fp32"), ("transformer", "bf16")):
        variant = variant_of(cell, precision, label)
        assert not differs(healthy(variant, label), two_steps("", variant, label))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_vanished_memory_keeps_nothing(cell: str, precision: str) -> None:
    """The encoder's last output depends on the first symbol a thousandth as much as on the last."""
    variant = variant_of(cell, precision, SEQUENCE)
    batch = sequences([([3, 4, 5, 6], [3]), ([7, 4, 5, 6], [3]), ([3, 4, 5, 8], [3])])

    def last_outputs(fault: str) -> Tensor:
        model = built_small(variant)
        planted(fault, Recipe()).built(model)
        with torch.no_grad():
            outputs_BSD: Tensor = model.encode(batch).memory.outputs_BSD
        return outputs_BSD[:, -1].float()

    def share(outputs_BD: Tensor) -> float:
        first, last = ((outputs_BD[row] - outputs_BD[0]).norm() for row in (1, 2))
        return float(first / last)

    assert share(last_outputs("vanishing-memory")) < 1e-3
    assert share(last_outputs("")) > 3e-3


def built_small(variant: Variant) -> Model:
    return build_initial(spec_of(variant, SEQUENCE), task(SEQUENCE))


# where a fault does not apply


@pytest.mark.parametrize(
    ("fault", "text", "reason"),
    [
        ("always-forced", "base", "forcing=always feeds the reference everywhere already"),
        ("always-forced", "forcing=constant,forcing_rate=1", "forcing=constant feeds"),
        ("never-forced", "forcing=never", "forcing=never feeds the reference nowhere already"),
        ("never-forced", "decoder_input=context", "decoder_input=context feeds no token"),
        ("unshifted-targets", "decoder_input=state", "decoder_input=state feeds no token"),
        ("state-carried", "bridge=zero,attention=dot", "bridge=zero starts every batch from zeros"),
        ("embedding-frozen", "embedding_trained=frozen", "embedding_trained=frozen trains none"),
        ("embedding-left-out", "embedding_trained=frozen", "embedding_trained=frozen trains none"),
        ("dropout-stays", "dropout=0", "dropout=0 drops nothing"),
        ("unclipped", "clip=0", "clip=0 clips nothing"),
        ("rate-too-high", "learning_rate=0", "learning_rate=0 is 0 times anything"),
        ("decay-too-high", "weight_decay=0.01", "weight_decay=0.01 is the variant's own"),
        ("vanishing-memory", "cell=transformer", "cell=transformer is no recurrent cell"),
    ],
)
def test_a_variant_that_lacks_what_it_breaks(fault: str, text: str, reason: str) -> None:
    variant = parse(text)
    told = inapplicable_fault(fault, variant, tagging=False)
    assert told is not None
    assert told.startswith(f"fault={fault}: {reason}")
    label = SEQUENCE
    block = Block((label,), variant, {}, {}, range(1), Budget(steps=2), fault=fault)
    planned = plan(Matrix("x", (block,)), {label: task(label)}, "cpu")
    assert not planned.specs
    assert [row.reason for row in planned.inapplicable] == [told]
    record = execute(spec_of(variant, label, fault), None, lambda point, clock: None)
    assert record["outcome"]["status"] == "failed"
    assert record["outcome"]["error"] == (
        f"ValueError: this fault does not apply, {told}; plant another"
    )


@pytest.mark.parametrize(
    ("fault", "tagging", "where"),
    [("axes-swapped", True, "sequence tasks"), ("one-label", False, "taggers")],
)
def test_a_task_that_lacks_what_it_breaks(fault: str, tagging: bool, where: str) -> None:
    told = inapplicable_fault(fault, parse("base"), tagging)
    assert told == f"fault={fault}: it can only be planted in {where}"


SHOWS_NONE = (
    *("axes-swapped", "source-cut", "saturating-embedding", "embedding-frozen"),
    *("embedding-left-out", "encoder-left-out", "dropout-stays"),
)
PLUGINS = (Path(__file__).parents[3] / "docs" / "plugins.md").read_text("utf-8")


@pytest.mark.parametrize("kind", ["Model", "nn.Module"])
@pytest.mark.parametrize("fault", SHOWS_NONE)
def test_a_model_from_outside_that_shows_no_parts(
    fault: str, kind: str, tmp_path: Path, registries_put_back: None
) -> None:
    """It fails with a sentence, where it was a healthy run with a wrong label or a traceback."""
    at = PLUGINS.index('"""bag.py')
    source = PLUGINS[at : PLUGINS.index("```", at)]
    source = source.replace("class Bag(Model)", f"class Bag({kind})")
    file = tmp_path / "bag.py"
    file.write_text(source, "utf-8")
    loading.load([file])
    variant = parse("cell=bag,hidden=8,embedding=8,dropout=0.2")
    outcome = execute(spec_of(variant, SEQUENCE, fault), None, lambda point, clock: None)["outcome"]
    assert outcome["status"] == "failed"
    assert "would change nothing; plant another" in outcome["error"]
    healthy_run = execute(spec_of(variant, SEQUENCE), None, lambda point, clock: None)
    assert healthy_run["outcome"]["status"] == "finished"


def test_a_fault_that_finds_nothing_is_refused() -> None:
    """Frozen embeddings cannot be frozen or left out, and a tagger has no encoder to leave out."""
    with pytest.raises(ValueError, match="no embedding is trained"):
        planting.freeze_embeddings(built("embedding_trained=frozen"))
    with pytest.raises(ValueError, match="no encoder"):
        planting.cut_source(built("base", tagging=True))
    with pytest.raises(ValueError, match="no recurrent weights or gates"):
        planting.forget(built("cell=transformer"))
    recipe = planted("embedding-left-out", Recipe())
    with pytest.raises(ValueError, match="not trained"):
        recipe.optimizer(parse("base"), built("embedding_trained=frozen"))
    with pytest.raises(ValueError, match="shows no parts"):
        recipe.optimizer(parse("base"), nn.Linear(2, 2))


# what the authors of the starting experiments had


def test_a_first_slot_of_zeros_costs_ln_v_over_the_length() -> None:
    """Even where everything else is right, as the mean over N positions has B of them at ln V."""
    batch = sequences(rows(1, 6))
    target_BT = batch.targets[0]
    right_BTV = 1e3 * nn.functional.one_hot(target_BT, SEQUENCES.target_sizes[0]).double()
    floor = len(target_BT) * math.log(SEQUENCES.target_sizes[0]) / batch.tokens
    assert float(entropies.first_zero(right_BTV, target_BT, batch)) == pytest.approx(floor)
    mean_length = batch.tokens / len(target_BT)
    assert floor == pytest.approx(math.log(SEQUENCES.target_sizes[0]) / mean_length)
    assert ran("first-slot-zero", 150)["curve"][-1]["loss"] > 0.9 * math.log(101) / 10


def test_a_decoder_that_reads_both_ways_by_hand() -> None:
    """Each row's logits are the mean of those of its inputs and of its inputs from the end."""
    examples = rows(2, 4)
    batch = sequences(examples)
    model = built("decoder_input=output,embedding_init=normal")
    with torch.no_grad():
        wanted = []
        for source, target in examples:
            one = sequences([(source, target)])
            (ahead,) = model.score(one)
            (back,) = model.score(one._replace(inputs_BT=one.inputs_BT.flip(1)))
            wanted.append((ahead + back.flip(0)) / 2)
        planting.read_both_ways(model)
        (found,) = model.score(batch)
        padded = entropies.padded_logits(model, batch, None, None)[0]
    torch.testing.assert_close(found, torch.cat(wanted), rtol=0, atol=1e-10)
    torch.testing.assert_close(padded[batch.mask_BT], found, rtol=0, atol=1e-10)
    assert model.readouts(batch) is None


def test_decoding_that_never_notices_the_end_goes_on_with_what_was_given() -> None:
    batch = sequences(rows(3, 3))
    model = built("embedding_init=normal")
    sound = greedy(StandIn(9), batch, 8)
    assert (sound.ended, [len(ids) for ids in sound.ids]) == ([True] * 3, [1] * 3)
    stand_in = StandIn(9)
    faulty = greedy(NeverStops(stand_in), batch, 8)
    assert (faulty.ended, [len(ids) for ids in faulty.ids]) == ([False] * 3, [8] * 3)
    # it is fed what it gave: the end symbol, time and again
    assert [int(tokens[0]) for tokens in stand_in.fed] == [BOS, EOS + 1, *[EOS] * 6]
    assert torch.equal(NeverStops(model).score(batch)[0], model.score(batch)[0])


def test_decoding_from_a_foreign_symbol_feeds_it_once() -> None:
    batch, stand_in = sequences(rows(3, 3)), StandIn(9)
    assert greedy(ForeignStart(stand_in), batch, 8).ended == [True] * 3
    assert [tokens.tolist() for tokens in stand_in.fed] == [[PAD] * 3, [EOS + 1] * 3]


# several faults at once


def test_several_faults_are_all_planted() -> None:
    both = planted("unshifted-targets+no-eos-in-loss", Recipe())
    assert both.collate is not Recipe().collate
    assert both.loss is not Recipe().loss
    assert read_faults(" unshifted-targets + no-eos-in-loss") == "unshifted-targets+no-eos-in-loss"
    reason = inapplicable_fault("unshifted-targets+dropout-stays", parse("base"), False)
    assert reason == "fault=dropout-stays: dropout=0 drops nothing"
    outcome = ran("unshifted-targets+never-stops", 60)
    assert outcome["curve"][-1]["ended"] == 0.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("unshifted-targets+unshifted-targets", "twice"),
        ("softmax-over-time+no-eos-in-loss", "each replace the loss"),
        ("unshifted-targets+softmax-over-tim", "did you mean softmax-over-time"),
    ],
)
def test_faults_that_cannot_be_together(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_faults(text)
