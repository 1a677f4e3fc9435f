"""Proves who is ahead along curves made by hand, where the order turns, and what is refused."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from results.compare.along import UNITS, AlongRow, compare_along
from results.compare.pairs import ComparisonError
from results.compare.stretches import says, stretches, turns
from results.record import Record, TunedAxes
from results.show.along import show_along
from tests.records import SUITE, failed, record, with_curve

A, B = "cell=lstm", "base"
RANDOM = np.random.default_rng(5)


def late(seeds: Sequence[int] = range(8), gain: float = 0.3, **changes: Any) -> list[Record]:
    """Runs that learn late, and get further by `gain` than those of `early`."""
    return [curved(seed, 12.0, 0.6 + gain, cell="lstm", **changes) for seed in seeds]


def early(seeds: Sequence[int] = range(8), **changes: Any) -> list[Record]:
    """Runs that learn early, up to 0.6."""
    return [curved(seed, 5.0, 0.6, **changes) for seed in seeds]


def curved(seed: int, onset: float, top: float, **changes: Any) -> Record:
    """A run whose score rises to `top` around an evaluation, of 20 that are 10 steps apart."""
    noise = RANDOM.normal(0, 0.01, 20)
    scores = [top / (1 + math.exp(onset - place)) + noise[place] for place in range(20)]
    return with_curve(record(seed, top, **changes), scores)


def compared(records: list[Record], unit: str = "steps") -> list[AlongRow]:
    known = {one.id: one for one in records}
    return compare_along(records, SUITE, A, B, unit, lambda ids: [known[run] for run in ids])


def leaders(rows: Sequence[AlongRow]) -> str:
    return "".join(row["ahead"] or "." for row in rows)


def text(rows: Sequence[AlongRow], width: int = 80) -> str:
    console = Console(width=width, highlight=False, record=True, file=io.StringIO())
    show_along(rows, console)
    return console.export_text()


def test_the_order_turns_where_it_does() -> None:
    """Behind from the 4th evaluation on, ahead from where 0.9 beats 0.6 at the end."""
    rows = compared([*late(), *early()])
    found = leaders(rows)
    assert found.strip(".b").strip("a") in ("", ".", "..")
    assert found.rstrip("a").rstrip(".").endswith("bbbb")
    assert found.endswith("aaa")
    turn = found.rindex("b"), found.index("a")
    between = f"between {10 * (turn[0] + 1)} and {10 * (turn[1] + 1)} steps"
    assert between in rows[0]["says"]
    # the curves truly cross at 12 - log(0.9 / 0.6 - 1) evaluations, or a little before
    assert turn[0] < 12 + math.log(2) < turn[1] + 0.5
    assert len({row["says"] for row in rows}) == 1
    assert f"ahead from {10 * (turn[1] + 1)} steps on" in rows[0]["says"]


def test_a_band_holds_the_effect() -> None:
    for row in compared([*late(), *early()]):
        assert row["low"] is not None
        assert row["high"] is not None
        assert row["low"] <= row["effect"] <= row["high"]  # type: ignore[operator]
        assert row["effect"] == pytest.approx(row["a_mean"] - row["b_mean"])  # type: ignore[operator]


def test_the_other_way_round_is_the_opposite() -> None:
    runs = [*late(), *early()]
    known = {one.id: one for one in runs}
    back = compare_along(runs, SUITE, B, A, "steps", lambda ids: [known[run] for run in ids])
    swapped = {"a": "b", "b": "a", "": ""}
    there = compared(runs)
    assert [swapped[row["ahead"]] for row in back] == [row["ahead"] for row in there]
    assert [row["effect"] for row in back] == pytest.approx([-row["effect"] for row in there])  # type: ignore[operator]


def test_the_same_steps_take_one_side_longer() -> None:
    """Ahead at each step, and behind in seconds, as each step takes four times as long."""
    slow = []
    for one in late(gain=0.1):
        ahead = [point["exact_match"] + 0.1 for point in early([0])[0].outcome["curve"]]
        whole = with_curve(one, ahead)
        clock = [{"train_seconds": 4 * row["train_seconds"]} for row in whole.measured["clock"]]
        slow.append(Record(one.id, one.spec, whole.outcome, {**whole.measured, "clock": clock}))
    runs = [*slow, *early()]
    assert set(leaders(compared(runs))) == {"a"}
    assert set(leaders(compared(runs, "tokens"))) == {"a"}
    seconds = compared(runs, "seconds")
    assert "b" in leaders(seconds)
    # from the slow ones' first evaluation to the end of the fast ones
    assert seconds[0]["at"] == pytest.approx(4.0)
    assert seconds[-1]["at"] == pytest.approx(20.0)
    assert "unlike machines" in compared([*elsewhere(runs[:8]), *runs[8:]], "seconds")[0]["refused"]


def elsewhere(runs: Sequence[Record]) -> list[Record]:
    return [Record(r.id, r.spec, r.outcome, {**r.measured, "host": "there"}) for r in runs]


def test_scores_at_equal_tokens_lie_on_straight_lines() -> None:
    """The score is a tenth of the evaluation's number, however many tokens a run takes for it."""
    runs = []
    for seed in range(6):
        for cell, tokens in (("gru", 40), ("lstm", 50 + seed)):
            whole = with_curve(record(seed, cell=cell), [0.01 * place for place in range(1, 21)])
            curve = [{**p, "tokens": tokens * p["step"]} for p in whole.outcome["curve"]]
            outcome = {**whole.outcome, "curve": curve}
            runs.append(Record(whole.id, whole.spec, outcome, whole.measured))
    rows = compared(runs, "tokens")
    assert rows[0]["at"] == 550  # the last of all first evaluations
    assert rows[-1]["at"] == 8000
    for row in rows:
        assert row["at"] is not None
        assert row["b_mean"] == pytest.approx(row["at"] / 40 / 1000)
        each = [row["at"] / (50 + seed) / 1000 for seed in range(6)]
        assert row["a_mean"] == pytest.approx(np.mean(each))
    assert set(leaders(rows)) == {"b", "."}


