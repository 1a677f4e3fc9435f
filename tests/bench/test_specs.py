"""Proves that an id stands for all that determines a run, and for nothing else."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from bench.specs import Budget, RunSpec, make

SPEC = RunSpec(
    task="opposites",
    data="abc",
    variant={"cell": "gru", "hidden": 64, "learning_rate": 0.003},
    budget=Budget(steps=100, stop="solved"),
    seed=0,
    device="cpu",
    torch="2.0",
)
OTHERS: dict[str, Any] = {
    "task": "reversal",
    "data": "abd",
    "variant": {**SPEC.variant, "hidden": 65},
    "budget": Budget(steps=101, stop="solved"),
    "seed": 1,
    "device": "cuda",
    "torch": "2.1",
    "execution": "compiled",
    "decoding": "beam",
    "fault": "no-clip",
    "plugin": "p",
    "numerics": 99,
    "host": "here",
    "tuning": "learning_rate",
}
BUDGETS = (
    Budget(tokens=100),
    Budget(seconds=100.0),
    Budget(steps=100, batch=33),
    Budget(steps=100, every=5),
    Budget(steps=100, stop="budget"),
    Budget(steps=100, batching="random"),
)


def test_a_run_trains_to_the_end_of_its_budget_unless_it_says_otherwise() -> None:
    """Scores compare at equal work; a stored spec says when it ended, so its id stays."""
    assert Budget(steps=100).stop == "budget"
    assert Budget(steps=100) != SPEC.budget
    assert RunSpec.read(SPEC.plain()).budget.stop == "solved"


def test_one_id_is_as_it_ever_was() -> None:
    """If this fails, every store there is would be run again: change NUMERICS knowingly."""
    assert SPEC.id == "e76847ace2af639f"


def test_every_field_has_a_change_here() -> None:
    assert set(OTHERS) == {field.name for field in fields(RunSpec)}


@pytest.mark.parametrize("name", OTHERS)
def test_each_field_changes_the_id(name: str) -> None:
    assert replace(SPEC, **{name: OTHERS[name]}).id != SPEC.id


def test_each_part_of_a_budget_changes_the_id() -> None:
    ids = {replace(SPEC, budget=budget).id for budget in (SPEC.budget, *BUDGETS)}
    assert len(ids) == 1 + len(BUDGETS)


def test_batches_are_part_of_what_determines_the_steps() -> None:
    random = replace(SPEC, budget=Budget(steps=100, stop="solved", batching="random"))
    assert random.course != SPEC.course
    assert "batching" not in SPEC.plain()["budget"]


def test_the_order_of_axes_does_not_change_the_id() -> None:
    turned = dict(reversed(SPEC.variant.items()))
    assert list(turned) != list(SPEC.variant)
    assert replace(SPEC, variant=turned).id == SPEC.id


def test_plain_and_back_is_the_same() -> None:
    for budget in (SPEC.budget, *BUDGETS):
        spec = replace(SPEC, budget=budget)
        assert RunSpec.read(spec.plain()) == spec
        assert RunSpec.read(spec.plain()).id == spec.id


@pytest.mark.parametrize("key", ["seed", "host"])
def test_a_missing_key_is_refused(key: str) -> None:
    plain = SPEC.plain()
    del plain[key]
    with pytest.raises(ValueError, match=key):
        RunSpec.read(plain)


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValueError, match="colour"):
        RunSpec.read({**SPEC.plain(), "colour": 1})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "how long"),
        ({"steps": 0}, "how long"),
        ({"steps": -1}, "how long"),
        ({"steps": 1, "tokens": 1}, "how long"),
        ({"steps": 1, "seconds": 0.5}, "how long"),
        ({"seconds": float("nan")}, "how long"),
        ({"seconds": float("inf")}, "how long"),
        ({"tokens": 10**16}, "how long"),
        ({"steps": 10**400}, "how long"),
        ({"steps": 1, "batch": 0}, "batch=0"),
        ({"steps": 1, "every": -1}, "every=-1"),
        ({"steps": 1, "stop": "solve"}, "stop='solve'"),
        ({"steps": 1, "batching": "sorted"}, "batching='sorted' is not one of length, random"),
    ],
)
def test_a_budget_that_says_nothing_clear_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Budget(**given)


def test_evaluations_are_a_twentieth_of_the_steps() -> None:
    assert Budget(steps=400).interval == 20
    assert Budget(steps=7).interval == 1
    assert Budget(tokens=7).interval == 100
    assert Budget(steps=400, every=3).interval == 3


def test_a_budget_reads_as_it_is() -> None:
    assert [budget.text() for budget in BUDGETS[:2]] == ["100 tokens", "100 s"]


def test_only_a_budget_in_seconds_belongs_to_its_machine() -> None:
    def made(budget: Budget) -> RunSpec:
        return make("opposites", "abc", {"cell": "gru"}, budget, 0, "cpu")

    assert made(Budget(steps=1)).host == ""
    assert made(Budget(seconds=1.0)).host != ""
    assert made(Budget(steps=1)).torch != ""
