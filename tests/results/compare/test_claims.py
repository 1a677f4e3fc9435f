"""Proves how a claim's verdict follows from its comparisons."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any, cast

import pytest
from rich.console import Console

from results.compare.claims import (
    ClaimRow,
    ClaimSource,
    Comparison,
    JudgedRow,
    claim_rows,
    judge,
    overall,
    seeds_wanting,
)
from results.record import Record, TunedAxes
from results.show.claims import show_all
from results.tables.claims import claim_verdict_text
from tests.records import failed, record, with_curve


def side(scores: list[float], **changes: Any) -> list[Record]:
    return [record(seed, score, learning_rate=0.01, **changes) for seed, score in enumerate(scores)]


def claim(expected: str, near: float | None = None, key: str = "") -> Comparison:
    return Comparison("a is ...", "a", "b", key, expected, near, 0.02)


HIGH, LOW = [0.9, 0.8, 0.85] * 2, [0.1, 0.2, 0.15] * 2


@pytest.mark.parametrize(
    ("a", "b", "expected", "word"),
    [
        (HIGH, LOW, "better", "reproduced"),
        (LOW, HIGH, "worse", "reproduced"),
        (HIGH, LOW, "worse", "the other way round at this budget"),
        (HIGH, LOW, "tie", "a difference at this budget"),
        (HIGH, HIGH, "better", "no difference"),
        (HIGH, HIGH, "tie", "reproduced"),
        (HIGH[:4], LOW[:4], "better", "undecided"),
        (HIGH, [], "better", "undecided"),
    ],
)
def test_words(a: list[float], b: list[float], expected: str, word: str) -> None:
    sides = {"a": side(a, cell="lstm"), "b": side(b)}
    (row,) = judge([claim(expected)], sides, "exact_match")
    assert row["word"] == word
    assert overall([row]) == word


@pytest.mark.parametrize(
    ("near", "word"), [(0.85, "reproduced"), (0.86, "reproduced"), (0.9, "another value")]
)
def test_a_value_that_was_reported(near: float, word: str) -> None:
    sides = {"a": side(HIGH, cell="lstm"), "b": side(LOW)}
    (row,) = judge([claim("better", near)], sides, "exact_match")
    assert row["a_mean"] == pytest.approx(0.85)
    assert row["word"] == word


@pytest.mark.parametrize(
    ("last", "tuned", "edges", "word"),
    [
        (0.5, "ab", (), "reversed"),
        (0.5, "", (), "the other way round at this budget"),
        (0.5, "a", (), "the other way round at this budget"),
        (0.5, "ab", ("learning_rate",), "the other way round at this budget"),
        (0.9, "ab", (), "the other way round at this budget"),
    ],
)
def test_reversed_is_said_of_sides_that_were_tuned_and_are_flat(
    last: float, tuned: str, edges: tuple[str, ...], word: str
) -> None:
    """A curve that is flat at 0.5, or rises to 0.9 at its end."""
    sides = {"a": side(HIGH, cell="lstm"), "b": side(LOW)}
    curve = [*[0.5] * 15, last]
    chosen = TunedAxes(("learning_rate",), 3, edges)
    ended = {
        name: [
            replace(with_curve(one, curve), tuned=chosen if name in tuned else None) for one in runs
        ]
        for name, runs in sides.items()
    }
    (row,) = judge([claim("worse")], ended, "exact_match")
    assert row["word"] == word
    assert row.get("tuned", "").startswith({"ab": "both", "a": "a was", "": ""}[tuned])


def turning(leads: int) -> dict[str, list[Record]]:
    """Sides of which a is behind at first, and ahead at the last of 20 evaluations."""
    late, early = ([max(0.0, 0.05 * (n - leads)) for n in range(20)], [0.3] * 20)
    return {
        name: [with_curve(one, [s + 0.001 * one.seed for s in curve]) for one in runs]
        for name, runs, curve in (
            ("a", side(HIGH, cell="lstm"), late),
            ("b", side(LOW), early),
        )
    }


def test_what_the_curves_say_stands_beside_the_verdict_at_the_budget() -> None:
    (row,) = judge([claim("better")], turning(5), "exact_match")
    assert row["word"] == "reproduced"
    assert row["along"] == (
        "a is behind up to 110 steps, ahead from 130 steps on; the order turns between 110 and 130 "
        "steps"
    )
    # few seeds, no runs, and measures that no curve has: nothing is said
    few = {name: runs[:4] for name, runs in turning(5).items()}
    assert judge([claim("better")], few, "exact_match")[0]["along"] == ""
    assert judge([claim("better")], {"a": [], "b": []}, "exact_match")[0]["along"] == ""
    assert judge([claim("better", key="loss")], turning(5), "exact_match")[0]["along"] == ""


def test_of_several_the_worst_counts() -> None:
    def rows(*words: str) -> list[JudgedRow]:
        return [cast(JudgedRow, {"word": word, "more_seeds": 3}) for word in words]

    assert overall(rows("reproduced", "reproduced")) == "reproduced"
    assert overall(rows("reproduced", "no difference")) == "no difference"
    assert overall(rows("no difference", "reversed")) == "reversed"
    assert overall(rows("reversed", "undecided")) == "undecided"
    assert seeds_wanting(rows("undecided", "reproduced")) == 3
    assert seeds_wanting(rows("reproduced")) is None


def test_comparisons_of_one_measure_are_a_family() -> None:
    """Six seeds are enough for one comparison, and for the clearest of two."""
    sides = {
        "a": side(HIGH, cell="lstm"),
        "b": side(LOW),
        "c": side([0.7, 0.9, 0.6, 0.8, 0.9, 0.7], cell="rnn"),
    }
    one, two = claim("better"), Comparison("", "a", "c", "", "better", None, 0.0)
    rows = judge([one, two], sides, "exact_match")
    assert [row["word"] for row in rows] == ["reproduced", "undecided"]
    assert {row["family"] for row in rows} == {2}


def test_a_claim_of_no_difference_needs_no_more_than_its_source_had() -> None:
    """Few seeds do not show a tie, as a side may fail now and then; a paper's did not either."""
    sides = {"a": side([0.9] * 6, cell="lstm"), "b": side([0.9] * 6)}
    for expected, word in (("tie", "reproduced"), ("better", "no difference")):
        (row,) = judge([claim(expected)], sides, "exact_match")
        assert (row["verdict"], row["word"]) == ("alike", word)