def test_few_seeds_show_nothing_and_say_how_many_more_would() -> None:
    rows = compared([*late(range(4)), *early(range(4))])
    assert set(leaders(rows)) == {"."}
    assert {row["low"] for row in rows} == {None}
    assert rows[0]["says"] == (
        "4 seeds of both cannot show who is ahead, however far: 2 more of each are needed"
    )
    assert "95% band" not in text(rows)
    assert "1 more of each is needed" in compared([*late(range(5)), *early(range(5))])[0]["says"]


def test_sides_without_a_common_seed_are_compared_unpaired() -> None:
    rows = compared([*late(range(100, 106)), *early(range(6))])
    assert {row["paired"] for row in rows} == {False}
    assert {(row["runs_a"], row["runs_b"], row["unpaired"]) for row in rows} == {(6, 6, 0)}
    assert {"a", "b"} <= set(leaders(rows))
    assert "6 and 6 runs without a common seed" in text(rows)
    few = compared([*late(range(100, 103)), *early(range(3))])
    assert few[0]["says"].startswith("3 seeds of a and 3 of b, none shared, cannot show")
    assert "1 more of each is needed" in few[0]["says"]


def test_seeds_that_one_side_lacks_are_left_out() -> None:
    rows = compared([*late(range(7)), *early(range(1, 10))])
    assert {(row["runs_a"], row["runs_b"], row["unpaired"]) for row in rows} == {(6, 6, 4)}
    assert "6 seeds in pairs (4 that only one side has are left out)" in " ".join(
        text(rows).split()
    )


def test_a_run_that_broke_off_counts_as_the_worst_from_there_on() -> None:
    gone = late(range(6))
    cut = gone[0].outcome["curve"][:10]
    outcome = {**gone[0].outcome, "curve": cut, "status": "diverged"}
    gone[0] = Record(gone[0].id, gone[0].spec, outcome, gone[0].measured)
    others = early(range(6))
    rows = compared([*gone, *others])
    whole = compared([*late(range(6)), *others])
    assert rows[5]["a_mean"] == pytest.approx(whole[5]["a_mean"], abs=0.05)
    assert rows[-1]["a_mean"] == pytest.approx(whole[-1]["a_mean"] * 5 / 6, abs=0.05)  # type: ignore[operator]
    lost = compared([failed(seed, cell="lstm") for seed in range(6)] + others)
    assert {row["a_mean"] for row in lost} == {0.0}


