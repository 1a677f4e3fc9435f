"""Proves that a run that did not learn is said to be in a state, with what would help."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from results.commands import longer
from results.doctor.health import Health, Losses
from results.doctor.nearest import nearest_solved
from results.doctor.rows import diagnose
from results.doctor.show import show
from results.doctor.state import SOLVED_LOSS, state_of
from results.record import Record
from tests.records import SUITE, failed, record

EVEN = 4.0
"""The loss of guessing in these tests."""


def run(
    losses: list[float], valid: list[float] | None = None, examined: bool = True, **changes: Any
) -> Record:
    """A run with these losses, one every 10 steps, and the same on validation if not given."""
    one = record(changes.pop("seed", 0), changes.pop("score", 0.0), **changes)
    curve = [
        {"step": 10 * n, "tokens": 400 * n, "loss": loss, "valid_loss": other}
        for n, (loss, other) in enumerate(zip(losses, valid or losses, strict=True), 1)
    ]
    health = Health(loss=Losses(even=EVEN)).plain() if examined else None
    return replace(one, outcome={**one.outcome, "curve": curve, "health": health})


def decaying(rate: float, first: float = 3.0, points: int = 20) -> list[float]:
    """Losses that fall by the same share every step."""
    return [first * math.exp(-rate * 10 * n) for n in range(points)]


STUCK = [3.9] * 20
HALF_WAY = [4.0, 3.0, 2.0, *[1.5] * 17]


@pytest.mark.parametrize(
    ("entry", "kind", "words"),
    [
        (failed(0), "failed", "ValueError: no"),
        (record(0, None), "diverged", "at step 30"),
        (record(0, 1.0, 400), "solved", "reached at step 10"),
        (record(0, 1.0, 3600), "solved late", "reached at step 90 of 100"),
        (record(0, 0.0), "unclear", "too few evaluations"),
        (run(decaying(0.005)), "still learning", "still falls by 39 % per 100 steps"),
        (run(STUCK), "stuck at guessing", "uniform guessing gives 4"),
        (run(STUCK, examined=False), "stuck at guessing", "since step 110 (3.9)"),
        (run(HALF_WAY), "stuck above guessing", "it stays at 1.5"),
        (run([*[4.0] * 5, *[5.0] * 15]), "worse than guessing", "gives 4"),
        (run(decaying(0.02), STUCK), "learns only its examples", "not the task"),
    ],
)
def test_every_run_is_in_a_state(entry: Record, kind: str, words: str) -> None:
    state = state_of(entry, SUITE)
    assert state.kind == kind
    assert words in state.says
    assert bool(state.command) == (kind == "still learning")


@given(rate=st.floats(0.002, 0.02), first=st.floats(2.0, 5.0))
def test_an_exponential_is_continued_exactly(rate: float, first: float) -> None:
    losses = decaying(rate, first)
    state = state_of(run(losses), SUITE)
    if losses[-1] <= SOLVED_LOSS:
        assert state.steps is None
        return
    expected = math.log(losses[-1] / SOLVED_LOSS) / rate
    assert state.steps is not None
    assert abs(state.steps.about - expected) <= 1 + 1e-6 * expected
    assert state.steps.most is not None
    assert state.steps.least <= state.steps.about <= state.steps.most + 1


def test_noise_widens_the_interval() -> None:
    noisy = [loss * (1.1 if n % 3 else 0.9) for n, loss in enumerate(decaying(0.004))]
    smooth, rough = state_of(run(decaying(0.004)), SUITE), state_of(run(noisy), SUITE)
    assert smooth.steps is not None
    assert rough.steps is not None
    assert rough.steps.least < smooth.steps.least
    assert rough.steps.most is None or rough.steps.most > (smooth.steps.most or 0)


def test_runs_that_solved_it_say_where_that_is() -> None:
    solved = record(0, 1.0, 400, cell="lstm")
    solved = replace(solved, outcome={**solved.outcome, "valid": {"valid_loss": 0.4}})
    state = state_of(run(decaying(0.005)), SUITE, [solved])
    assert "to a loss of 0.4, where the runs that solved it were (1 in this store)" in state.says


def test_the_command_goes_on_with_the_same_run() -> None:
    assert longer(run(STUCK), SUITE, 400) == (
        "bench run --task opposites --vary cell=gru --budget 400steps --seeds 1"
    )
    other = run(STUCK, seed=2, cell="lstm", hidden=32, batch=8, decoding="beam=5", fault="no-clip")
    assert longer(other, SUITE, 400) == (
        "bench run --task opposites --base cell=lstm,hidden=32 --budget 400steps --batch 8 "
        "--decoding beam=5 --fault no-clip --seeds 2:3"
    )


def test_the_nearest_that_solved_it_is_told_with_what_it_had() -> None:
    entry = run(STUCK, learning_rate=0.001)
    far = record(0, 1.0, 100, learning_rate=0.01, cell="lstm")
    near = [record(seed, 1.0, 400 if seed else None, learning_rate=0.01) for seed in range(3)]
    found = nearest_solved(entry, [entry, far, *near], SUITE)
    assert found is not None
    assert found.differences == ("learning_rate=0.01 instead of 0.001",)
    assert "after 400 tokens" in found.says
    assert "2 of its 3 seeds did" in found.says
    # of what else may differ, budget and fault
    longer = record(0, 1.0, 400, learning_rate=0.001, steps=900)
    found = nearest_solved(entry, [entry, longer], SUITE)
    assert found is not None
    assert found.differences == ("900 steps instead of 100 steps",)
    faulty = nearest_solved(run(STUCK, fault="no-clip"), [record(1, 1.0, 400)], SUITE)
    assert faulty is not None
    assert faulty.differences == ("without the fault no-clip",)
    assert nearest_solved(entry, [entry, record(0, 1.0, 400, task="reversal")], SUITE) is None
    seed = nearest_solved(run(STUCK), [record(1, 1.0, 400)], SUITE)
    assert seed is not None
    assert "seed 1 instead of 0, nothing else" in seed.says


def printed(*records: Record, store: tuple[Record, ...] = ()) -> str:
    out = io.StringIO()
    show(diagnose(records, SUITE, store), Console(file=out, width=80))
    return out.getvalue()


def test_nothing_found_is_never_said_alone_of_a_run_that_did_not_learn() -> None:
    entry = run(HALF_WAY)
    text = printed(entry, store=(entry, record(0, 1.0, 400, cell="lstm")))
    assert "nothing found, though it did not reach its target" in text
    assert "stuck above guessing: exact match 0.000, target 1.000" in text
    assert "nearest that solved it: " in text
    flat = " ".join(text.split())
    assert "cell=lstm instead of gru" in flat
    assert "asked, and found in order (" in flat
    assert "what the model is given, what it minimises, how it is updated" in flat
    learning = printed(run(decaying(0.005)))
    (go_on,) = [line for line in learning.splitlines() if line.startswith("go on")]
    assert go_on.startswith("go on (it starts anew): bench run --task opposites --vary cell=gru ")
    kept = diagnose([run(decaying(0.005))], SUITE, kept=lambda run: True)
    out = io.StringIO()
    show(kept, Console(file=out, width=80), "my store")
    assert "\ngo on: bench run --task opposites --vary cell=gru " in out.getvalue()
    assert "--seeds 1 --store 'my store'\n" in out.getvalue()
    # of many runs, the states are counted
    text = printed(run(HALF_WAY), run(decaying(0.005), seed=1))
    assert "nothing found in 2 of 2 runs; of these" in text
    assert f"  1 stuck above guessing: bench doctor {run(HALF_WAY).id[:8]} says more" in text
    assert "  1 still learning: bench doctor" in text
    # of a run that an error ended, the error
    assert "failed: an error ended it: ValueError: no" in printed(failed(0))
