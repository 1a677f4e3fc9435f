"""Proves what is held equal, and that nothing is chosen by test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from results.compare import equal_cost
from results.compare.judging import ComparisonRow
from results.compare.pairs import ComparisonError
from results.record import Record, TunedAxes
from tests.records import SUITE, failed, record

A, B = "cell=lstm", "base"


def run(seed: int, points: dict[int, float], step_seconds: float = 1.0, **changes: Any) -> Record:
    """A run whose score on valid goes so with its steps; 40 tokens a step."""
    whole = record(seed, points[max(points)], **changes)
    curve = [
        {"step": step, "tokens": 40 * step, "exact_match": value} for step, value in points.items()
    ]
    clock = [{"train_seconds": step_seconds * step} for step in points]
    steps = max(points)
    outcome = {**whole.outcome, "curve": curve, "steps": steps, "tokens": 40 * steps}
    return Record(whole.id, whole.spec, outcome, {**whole.measured, "clock": clock})


def only(rows: list[ComparisonRow], mode: str) -> dict[str, Any]:
    """Return the only row of a mode, as a dict whose values mypy does not check."""
    (found,) = [row for row in rows if row["mode"] == mode]
    return dict(found)


def both() -> list[Record]:
    """One is ahead at each step, and takes four times as long for one."""
    slow = [run(s, {10: 0.5, 20: 0.7, 40: 0.9}, 4.0, cell="lstm") for s in range(6)]
    return [*slow, *(run(s, {10: 0.4, 20: 0.6, 40: 0.8}, 1.0) for s in range(6))]


def test_the_order_may_change_with_what_is_equal() -> None:
    rows = equal_cost.compare_at_equal_cost(both(), SUITE, A, B, ("steps", "tokens", "seconds"))
    steps, tokens, seconds = (only(rows, mode) for mode in ("steps", "tokens", "seconds"))
    assert (steps["effect"], steps["verdict"]) == (pytest.approx(0.1), "better")
    assert (tokens["effect"], tokens["at"]) == (pytest.approx(0.1), "1.6e+03 tokens")
    # after 40 s the fast one is at its end, the slow one at step 10
    assert (seconds["effect"], seconds["verdict"]) == (pytest.approx(-0.3), "worse")
    assert seconds["at"] == "40 seconds"


def test_equal_steps_end_where_the_first_run_stopped() -> None:
    """A run that stopped at its target keeps no score for steps that it was never trained for."""
    soon = [run(s, {10: 0.5, 20: 1.0}, cell="lstm", tokens_to=800, stop="solved") for s in range(6)]
    late = [run(s, {10: 0.4, 20: 0.6, 40: 1.0}, tokens_to=1600, stop="solved") for s in range(6)]
    rows = equal_cost.compare_at_equal_cost([*soon, *late], SUITE, A, B, ("steps",))
    row = only(rows, "steps")
    assert (row["at"], row["effect"]) == ("20 steps", pytest.approx(0.4))


def test_seconds_of_unlike_machines_are_refused() -> None:
    runs = both()
    elsewhere = [Record(r.id, r.spec, r.outcome, {**r.measured, "host": "there"}) for r in runs[:6]]
    rows = equal_cost.compare_at_equal_cost(
        [*elsewhere, *runs[6:]], SUITE, A, B, ("steps", "seconds")
    )
    assert "unlike machines" in only(rows, "seconds")["refused"]
    assert only(rows, "steps")["verdict"] == "better"


def scored(seed: int, valid: float, test: float, **changes: Any) -> Record:
    whole = record(seed, test, **changes)
    outcome = {**whole.outcome, "valid": {"exact_match": valid}}
    return Record(whole.id, whole.spec, outcome, whole.measured)


def test_the_best_learning_rate_is_chosen_on_valid() -> None:
    """By test, another would be."""
    suite = {**SUITE, "learning_rate": 0.1}
    runs = []
    for seed in range(6):
        for cell in ("gru", "lstm"):
            gain = 0.1 * (cell == "lstm")
            runs += [
                scored(seed, 0.5, 0.9, cell=cell, learning_rate=0.1),
                scored(seed, 0.6, 0.3 + gain, cell=cell, learning_rate=0.2),
            ]
    (row,) = equal_cost.compare_at_equal_cost(runs, suite, "cell=lstm", "base", ("learning_rate",))
    assert row["at"] == "0.2 and 0.2, chosen on seeds 0 to 1"
    assert row["pairs"] == 4
    assert row["effect"] == pytest.approx(0.1)
    assert row["a_mean"] == pytest.approx(0.4)


def rates_of(side: dict[float, list[float]], cell: str) -> list[Record]:
    """Runs of a cell: scores on validation by learning rate and seed; on test 1 minus that."""
    return [
        scored(seed, score, 1 - score, cell=cell, learning_rate=rate)
        for rate, scores in side.items()
        for seed, score in enumerate(scores)
    ]


def at_best_rates(runs: list[Record]) -> dict[str, Any]:
    suite = {**SUITE, "learning_rate": 0.1}
    modes = ("learning_rate",)
    return only(equal_cost.compare_at_equal_cost(runs, suite, A, B, modes), modes[0])


def test_seeds_that_choose_a_rate_are_not_compared() -> None:
    """The first third of the seeds likes one rate, all others the other."""
    side = {0.1: [0.9, 0.9, 0.1, 0.1, 0.1, 0.1], 0.2: [0.5] * 6}
    row = at_best_rates([*rates_of(side, "gru"), *rates_of(side, "lstm")])
    assert row["at"] == "0.1 and 0.1, chosen on seeds 0 to 1"
    assert (row["pairs"], row["a_mean"]) == (4, pytest.approx(0.9))


def test_one_rate_is_said_to_be_one() -> None:
    one, two = {0.1: [0.5] * 3}, {0.1: [0.5] * 3, 0.2: [0.6] * 3}
    row = at_best_rates([*rates_of(one, "gru"), *rates_of(one, "lstm")])
    assert "only one learning rate was tried (0.1)" in row["refused"]
    row = at_best_rates([*rates_of(one, "gru"), *rates_of(two, "lstm")])
    assert row["at"] == "0.2 and 0.1 (the only one), chosen on seed 0"


def test_a_single_seed_cannot_choose_and_be_compared() -> None:
    side = {0.1: [0.5], 0.2: [0.6]}
    row = at_best_rates([*rates_of(side, "gru"), *rates_of(side, "lstm")])
    assert "no seed is left to compare" in row["refused"]


def test_rates_that_tuning_chose_are_compared_on_all_seeds() -> None:
    runs = [*rates_of({0.3: [0.5] * 6}, "gru"), *rates_of({0.1: [0.5] * 6}, "lstm")]
    tuned = TunedAxes(("learning_rate",), 3)
    row = at_best_rates([replace(run, tuned=tuned) for run in runs])
    assert (row["at"], row["pairs"]) == ("0.1 and 0.3, tuned", 6)


def sized(seed: int, score: float, parameters: int, **changes: Any) -> Record:
    whole = record(seed, score, **changes)
    outcome = {**whole.outcome, "parameters": parameters}
    return Record(whole.id, whole.spec, outcome, whole.measured)


def test_equal_parameters_are_found_among_hidden_sizes() -> None:
    runs = [sized(seed, 0.5, 1000) for seed in range(6)]
    for hidden, count in ((64, 1600), (48, 1020), (32, 600)):
        runs += [sized(s, hidden / 100, count, cell="lstm", hidden=hidden) for s in range(6)]
    (row,) = equal_cost.compare_at_equal_cost(runs, SUITE, "cell=lstm", "base", ("parameters",))
    assert row["at"] == "1,020 and 1,000 parameters, hidden=48 of a"
    assert row["effect"] == pytest.approx(-0.02)
    lacking = [r for r in runs if r.variant["hidden"] != 48]
    (row,) = equal_cost.compare_at_equal_cost(
        lacking,
        SUITE,
        "cell=lstm",
        "base",
        ("parameters",),
        lambda task, variant, count: f"; hidden=49 of {variant['cell']} on {task} has {count}",
    )
    assert row["refused"].endswith("; hidden=49 of lstm on opposites has 1000")


def test_what_is_not_there() -> None:
    with pytest.raises(ComparisonError, match="in common"):
        equal_cost.compare_at_equal_cost(both(), SUITE, A, "cell=rnn", ("steps",))
    lost = [failed(seed, cell="lstm") for seed in range(6)]
    rows = equal_cost.compare_at_equal_cost(
        [*lost, *both()[6:]], SUITE, A, B, ("steps", "parameters")
    )
    assert only(rows, "steps")["verdict"] == "worse"
    assert "every run failed" in only(rows, "parameters")["refused"]