def accurate_run(one: Record, with_ends: float, forced: float | None, free: float) -> Record:
    """The run with these accuracies on test; forced: None as in runs that lack it."""
    scores = {"forced_accuracy": with_ends, "token_accuracy": free}
    scores |= {} if forced is None else {"forced_token_accuracy": forced}
    return Record(one.id, one.spec, {**one.outcome, "scores": {"test": scores}}, one.measured)


def test_measures_beyond_the_score() -> None:
    sides = {"a": side(HIGH, cell="lstm"), "b": side(LOW)}
    (row,) = judge([claim("tie", key="loss")], sides, "exact_match")
    assert row["a_mean"] == pytest.approx(1 / 30)  # the last of the curve
    assert row["word"] == "reproduced"
    # forced_accuracy is 0.25 in all, and token_accuracy is not there
    (row,) = judge([claim("tie", key="exposure_gap")], sides, "exact_match")
    assert row["refused"]
    accurate = {
        name: [accurate_run(r, 0.9, 0.8, 0.5) for r in runs] for name, runs in sides.items()
    }
    (row,) = judge([claim("tie", key="exposure_gap")], accurate, "exact_match")
    assert row["measure"] == "exposure_gap"
    assert row["a_mean"] == pytest.approx(0.3)
    # an older run has but the accuracy that counts ends, by which all are then read, and named
    older = {**accurate, "b": [accurate_run(r, 0.7, None, 0.5) for r in sides["b"]]}
    (row,) = judge([claim("tie", key="exposure_gap")], older, "exact_match")
    assert row["measure"] == "exposure_gap_with_ends"
    assert row["a_mean"] == pytest.approx(0.4)
    assert row["b_mean"] == pytest.approx(0.2)
    lost = {"a": [failed(seed, cell="lstm") for seed in range(6)], "b": side(LOW)}
    (row,) = judge([claim("worse")], lost, "exact_match")
    assert (row["a_mean"], row["word"]) == (0.0, "reproduced")


def rows_of(*scores: list[float]) -> list[ClaimRow]:
    """The rows of a claim with a comparison of each further side with the first."""
    names = "abcdef"[: len(scores)]
    cells = dict(zip(names, ("gru", "lstm", "rnn", "mingru", "minlstm", "slstm"), strict=False))
    sides = {n: side(s, cell=cells[n]) for n, s in zip(names, scores, strict=True)}
    compared = [Comparison(f"{b} is better", b, "a", "", "better", None, 0.0) for b in names[1:]]
    source: ClaimSource = {"claim": "mine", "given": "my/mine.toml", "about": "", "source": ""}
    return claim_rows(source, "opposites", compared, sides, "exact_match")


def printed(rows: list[ClaimRow]) -> str:
    console = Console(file=io.StringIO(), width=80, highlight=False)
    show_all(rows, console)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    # a command stands on one line, however long
    assert max(len(line) for line in lines if ": bench " not in line) <= 80
    return " ".join(console.file.getvalue().split())


def test_the_curves_are_a_table_of_their_own() -> None:
    source: ClaimSource = {"claim": "mine", "given": "mine", "about": "", "source": ""}
    rows = claim_rows(source, "opposites", [claim("better")], turning(5), "exact_match")
    text = printed(rows)
    assert "along the curves" in text
    assert "mine: a is ... a is behind up to 110 steps, ahead from 130 steps on;" in text
    assert "along the curves" not in printed(rows_of(LOW[:4], HIGH[:4]))


def test_what_is_open_is_said_in_plain_words_with_the_command_that_decides_it() -> None:
    (row,) = rows_of(LOW[:4], HIGH[:4])
    assert claim_verdict_text(row) == "large, not yet significant: 2 more seeds"
    large = printed([row])
    assert "1 claim: 1 not significant yet" in large
    assert (
        "to decide mine, 2 more seeds of each side, about 8 s with one worker: bench claims run "
        "my/mine.toml --seeds 6"
    ) in large
    (row,) = rows_of([0.5, 0.6, 0.4, 0.5, 0.6, 0.4], [0.6, 0.5, 0.5, 0.45, 0.65, 0.5])
    assert claim_verdict_text(row).startswith("not significant yet (about ")
    small = printed([row])
    assert "bench claims run CLAIM --seeds N adds them" in small
    nothing = printed(rows_of([], []))
    assert "mine: b is better not run yet 1 claim: 1 not run yet" in nothing
    for text in (large, small, nothing):
        assert "undecided" not in text