@pytest.mark.parametrize(("stop", "last"), [("solved", 100.0), ("plateau", 200.0)])
def test_runs_that_end_at_unlike_steps(stop: str, last: float) -> None:
    """Whoever stopped at the target was trained no further; whoever is flat stays as it is."""
    soon = [
        with_curve(record(seed, 1.0, cell="lstm", stop=stop), [0.1 * n for n in range(10)])
        for seed in range(6)
    ]
    others = [
        with_curve(record(s, 0.5, stop=stop), [0.02 * n for n in range(20)]) for s in range(6)
    ]
    rows = compared([*soon, *others])
    assert rows[-1]["at"] == last
    assert rows[-1]["a_mean"] == pytest.approx(0.9)


def test_what_does_not_matter_is_no_lead() -> None:
    """A difference of 0.005 in every seed is less than what counts."""
    mine = [with_curve(record(s, 0.5, cell="lstm"), [0.505] * 12) for s in range(8)]
    others = [with_curve(record(s, 0.5), [0.5] * 12) for s in range(8)]
    rows = compared([*mine, *others])
    assert set(leaders(rows)) == {"."}
    assert rows[0]["says"].startswith("neither is surely ahead")


def test_variants_without_a_common_setting_are_refused() -> None:
    with pytest.raises(ComparisonError, match="no task and setting in common"):
        compared([*late(), *early(task="reversal")])


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("unit", UNITS)
def test_it_fits_the_screen(unit: str, width: int) -> None:
    rows = compared([*late(), *early()], unit)
    lines = text(rows, width).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert lines[0].startswith("cell=lstm  against")
    assert "and its 95 % band" in text(rows)
    assert re.search(r"1[23] of 20 evaluations \(--json has all\)", " ".join(text(rows).split()))


def test_it_says_which_values_were_tuned_as_the_table_does() -> None:
    axes = ("learning_rate",)
    runs = [
        replace(run, tuned=TunedAxes(axes, 4, axes if run.variant["cell"] == "lstm" else ()))
        for run in (*late(learning_rate=0.01), *early(learning_rate=0.003))
    ]
    rows = compared(runs)
    told = (
        "both tuned on validation: a learning_rate=0.01, at the edge of 4 tried, b "
        "learning_rate=0.003 of 4 tried"
    )
    assert {row["tuned"] for row in rows} == {told}
    assert told in " ".join(text(rows).split())
    assert "tuned" not in compared([*late(), *early()])[0]


# the sentence


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ("bb..aa", "a is behind up to 20 steps, ahead from 50 steps on; the order turns between 20 "
                   "and 50 steps"),
        ("aaaaaa", "a is ahead at every evaluation, from 10 to 60 steps"),
        ("..bbb.", "a is behind from 30 to 50 steps; at the end neither is surely ahead"),
        ("...a..", "a is ahead at 40 steps; at the end neither is surely ahead"),
        ("......", "neither is surely ahead at any evaluation"),
        ("a.a.aa", "a is ahead up to 10 steps, ahead at 30 steps, ahead from 50 steps on"),
        ("a.a.a.a.a", "a is surely ahead at 5, behind at 0 of 9 evaluations, by turns"),
    ],
)  # fmt: skip
def test_sentences(found: str, said: str) -> None:
    grid = [10.0 * place for place in range(1, len(found) + 1)]
    sentence = says("a", "steps", grid, [letter.strip(".") for letter in found])
    assert sentence == f"{said} (95 % band along the whole curve)"


@given(st.lists(st.sampled_from(["a", "b", ""]), max_size=30))
def test_stretches_are_the_leads_and_nothing_else(found: list[str]) -> None:
    again = [""] * len(found)
    for leader, first, last in stretches(found):
        again[first : last + 1] = [leader] * (last + 1 - first)
    assert again == found
    for last, first in turns(found):
        assert {found[last], found[first]} == {"a", "b"}
        assert set(found[last + 1 : first]) <= {""}
