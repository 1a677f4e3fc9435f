"""Proves what an estimate grows with, and that stored runs correct it.

No test holds an estimate against the clock.
"""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from bench.plan import estimate
from bench.specs import Budget, RunSpec, make
from results.record import Record
from tasks import Task, build
from variants import Variant

SPEC = make("opposites", "", asdict(Variant()), Budget(300, every=300, stop="solved"), 0, "cpu")


@pytest.fixture(scope="module")
def task() -> Task:
    return build("opposites")


def took(seconds: float, status: str = "finished", **measured: object) -> Record:
    return Record("0", asdict(SPEC), {"status": status}, {"run_seconds": seconds, **measured})


@pytest.mark.parametrize(
    "budget",
    [
        Budget(600, every=300, stop="solved"),
        Budget(300, every=10, stop="solved"),
        Budget(300, every=300),
    ],
    ids=["steps", "evaluations", "no early stop"],
)
def test_more_work_takes_longer(task: Task, budget: Budget) -> None:
    assert estimate.seconds(replace(SPEC, budget=budget), task) > estimate.seconds(SPEC, task)


@pytest.mark.parametrize(
    "change", [{"hidden": 512}, {"decoder_depth": 2}, {"forcing": "constant"}], ids=str
)
def test_a_larger_model_takes_longer(task: Task, change: dict[str, object]) -> None:
    larger = replace(SPEC, variant={**SPEC.variant, **change})
    assert estimate.seconds(larger, task) > estimate.seconds(SPEC, task)


def test_a_budget_in_seconds_is_what_it_takes_and_its_evaluations(task: Task) -> None:
    assert 100 < estimate.seconds(replace(SPEC, budget=Budget(seconds=100)), task) < 150


def test_runs_of_the_store_correct_it(task: Task) -> None:
    guess = estimate.seconds(SPEC, task)
    broken = [took(1000 * guess, "failed"), took(1000 * guess, resumed=2.0)]
    corrected = estimate.Estimate({"opposites": task}, [took(3 * guess), took(5 * guess), *broken])
    assert corrected.measured == 2
    assert corrected(SPEC) == pytest.approx(4 * guess)
    assert corrected(replace(SPEC, seed=7)) == pytest.approx(4 * guess)
    assert estimate.Estimate({"opposites": task}, [])(SPEC) == guess


def test_a_spec_is_read_back_before_it_corrects(task: Task) -> None:
    strange = Record("0", {**asdict(SPEC), "colour": 1}, {"status": "finished"}, {"run_seconds": 1})
    assert estimate.Estimate({"opposites": task}, [strange]).measured == 0
    assert RunSpec.read(asdict(SPEC)) == SPEC
