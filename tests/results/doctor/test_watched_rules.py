"""Asks rules about watched trainings directly, on facts that lie on both sides of their limits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from results.doctor.watched import Watched, judge
from results.doctor.watched.data import DataSeen, UnknownSeen
from results.doctor.watched.evaluation_facts import (
    AttendedPadding,
    EvaluationsSeen,
    OtherSources,
    SameFed,
)
from results.doctor.watched.feeding import Fed, FeedingSeen
from results.doctor.watched.losses import LossesSeen
from results.doctor.watched.rates import RatesSeen
from results.doctor.watched.symbol_weights import EndWeight, SymbolWeightsSeen
from results.doctor.watched.update_facts import CutSeen, UpdatesSeen

SLOW = RatesSeen(
    steps=400,
    place="train.py:9",
    optimizer="Adam",
    rate=1e-4,
    faded=0.8,
    first=40.0,
    last=27.0,
    even=None,
    first_per_symbol=None,
    learned=False,
    unstable=False,
    decay=0.0,
    trials={"1": (40.0, 35.0), "10": (40.0, 21.0), "100": (40.0, 7.0)},
)
UNKNOWN = UnknownSeen("source", 3, 0.06, "<unk>", "vocabulary", None, 0.6, 0.95, 1)
DATA = DataSeen(64, 4, 500, "train.py:3", accuracy=0.7, unknown=UNKNOWN)
INVERTED = SymbolWeightsSeen("train.py:5", 20, 30.0, 0.95, heavy_right=0.9, light_right=0.3)
CUT = UpdatesSeen(
    (), (), 1, ("", ()), {}, (), (CutSeen("train.py:7", "rebuilt"),), 1.0, accuracy=0.9
)
FEEDING = FeedingSeen((Fed(0, 10, of_source=10), Fed(9, 10, of_source=8)))
FREE = EvaluationsSeen(passes=4, free=4)


def causes(**seen: object) -> list[str]:
    return [finding.cause for finding in judge(Watched(500, **seen))]  # type: ignore[arg-type]


def test_a_rate_that_is_left_far_behind_by_a_higher_one_in_a_few_steps() -> None:
    assert causes(rates=SLOW) == ["rate-too-low"]
    assert causes(rates=replace(SLOW, last=10.0)) == []
    trials = {"1": (40.0, 35.0), "10": (40.0, 21.0)}
    assert causes(rates=replace(SLOW, trials=trials)) == []


@pytest.mark.parametrize(
    ("share", "right_with", "accuracy", "found"),
    [
        (0.06, 0.6, 0.7, True),  # few unknown words, and sources with them go wrong
        (0.06, 0.9, 0.7, False),
        (0.04, 0.6, 0.7, False),
        (0.12, 0.9, 0.7, True),  # more, in a model that has not learned
        (0.12, 0.9, 0.95, False),
        (0.16, None, 0.95, False),
        (0.4, None, 0.95, True),
    ],
)
def test_unknown_words(
    share: float, right_with: float | None, accuracy: float, found: bool
) -> None:
    unknown = replace(UNKNOWN, share=share, right_with=right_with)
    said = causes(data=replace(DATA, unknown=unknown, accuracy=accuracy))
    assert said == (["too-many-unknown"] if found else [])


def test_unknown_words_whose_letters_are_read() -> None:
    unknown = replace(UNKNOWN, share=0.3, right_with=None)
    assert causes(data=replace(DATA, unknown=unknown, accuracy=0.7)) == ["too-many-unknown"]
    spelled = replace(unknown, spelled=True)
    assert causes(data=replace(DATA, unknown=spelled, accuracy=0.7)) == []


def test_few_classes_must_follow_their_counts_closely() -> None:
    seven = replace(INVERTED, symbols=7, follows=0.99)
    assert causes(symbol_weights=seven) == ["class-weights-inverted"]
    assert causes(symbol_weights=replace(seven, follows=0.9)) == []


@pytest.mark.parametrize(
    "changed", [{"spread": 4.0}, {"follows": 0.5}, {"light_right": 0.8}, {"symbols": 4}]
)
def test_weights_that_follow_counts(changed: dict[str, float]) -> None:
    assert causes(symbol_weights=INVERTED) == ["class-weights-inverted"]
    assert causes(symbol_weights=replace(INVERTED, **changed)) == []  # type: ignore[arg-type]


def test_an_end_symbol_that_weighs_little() -> None:
    flat = replace(INVERTED, follows=0.0)
    light = replace(flat, end=EndWeight(2, 0.01, 0.0))
    assert causes(symbol_weights=light) == ["no-eos-in-loss"]
    assert causes(symbol_weights=replace(flat, end=EndWeight(2, 0.01, 0.9))) == []


def test_a_loss_of_probabilities_is_below_zero() -> None:
    losses = LossesSeen("train.py:5", "softmax")
    below = replace(SLOW, first=-20.0, last=-80.0, learned=True, trials={})
    assert causes(losses=losses, rates=below) == ["logits-as-log-probabilities"]
    assert causes(losses=losses, rates=replace(below, first=3.0, last=0.1)) == []
    assert causes(losses=replace(losses, function="mse_loss"), rates=below) == []


def test_a_rate_at_which_the_loss_rises_and_a_lower_one_by_which_it_falls() -> None:
    trials = {"1": (40.0, 300.0), "0.1": (40.0, 28.0), "10": (40.0, 900.0)}
    wild = replace(SLOW, last=33.0, trials=trials)
    assert causes(rates=wild) == ["rate-too-high"]
    assert causes(rates=replace(wild, trials={**trials, "0.1": (40.0, 39.0)})) == []


def test_decoding_that_is_fed_the_same_at_every_step() -> None:
    same = replace(FREE, same_fed=SameFed(None, 0.9, "train.py:8"))
    assert causes(evaluations=same) == ["always-start-at-evaluation"]
    assert causes(evaluations=replace(FREE, same_fed=SameFed(None, 0.1, ""))) == []


def test_a_tensor_made_anew_from_numbers() -> None:
    assert causes(updates=CUT) == ["graph-cut"]
    assert causes(updates=replace(CUT, accuracy=0.97)) == []


def test_the_source_fed_to_the_decoder() -> None:
    assert causes(feeding=FEEDING, evaluations=FREE) == ["other-symbols-fed"]
    assert causes(feeding=FEEDING) == []
    mostly = FeedingSeen((Fed(0, 10, of_source=10), Fed(9, 10, of_source=5)))
    assert causes(feeding=mostly, evaluations=FREE) == []


def test_padding_that_only_the_evaluation_attends_to() -> None:
    attended = replace(FREE, attended=AttendedPadding(0.2, "train.py:8"))
    assert causes(evaluations=attended) == ["padding-attended"]
    assert causes(evaluations=replace(FREE, attended=AttendedPadding(0.001, ""))) == []


def test_padding_at_the_other_end() -> None:
    sources = OtherSources(40, 0.0, 0.0, 0.1, 0.1, "train.py:8", front=1.0, front_trained=0.0)
    assert causes(evaluations=replace(FREE, sources=sources)) == ["sources-unlike-training"]
    same = replace(sources, front_trained=1.0)
    assert causes(evaluations=replace(FREE, sources=same)) == []
