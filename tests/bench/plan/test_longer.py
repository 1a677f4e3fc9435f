"""Proves that a longer run goes on from a shorter one, and ends as if it had begun at step 0."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from bench.api.run import SilentWatcher
from bench.engines.driver import drive
from bench.plan.longer import Longer, going_on
from bench.specs import Budget, RunSpec, make
from results.files import state_beside
from results.record import Record
from results.store import Store, writing
from tasks import build
from tests.in_process import InProcessEngine
from variants import BASE


def spec(steps: int, every: int = 0, stop: str = "budget", **changes: Any) -> RunSpec:
    budget = Budget(steps=steps, batch=8, every=every, stop=stop)
    variant = asdict(replace(BASE, hidden=8, embedding=8, dropout=0.3))
    made = make("opposites", build("opposites").digest(), variant, budget, 0, "cpu")
    return replace(made, **changes)


def record(of: RunSpec, status: str = "finished", reached: bool = False) -> Record:
    outcome = {"status": status, "steps": of.budget.steps}
    outcome["to_target"] = {"steps": 1, "tokens": 9} if reached else None
    return Record(of.id, of.plain(), outcome, {})


def longer(specs: list[RunSpec], *stored: Record, kept: bool = True) -> Longer:
    return going_on(specs, stored, lambda _: kept)


def test_a_run_goes_on_from_the_longest_of_its_shorter_runs() -> None:
    short, middle, other = spec(10, 5), spec(20, 5), spec(20, 5, seed=1)
    found = longer([spec(40, 5)], record(short), record(middle), record(other))
    assert found == Longer((spec(40, 5),), {spec(40, 5).id: middle.id})


@pytest.mark.parametrize(
    ("shorter", "status", "reached"),
    [
        (spec(10, 4), "finished", False),  # evaluated at other steps
        (spec(12, 5), "finished", False),  # ended between two evaluations
        (spec(60, 5), "finished", False),
        (spec(10, 5), "diverged", False),
        (spec(10, 5, seed=1), "finished", False),
        (spec(10, 5, decoding="greedy", torch="2.0"), "finished", False),
        (spec(10, 5), "solved", True),  # a run that stops at the target would have stopped there
    ],
)
def test_a_run_of_another_course_starts_at_step_0(
    shorter: RunSpec, status: str, reached: bool
) -> None:
    wanted = spec(40, 5, stop="solved" if reached else "budget")
    assert not longer([wanted], record(shorter, status, reached)).origins


def test_a_run_that_ends_when_flat_begins_anew() -> None:
    """A shorter run may have gone on beyond where this one ends; the other way round it serves."""
    flat, whole = spec(40, 5, stop="plateau"), spec(40, 5)
    assert longer([flat], record(spec(20, 5))) == Longer((flat,), {}, 0)
    short = spec(20, 5, stop="plateau")
    assert longer([whole], record(short)).origins == {whole.id: short.id}


def test_without_a_kept_state_a_run_starts_anew_and_says_so() -> None:
    assert longer([spec(40, 5)], record(spec(10, 5)), kept=False) == Longer((spec(40, 5),), {}, 1)
    # how often it is evaluated makes no difference to what is said
    assert longer([spec(40)], record(spec(20)), kept=False).anew == 1
    assert longer([spec(40)], record(spec(40)), record(spec(20)), kept=False).anew == 0


def test_default_evaluations_become_those_of_the_shorter_runs_if_all_can_go_on() -> None:
    short, also_short = spec(40), spec(40, seed=1)  # every 2 steps
    wanted, also_wanted = spec(80), spec(80, seed=1)  # every 4
    found = longer([wanted, also_wanted], record(short), record(also_short))
    assert found.specs == (spec(80, 2), spec(80, 2, seed=1))
    assert found.origins == {spec(80, 2).id: short.id, spec(80, 2, seed=1).id: also_short.id}
    # asked for again when one of them is done
    again = longer([wanted, also_wanted], record(short), record(also_short), record(spec(80, 2)))
    assert again.specs == found.specs
    assert again.origins == {spec(80, 2, seed=1).id: also_short.id}
    # runs that are compared are evaluated alike
    half = longer([wanted, also_wanted], record(short))
    assert half == Longer((wanted, also_wanted), {}, 1)


def test_a_run_that_goes_on_ends_as_one_that_began_at_step_0(tmp_path: Path) -> None:
    short, long = spec(6, 3), spec(12, 3)
    with writing(tmp_path / "one") as store:
        _drive(store, short, keep_weights=True)
        assert state_beside(store.weights(short.id)).is_file()
        found = going_on([long], store.records(), lambda r: store.training_state(r).is_file())
        assert found.origins == {long.id: short.id}
        went_on = _drive(store, long, origins=found.origins)
    assert went_on.measured["resumed"] == 1
    with writing(tmp_path / "other") as store:
        from_step_0 = _drive(store, long)
    assert (from_step_0.measured["resumed"], from_step_0.outcome) == (0, went_on.outcome)


def _drive(store: Store, one: RunSpec, **options: Any) -> Record:
    """Do a run and return its record."""
    engine, options = InProcessEngine(1, store.folder), {"keep_weights": False, **options}
    drive([one], lambda _: 1.0, store, engine, SilentWatcher(), **options)
    (record,) = store.records([one.id], details=True)
    return record
