"""Proves how tuning chooses: on validation alone, the middle of a tie, one growth at an edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.record import Record
from results.seeds import TUNING_SEED
from results.tuning import TunedChoice, choices, chosen_text, labelled, next_value, question
from tests.records import record


def tried(
    scores: Mapping[Any, Sequence[float | None]], axis: str = "learning_rate", **changes: Any
) -> list[Record]:
    """Tuning runs of one variant: scores on validation by the value, one for each seed.

    None is a run that diverged. Whatever stands there of test must not matter.
    """
    found = []
    for value, each in scores.items():
        for seed, score in enumerate(each):
            one = record(TUNING_SEED + seed, score, **{axis: value}, tuning=axis, **changes)
            outcome = {**one.outcome, "scores": {"test": {"exact_match": 1 - (score or 0.0)}}}
            found.append(replace(one, outcome=outcome))
    return found


def only(records: Sequence[Record]) -> TunedChoice:
    (choice,) = choices(records).values()
    return choice


def test_the_best_on_validation_is_chosen_whatever_test_says() -> None:
    choice = only(tried({0.001: [0.2, 0.4], 0.003: [0.8, 0.9], 0.01: [0.7, 0.9]}))
    assert choice.values == {"learning_rate": 0.003}
    assert choice.best.mean == pytest.approx(0.85)
    assert choice.best.spread == pytest.approx(0.0707, abs=1e-4)
    assert choice.second is not None
    assert choice.second.values == {"learning_rate": 0.01}
    assert choice.second.mean == pytest.approx(0.8)
    assert choice.flat  # 0.05 lies within the spread
    assert choice.edges == {}
    assert len(choice.candidates) == 3


def test_of_an_error_rate_the_smallest_is_best() -> None:
    rates = {0.001: [0.2], 0.003: [0.1], 0.01: [0.9]}
    choice = only(tried(rates, metric="token_error_rate"))
    assert choice.values == {"learning_rate": 0.003}


@pytest.mark.parametrize(
    ("scores", "chosen"),
    [
        ({0.001: [1.0], 0.003: [1.0], 0.01: [1.0]}, 0.003),
        ({0.001: [1.0], 0.003: [1.0], 0.01: [0.5]}, 0.001),  # of two the smaller
        ({0.01: [1.0], 0.003: [1.0], 0.001: [0.5]}, 0.003),  # in whatever order they were done
        ({0.001: [0.1, 0.2, 0.3], 0.003: [0.3, 0.2, 0.1]}, 0.001),  # but for rounding
        ({0.001: [None], 0.003: [None], 0.01: [None]}, 0.003),
    ],
)
def test_a_tie_goes_to_the_middle_or_the_smaller_of_two(
    scores: dict[Any, list[float | None]], chosen: float
) -> None:
    assert only(tried(scores)).values == {"learning_rate": chosen}


def with_loss(runs: Sequence[Record], losses: dict[float, float]) -> list[Record]:
    """The runs with a loss on validation, by their learning rates."""
    found = []
    for run in runs:
        loss = losses[run.variant["learning_rate"]]
        valid = {**run.outcome["valid"], "valid_loss": loss}
        found.append(replace(run, outcome={**run.outcome, "valid": valid}))
    return found


def test_of_equal_scores_the_loss_on_validation_decides() -> None:
    """A score that all miss, or all reach, says nothing of a rate that is far too small."""
    runs = tried({0.001: [0.0, 0.0], 0.003: [0.0, 0.0], 0.01: [0.0, 0.0]})
    choice = only(with_loss(runs, {0.001: 3.3, 0.003: 2.5, 0.01: 1.1}))
    assert choice.values == {"learning_rate": 0.01}
    assert (choice.equal, choice.tied) == (True, False)
    assert choice.edges == {"learning_rate": True}
    # a better score comes before any loss
    runs = tried({0.001: [0.1], 0.003: [0.2], 0.01: [0.1]})
    choice = only(with_loss(runs, {0.001: 1.0, 0.003: 2.5, 0.01: 1.1}))
    assert choice.values == {"learning_rate": 0.003}
    # equal in both: the middle
    choice = only(
        with_loss(
            tried({0.001: [1.0], 0.003: [1.0], 0.01: [1.0]}),
            dict.fromkeys((0.001, 0.003, 0.01), 0.5),
        )
    )
    assert (choice.values, choice.tied, choice.edges) == ({"learning_rate": 0.003}, True, {})


def test_a_failure_counts_as_the_worst() -> None:
    choice = only(tried({0.001: [0.5, 0.5], 0.003: [0.9, None], 0.01: [None, None]}))
    assert choice.values == {"learning_rate": 0.001}
    assert choice.second is not None
    assert choice.second.mean == pytest.approx(0.45)
    assert choice.second.failed == 1
    # an error rate's worst is 1, and a score without a worst value loses to any
    rates = only(tried({0.001: [0.6, 0.6], 0.003: [0.1, None]}, metric="token_error_rate"))
    assert rates.values == {"learning_rate": 0.003}
    assert rates.best.mean == pytest.approx(0.55)
    losses = only(tried({0.001: [9.0, 9.0], 0.003: [0.1, None]}, metric="loss"))
    assert losses.values == {"learning_rate": 0.001}
    # one that diverged after a good evaluation is a failure all the same
    late = tried({0.001: [0.5], 0.003: [0.9]})
    late[1] = replace(late[1], outcome={**late[1].outcome, "status": "diverged"})
    assert only(late).values == {"learning_rate": 0.001}


def test_a_candidate_that_lacks_seeds_waits() -> None:
    """A matrix that was killed has done some seeds of the next candidate."""
    choice = only(tried({0.001: [0.5, 0.5], 0.003: [0.6, 0.6], 0.01: [1.0]}))
    assert choice.values == {"learning_rate": 0.003}
    assert len(choice.candidates) == 2


def test_edges() -> None:
    assert only(tried({0.001: [0.1], 0.003: [0.2], 0.01: [0.9]})).edges == {"learning_rate": True}
    assert only(tried({0.001: [0.9], 0.003: [0.2], 0.01: [0.1]})).edges == {"learning_rate": False}
    # a plateau that reaches inwards says nothing of what lies beyond, and failures neither
    assert only(tried({0.001: [0.9], 0.003: [0.9], 0.01: [0.1]})).edges == {}
    assert only(tried({0.001: [None], 0.003: [None]})).edges == {}
    # names have no edge
    assert only(tried({"adam": [0.1], "sgd": [0.9]}, "optimizer")).edges == {}


def test_each_variant_and_setting_chooses_for_itself() -> None:
    scores = {0.001: [0.1], 0.003: [0.9]}
    other = {0.001: [0.9], 0.003: [0.1]}
    found = choices([
        *tried(scores),
        *tried(other, cell="lstm"),
        *tried(other, steps=900),
        *tried(other, task="increment"),
    ])  # fmt: skip
    assert sorted(c.values["learning_rate"] for c in found.values()) == [0.001, 0.001, 0.001, 0.003]


def test_the_cost_is_that_of_all_candidates() -> None:
    choice = only(tried({0.001: [0.1, 0.2], 0.003: [0.9, None]}))
    assert (choice.runs, choice.steps, choice.seconds) == (4, 400, 8.0)


def test_runs_that_are_reported_have_the_label_of_the_value_that_was_chosen() -> None:
    tuning = [
        *tried({0.001: [0.1], 0.003: [0.9], 0.01: [0.2]}),
        *tried({0.001: [0.9], 0.003: [0.2]}, cell="lstm"),
    ]
    made = choices(tuning)
    ours, theirs, plain = (
        record(100, learning_rate=0.003),
        record(100, cell="lstm", learning_rate=0.001),
        record(100, learning_rate=0.001),
    )
    read = [labelled(one, made) for one in (ours, theirs, plain)]
    assert [one.named["learning_rate"] for one in read] == ["tuned", "tuned", 0.001]
    # the run itself stays as it is
    assert [one.variant["learning_rate"] for one in read] == [0.003, 0.001, 0.001]
    assert read == [ours, theirs, plain]
    assert read[2].tuned is None
    assert chosen_text(read[0]) == "learning_rate=0.003 of 3 tried"
    assert chosen_text(read[1]) == "learning_rate=0.001, at the edge of 2 tried"
    assert chosen_text(read[2]) == ""


def test_how_a_run_ended_or_decoded_is_no_other_question() -> None:
    """Tuning trains to the end of the budget and decodes greedily, whatever is reported does."""
    made = choices(tried({0.001: [0.1], 0.003: [0.9]}))
    alike = ({"stop": "solved"}, {"every": 7}, {"decoding": "beam=5"}, {"execution": "replicas"})
    for changes in alike:
        assert labelled(record(100, learning_rate=0.003, **changes), made).tuned is not None
    for changes in ({"steps": 900}, {"batch": 8}, {"fault": "no-clip"}, {"data": "e" * 32}):
        assert labelled(record(100, learning_rate=0.003, **changes), made).tuned is None


def test_two_axes_are_chosen_together() -> None:
    tuning = []
    for rate in (0.001, 0.003, 0.01):
        for dropout in (0.0, 0.1):
            score = 0.9 if (rate, dropout) == (0.01, 0.0) else 0.1
            tuning.append(
                record(
                    TUNING_SEED,
                    score,
                    learning_rate=rate,
                    dropout=dropout,
                    tuning="dropout,learning_rate",
                )
            )
    choice = only(tuning)
    assert choice.values == {"dropout": 0.0, "learning_rate": 0.01}
    assert choice.edges == {"dropout": False, "learning_rate": True}
    run = labelled(record(0, learning_rate=0.01, dropout=0.0), choices(tuning))
    assert (run.named["learning_rate"], run.named["dropout"]) == ("tuned", "tuned")


@pytest.mark.parametrize(
    ("values", "below", "above"),
    [
        ([0.001, 0.003, 0.01], 0.0003, 0.03),
        ([0.001, 0.01], 0.0001, 0.1),
        ([1, 2, 4], None, 8),  # half a unit is no whole number
        ([64, 128, 256], 32, 512),
        ([0.1, 0.2, 0.3], 0.0, 0.4),
        ([0.0, 0.1, 0.2], None, 0.3),
        ([0.0, 0.1], None, None),  # two say no more than a ratio, and there is none
        ([1, 2, 3], None, 4),
        (["adam", "sgd"], None, None),
        ([0.001], None, None),
    ],
)
def test_a_grid_grows_by_its_own_steps(
    values: list[Any], below: float | None, above: float | None
) -> None:
    assert next_value(values, False) == below
    assert next_value(values, True) == above


@given(st.floats(1e-6, 1.0), st.floats(1.1, 100.0), st.integers(2, 6))
def test_a_geometric_grid_goes_on_by_its_ratio(first: float, ratio: float, count: int) -> None:
    values = [first * ratio**place for place in range(count)]
    above = next_value(values, True)
    below = next_value(values, False)
    assert above == pytest.approx(first * ratio**count, rel=1e-2)
    assert below == pytest.approx(first / ratio, rel=1e-2)


def test_a_question_does_not_depend_on_seed_or_candidate() -> None:
    runs = tried({0.001: [0.1, 0.2], 0.003: [0.9, 0.9]})
    assert len({question(run.spec, ("learning_rate",)) for run in runs}) == 1
