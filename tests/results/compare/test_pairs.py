"""Proves what a comparison pairs, counts, corrects and refuses, on runs made by hand."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from results.compare import axis_effects, interactions, stores
from results.compare.interactions import InteractionRow
from results.compare.judging import NEITHER, ComparisonRow
from results.compare.measures import MeasureReader, measure, measures
from results.compare.pairs import STOPPED_AT_TARGET, ComparisonError
from results.compare.two_variants import compare_variants
from results.record import Record
from results.show import comparisons
from results.tables.comparisons import effect_tables, overview_tables
from results.tables.effects import effect_text, interval_text, side_text, verdict_text
from tests.records import SUITE, failed, record, with_curve

A, B = "cell=lstm", "base"


def runs(scores: list[float | None], **changes: Any) -> list[Record]:
    """One a seed."""
    return [record(seed, score, **changes) for seed, score in enumerate(scores)]


def row_of(rows: Sequence[ComparisonRow], key: str = "exact_match") -> dict[str, Any]:
    """Return the only row of a measure, as a dict whose values mypy does not check."""
    (found,) = [row for row in rows if row["measure"] == key]
    return dict(found)


def timed(one: Record, **measured: Any) -> Record:
    return Record(one.id, one.spec, one.outcome, {**one.measured, **measured})


# pairs


def test_pairs_share_their_seed() -> None:
    mine = [record(seed, 0.5 + seed / 10, cell="lstm") for seed in (0, 1, 2, 7)]
    row = row_of(compare_variants([*mine, *runs([0.1, 0.2, 0.4])], SUITE, A, B))
    assert (row["pairs"], row["unpaired"]) == (3, 1)
    assert row["effect"] == pytest.approx(np.mean([0.4, 0.4, 0.3]))
    assert (row["a_mean"], row["b_mean"]) == (pytest.approx(0.6), pytest.approx(0.7 / 3))


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8), st.lists(st.floats(0, 1), min_size=8))
def test_the_other_way_round_is_the_opposite(mine: list[float], others: list[float]) -> None:
    both = [*runs(list(mine), cell="lstm"), *runs(list(others[: len(mine)]))]
    there, back = (
        row_of(compare_variants(both, SUITE, A, B)),
        row_of(compare_variants(both, SUITE, B, A)),
    )
    assert there["effect"] == pytest.approx(-back["effect"], abs=1e-12)
    assert there["low"] == pytest.approx(-back["high"], abs=1e-9)
    assert there["p"] == back["p"]
    opposite = {"better": "worse", "worse": "better"}
    assert opposite.get(there["verdict"], there["verdict"]) == back["verdict"]


def test_words() -> None:
    better = compare_variants(
        [*runs([0.9, 0.8, 0.85] * 2, cell="lstm"), *runs([0.1] * 6)], SUITE, A, B
    )
    assert row_of(better)["verdict"] == "better"
    assert row_of(better)["p"] == 2 / 2**6
    few = compare_variants([*runs([0.9, 0.8] * 2, cell="lstm"), *runs([0.1] * 4)], SUITE, A, B)
    assert (row_of(few)["verdict"], row_of(few)["why"]) == ("undecided", "too few seeds")
    assert row_of(few)["more_seeds"] == 2
    # a tie says that neither side fails in more than one run of ten, which takes 29 seeds to show
    for count, word in ((3, "alike"), (28, "alike"), (29, "tie")):
        both = [*runs([0.5] * count, cell="lstm"), *runs([0.5] * count)]
        assert row_of(compare_variants(both, SUITE, A, B))["verdict"] == word


def test_a_run_without_score_counts_as_nothing() -> None:
    mine = [*runs([0.5, None, 0.5], cell="lstm"), failed(3, cell="lstm")]
    row = row_of(compare_variants([*mine, *runs([0.5] * 4)], SUITE, A, B))
    assert row["pairs"] == 4
    assert row["censored_a"] == 2
    assert row["effect"] == pytest.approx(-0.25)


def test_a_target_never_reached_is_later_than_any_that_was() -> None:
    """Whatever the slower ones spent: here the ones that did not get there spent least."""
    mine = [record(seed, 0.5, None, cell="lstm", spent=1000) for seed in range(6)]
    others = [record(seed, 0.5, 3000 + seed, spent=4000) for seed in range(6)]
    row = row_of(compare_variants([*mine, *others], SUITE, A, B), "tokens_to_target")
    assert (row["censored_a"], row["censored_b"]) == (6, 0)
    assert row["verdict"] == "worse"
    assert 0 < row["effect"] < math.log(4 / 3) + 1e-9


def test_two_that_never_got_there_do_not_tie() -> None:
    row = row_of(
        compare_variants([*runs([0.5] * 6, cell="lstm"), *runs([0.5] * 6)], SUITE, A, B),
        "tokens_to_target",
    )
    assert (row["verdict"], row["why"], row["more_seeds"]) == ("undecided", NEITHER, None)


def test_less_is_better_of_costs() -> None:
    fast = [
        timed(one, tokens_per_second=9e3, peak_bytes=2**20) for one in runs([0.5] * 6, cell="lstm")
    ]
    rows = compare_variants([*fast, *runs([0.5] * 6)], SUITE, A, B)
    assert row_of(rows, "tokens_per_second")["verdict"] == "better"
    assert row_of(rows, "peak_bytes")["verdict"] == "better"
    assert math.exp(row_of(rows, "peak_bytes")["effect"]) == pytest.approx(2**20 / 2**28)


def test_speed_of_unlike_machines_is_refused() -> None:
    elsewhere = [timed(one, host="there") for one in runs([0.9] * 6, cell="lstm")]
    rows = compare_variants([*elsewhere, *runs([0.1] * 6)], SUITE, A, B)
    for key in ("seconds_to_target", "tokens_per_second", "peak_bytes"):
        row = row_of(rows, key)
        assert "unlike machines" in row["refused"]
        assert row["verdict"] is None
    assert row_of(rows)["verdict"] == "better"


def test_scores_of_runs_that_stopped_at_the_target_are_not_compared() -> None:
    """Who stopped had less training; when it stopped is what such runs are for."""
    mine = [record(seed, 1.0, 1000, cell="lstm", stop="solved", steps=200) for seed in range(6)]
    others = [record(seed, 0.9, None, stop="solved", steps=100) for seed in range(6)]
    others = [
        Record(r.id, {**r.spec, "budget": mine[0].spec["budget"]}, r.outcome, r.measured)
        for r in others
    ]
    assert mine[0].stopped_at_target
    assert not others[0].stopped_at_target
    rows = compare_variants([*mine, *others], SUITE, A, B)
    assert row_of(rows)["verdict"] is None
    assert row_of(rows)["refused"] == STOPPED_AT_TARGET
    assert row_of(rows, "tokens_to_target")["verdict"] == "better"
    assert "scores not compared" in "\n".join(shown(rows))
    overview = axis_effects.every_axis([*mine, *others], SUITE, axis_effects.OVERVIEW_COSTS)
    assert row_of(overview)["refused"] == STOPPED_AT_TARGET


@pytest.mark.parametrize(
    ("changes", "stopped"),
    [
        ({"stop": "solved", "steps": 200}, True),
        ({"stop": "solved", "steps": 0, "tokens": 5000}, True),
        ({"stop": "solved", "steps": 0, "seconds": 2.0}, True),
        # its last evaluation was at the end of its budget, of which all was used
        ({"stop": "solved", "steps": 100}, False),
        ({"stop": "solved", "steps": 0, "tokens": 4000}, False),
        ({"stop": "solved", "steps": 0, "seconds": 1.0}, False),
        ({"stop": "budget", "steps": 200}, False),
    ],
)
def test_a_run_stopped_early_if_some_of_its_budget_is_left(
    changes: dict[str, Any], stopped: bool
) -> None:
    """These ran 100 steps, 4,000 tokens and one second."""
    assert record(0, 1.0, 1000, **changes).stopped_at_target == stopped
    assert not record(0, 0.5, None, **changes).stopped_at_target


def test_unlike_scorers_never_meet() -> None:
    mine = runs([20.0] * 6, cell="lstm", metric="bleu", signature="tok:zh", task="en-zh")
    others = runs([10.0] * 6, metric="bleu", signature="tok:char", task="en-zh")
    with pytest.raises(ComparisonError, match="no task and setting in common"):
        compare_variants([*mine, *others], SUITE, A, B)


def test_what_is_not_there_is_told_with_what_is() -> None:
    with pytest.raises(ComparisonError, match=r"cell=lstmm; did you mean cell=lstm\?"):
        compare_variants([*runs([0.5]), *runs([0.5], cell="lstm")], SUITE, "cell=lstmm", B)
    with pytest.raises(ComparisonError, match="no task and setting in common"):
        compare_variants([*runs([0.5]), *runs([0.5], cell="lstm", task="reversal")], SUITE, A, B)


def test_a_seed_done_twice_counts_once() -> None:
    old, new = (
        timed(record(0, score, cell="lstm"), began=at) for score, at in ((0.1, 1), (0.9, 2))
    )
    row = row_of(compare_variants([new, old, record(0, 0.5)], SUITE, A, B))
    assert row["effect"] == pytest.approx(0.4)


def test_the_reader_reads_logarithms_of_ratios() -> None:
    one = record(0, 0.5, 2000)
    reader = MeasureReader([one])
    assert reader.read(one, measure("tokens_to_target")) == (math.log(2000), False)
    assert reader.read(one, measure("exact_match")) == (0.5, False)
    assert reader.read(failed(0), measure("tokens_per_second")) is None
    assert measures("bleu")[0].key == "bleu"
    assert measure("bleu").margin == 0.5


# an axis


def crossed(effect: float, extra: float = 0.0) -> list[Record]:
    """Cells crossed with attention, six seeds; extra: more of it with attention."""
    found = []
    for seed in range(6):
        for attention in ("none", "dot"):
            low = 0.2 + seed / 100 + 0.3 * (attention == "dot")
            high = low + effect + extra * (attention == "dot") + seed / 1000
            found += [
                record(seed, low, attention=attention),
                record(seed, high, cell="lstm", attention=attention),
            ]
    return found


def test_an_axis_is_held_against_its_base_over_all_it_was_crossed_with() -> None:
    row = row_of(axis_effects.axis_effects(crossed(0.1, 0.1), SUITE, "cell"))
    assert (row["a"], row["b"]) == ("cell=lstm", "cell=gru")
    assert (row["contexts"], row["pairs"], row["where"]) == (2, 6, "2 contexts")
    assert row["effect"] == pytest.approx(0.15 + 0.0025)
    assert row["verdict"] == "better"


def test_runs_that_never_got_there_are_no_tie() -> None:
    """They stopped at the same budget, which says nothing of how far they had to go."""
    mine = [record(seed, 0.9, 3990 if seed < 2 else None, cell="lstm") for seed in range(10)]
    others = [record(seed, 0.1, None) for seed in range(10)]
    row = row_of(compare_variants([*mine, *others], SUITE, A, B), "tokens_to_target")
    assert (row["verdict"], row["effect"], row["open"]) == ("undecided", None, "both")
    assert (row["low"], row["high"], row["a_mean"], row["b_mean"]) == (None,) * 4
    others = [record(seed, 0.1, 4000) for seed in range(10)]
    mine = [record(seed, 0.9, 3990, cell="lstm") for seed in range(10)]
    row = row_of(compare_variants([*mine, *others], SUITE, A, B), "tokens_to_target")
    assert row["verdict"] == "alike"


def test_half_of_the_runs_there_and_half_never() -> None:
    """The table says never, and so does the comparison: the ratio is not known, nor its interval.

    It is known who got there first, though. Where that is so of most pairs, the median one bounds
    the ratio.
    """
    others = [record(seed, 0.1, None) for seed in range(8)]
    mine = [record(seed, 0.9, 2000 if seed % 2 else None, cell="lstm") for seed in range(8)]
    row = row_of(compare_variants([*mine, *others], SUITE, A, B), "tokens_to_target")
    assert (row["verdict"], row["effect"], row["a_mean"]) == ("undecided", None, None)
    rows = compare_variants([*mine, *others], SUITE, A, B)
    (tokens,) = [row for row in rows if row["measure"] == "tokens_to_target"]
    assert (effect_text(tokens), interval_text(tokens)) == ("unknown", "unknown")
    assert side_text(tokens, "a") == "never"
    mine = [record(seed, 0.9, 2000 if seed else None, cell="lstm") for seed in range(9)]
    others.append(record(8, 0.1, None))
    rows = compare_variants([*mine, *others], SUITE, A, B)
    (tokens,) = [row for row in rows if row["measure"] == "tokens_to_target"]
    assert (tokens["verdict"], tokens["open"]) == ("better", "below")
    assert tokens["effect"] == pytest.approx(math.log(0.5))
    assert tokens["low"] is None
    assert (effect_text(tokens), interval_text(tokens)) == ("< ×0.50", "< ×0.50")
    assert side_text(tokens, "a") == "2.00k"
    assert verdict_text(tokens) == "better; not reached: 1 and 9 of 9"


def test_a_known_ratio_stays_known_where_few_runs_never_got_there() -> None:
    """A budget that cuts off two of ten does not make twice as long look like less than that."""
    mine = [record(seed, 0.9, 1000 + seed, cell="lstm") for seed in range(10)]
    others = [record(seed, 0.1, 2000 + 2 * seed if seed < 8 else None) for seed in range(10)]
    row = row_of(compare_variants([*mine, *others], SUITE, A, B), "tokens_to_target")
    assert row["effect"] == pytest.approx(math.log(0.5))
    assert (row["open"], row["verdict"]) == ("", "better")


def test_a_family_is_corrected() -> None:
    many = crossed(0.1)
    for cell in ("rnn", "slstm"):
        many += [record(seed, 0.2, cell=cell) for seed in range(6)]
    found = axis_effects.axis_effects(many, SUITE, "cell")
    rows = [dict(row) for row in found if row["measure"] == "exact_match"]
    assert [row["a"] for row in rows] == ["cell=lstm", "cell=rnn", "cell=slstm"]
    assert {row["family"] for row in rows} == {3}
    p_values: list[Any] = [row["p"] for row in rows]
    # the one that differs is as sure as alone: no flip takes another as far
    assert rows[0]["p_adjusted"] == p_values[0] == 2 / 2**6
    assert [row["verdict"] for row in rows] == ["better", "undecided", "undecided"]


def test_interactions() -> None:
    (row,) = interactions.axis_interactions(crossed(0.1, 0.2), SUITE, "cell")
    assert (row["of"], row["at"], row["not_at"]) == ("cell=lstm", "attention=dot", "attention=none")
    assert row["effect"] == pytest.approx(0.2)
    assert row["significant"]
    (none,) = interactions.axis_interactions(crossed(0.1, 0.0), SUITE, "cell")
    assert none["effect"] == pytest.approx(0.0)
    assert not none["significant"]


def test_a_shorthand_is_an_axis_too() -> None:
    deep = [record(seed, 0.4, encoder_depth=2, decoder_depth=2) for seed in range(6)]
    row = row_of(axis_effects.axis_effects([*deep, *runs([0.2] * 6)], SUITE, "depth"))
    assert (row["a"], row["b"]) == ("depth=2", "depth=1")


def test_an_effect_away_from_the_base_says_where() -> None:
    found = [*runs([0.5] * 6), *runs([0.4] * 6, hidden=32), *runs([0.6] * 6, attention="dot")]
    found += runs([0.9] * 6, attention="dot", cell="lstm")
    row = row_of(axis_effects.axis_effects(found, SUITE, "cell"))
    assert (row["a"], row["where"]) == ("cell=lstm", "attention=dot")
    text = "\n".join(shown_effects(axis_effects.axis_effects(found, SUITE, "cell")))
    assert "cell=lstm (at attention=dot)" in text
    row = row_of(axis_effects.axis_effects(found, SUITE, "hidden"))
    assert row["where"] == ""


def test_an_axis_that_nothing_varies() -> None:
    with pytest.raises(ComparisonError, match="differ in attention alone"):
        axis_effects.axis_effects(runs([0.5]), SUITE, "attention")


# two sets


def test_two_stores() -> None:
    old, new = runs([0.1] * 6), runs([0.9] * 6, torch="2.14.0")
    rows = stores.compare_run_sets(new, old, SUITE, "new", "old")
    row = row_of(rows)
    assert (row["variant"], row["a"], row["b"], row["verdict"]) == ("base", "new", "old", "better")
    with pytest.raises(ComparisonError, match="the data differ"):
        stores.compare_run_sets(runs([0.9], data="other"), old, SUITE, "new", "old")
    with pytest.raises(ComparisonError, match="in common"):
        stores.compare_run_sets(runs([0.9], task="reversal"), old, SUITE, "new", "old")
    one, other = (runs([9.0], metric="bleu", signature=how) for how in ("x", "y"))
    with pytest.raises(ComparisonError, match="scored by x here, by y there"):
        stores.compare_run_sets(one, other, SUITE, "new", "old")


def test_two_times() -> None:
    old = [timed(one, began=0.0) for one in runs([0.1])]
    new = [timed(one, began=4e9) for one in runs([0.1], torch="2.14.0")]
    assert stores.split_by_day([*old, *new], "2026-11-21") == (new, old)
    with pytest.raises(ComparisonError, match="no run was begun since 2026-11-21"):
        stores.split_by_day(old, "2026-11-21")
    with pytest.raises(ComparisonError, match="is no day"):
        stores.split_by_day(old, "yesterday")


# in words


def shown(rows: Sequence[ComparisonRow]) -> list[str]:
    console = Console(width=80, highlight=False, record=True, file=io.StringIO())
    comparisons.show_pairs(rows, console)
    return console.export_text().splitlines()


def shown_effects(
    rows: Sequence[ComparisonRow], crossed: Sequence[InteractionRow] = ()
) -> list[str]:
    console = Console(width=80, highlight=False, record=True, file=io.StringIO())
    comparisons.show_effects(rows, crossed, console)
    return console.export_text().splitlines()


def test_a_pair_at_80_columns() -> None:
    mine = [record(seed, 0.9, 1000 + seed, cell="lstm") for seed in range(4)]
    lines = shown(compare_variants([*mine, *runs([0.1] * 4)], SUITE, A, B))
    # a command is on one line, to be copied
    assert max(len(line) for line in lines if "bench run" not in line) <= 80
    assert lines[0] == "cell=lstm  against  base (cell=gru)"
    (score,) = [line for line in lines if line.startswith("exact match")]
    assert score.split() == "exact match 0.900 0.100 +0.800 large, not yet".split()
    assert "significant: 2 more" in " ".join(lines)
    (tokens,) = [line for line in lines if line.startswith("tokens to target")]
    assert tokens.split()[:7] == ["tokens", "to", "target", "1.00k", "never", "<", "×0.25"]
    assert any("at least 6 are needed for a significant" in line for line in lines)


RISING = [0.05 * place for place in range(12)]
FLAT = [0.5] * 12


def ended(scores: list[float], curve: list[float], **changes: Any) -> list[Record]:
    """Runs with these scores on test, all with one curve on valid."""
    return [with_curve(one, curve) for one in runs(list(scores), **changes)]


def test_a_side_that_still_rises_is_named_once() -> None:
    mine = ended([0.9] * 5, FLAT, cell="lstm")
    mine += [with_curve(record(seed, 0.9, cell="lstm"), RISING) for seed in (5, 6, 7)]
    rows = compare_variants([*mine, *ended([0.1] * 8, FLAT)], SUITE, A, B)
    assert (row_of(rows)["rising_a"], row_of(rows)["rising_b"]) == (3, 0)
    assert not row_of(rows)["settled"]
    # of times it says nothing
    assert row_of(rows, "tokens_per_second")["rising_a"] == 0
    text = " ".join(shown(rows))
    assert "still rising at the budget" in text
    assert text.count("cell=lstm in 3 of 8 runs") == 1
    assert "base in" not in text


def test_sides_that_have_flattened_are_settled() -> None:
    """One that diverged rises no further either; of one with too few evaluations nobody knows."""
    flat = [*ended([0.9] * 8, FLAT, cell="lstm"), *ended([0.1] * 7, FLAT)]
    for last, settled in ((record(7, None), True), (record(7, 0.1), False)):
        rows = compare_variants([*flat, last], SUITE, A, B)
        assert row_of(rows)["settled"] is settled
        assert "still rising" not in " ".join(shown(rows))
    # a quarter of the runs may still rise, as noise does
    for count, settled in ((2, True), (3, False)):
        rising = ended([0.1] * count, RISING)
        others = [with_curve(record(seed, 0.1), FLAT) for seed in range(count, 8)]
        rows = compare_variants([*flat[:8], *rising, *others], SUITE, A, B)
        assert row_of(rows)["settled"] is settled


def test_an_axis_names_its_values_that_still_rise() -> None:
    found = [*ended([0.5] * 6, FLAT), *ended([0.6] * 6, RISING, cell="lstm")]
    found += ended([0.7] * 6, RISING, cell="rnn")
    rows = axis_effects.axis_effects(found, SUITE, "cell")
    text = " ".join(" ".join(shown_effects(rows)).split())
    assert text.count("cell=lstm in 6 of 6 runs, cell=rnn in 6 of 6 runs") == 1
    page = axis_effects.every_axis(found, SUITE)
    (table,) = overview_tables(page)
    assert any(note.endswith("a side of 2 of 2 effects") for note in table.notes)


def test_an_axis_at_80_columns() -> None:
    lines = shown_effects(
        axis_effects.axis_effects(crossed(0.1, 0.2), SUITE, "cell"),
        interactions.axis_interactions(crossed(0.1, 0.2), SUITE, "cell"),
    )
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "cell=lstm" in text
    assert "better" in text
    assert "each value is compared with cell=gru on the same seeds" in text
    assert "effect of cell=lstm changes by +0.200 from attention=none to attention=dot" in text
    assert "×1.00 =" in text


def test_every_axis_at_80_columns() -> None:
    found = [*crossed(0.1, 0.2), *runs([0.5] * 8, task="reversal")]
    found += [record(n, 0.9, 1000, task="reversal", hidden=32) for n in range(8)]
    rows = axis_effects.every_axis(found, SUITE, axis_effects.OVERVIEW_COSTS)
    console = Console(width=80, highlight=False, record=True, file=io.StringIO())
    comparisons.show_every_axis(rows, console)
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    score = lines[: lines.index("every axis: tokens to target")]
    (base,) = [line.split() for line in score if line.startswith("base")]
    # of opposites nothing is known but means over contexts
    assert base == ["base", "0.500"]
    (hidden,) = [line.split() for line in score if line.startswith("hidden=32")]
    assert hidden == ["hidden=32", "+0.400", "+"]
    tokens = "\n".join(lines[len(score) :])
    assert re.search(r"hidden=32 +< ×0.25 \+", tokens)
    assert "cell" not in tokens
    # what an axis does elsewhere is in the mean over what it was crossed with
    (cell,) = [line.split() for line in score if line.startswith("cell=lstm")]
    effect = row_of(axis_effects.axis_effects(found, SUITE, "cell"))["effect"]
    assert cell == ["cell=lstm", f"{effect:+.3f}", "+"]
    assert [line.split()[0] for line in score if "=" in line.split(" ")[0]] == [
        "attention=dot", "cell=lstm", "hidden=32",
    ]  # fmt: skip


def test_columns_that_do_not_fit_beside_each_other_come_below() -> None:
    found = []
    for task in ("increment:mode=fresh", "reversal:mode=symbols", "opposites", "keyphrase"):
        found += [*runs([0.5] * 8, task=task), *runs([0.9] * 8, task=task, cell="lstm")]
    rows = axis_effects.every_axis(found, SUITE)
    for width in (20, 60, 80, 200):
        console = Console(width=width, highlight=False, record=True, file=io.StringIO())
        comparisons.show_every_axis(rows, console)
        text = console.export_text()
        assert "opposites" in text
        if width > 20:
            assert text.count("+0.400 +") == 4


def test_two_budgets_of_one_task_are_two_columns() -> None:
    found = [*runs([0.5] * 8), *runs([0.9] * 8, cell="lstm")]
    found += [*runs([0.5] * 8, steps=7), *runs([0.7] * 8, steps=7, cell="lstm")]
    _, texts, _ = overview_tables(axis_effects.every_axis(found, SUITE))[0]
    (line,) = [text for text in texts if text["value"] == "cell=lstm"]
    assert sorted(line.values()) == ["+0.200 +", "+0.400 +", "cell=lstm"]
    assert list(line) == ["value", "opposites, 100 steps", "opposites, 7 steps"]


def test_runs_that_vary_nothing() -> None:
    with pytest.raises(ComparisonError, match="differ in one axis alone"):
        axis_effects.every_axis(runs([0.5]), SUITE)


def test_what_was_not_compared_is_said() -> None:
    elsewhere = [timed(one, host="there") for one in runs([0.9] * 6, cell="lstm")]
    text = "\n".join(shown(compare_variants([*elsewhere, *runs([0.1] * 6)], SUITE, A, B)))
    assert "not compared: timed on unlike machines" in text


def test_speeds_taken_beside_other_runs_are_rough() -> None:
    both = [*runs([0.9] * 6, cell="lstm"), *runs([0.1] * 6)]
    assert "beside" not in "\n".join(shown(compare_variants(both, SUITE, A, B)))
    rows = compare_variants([timed(both[0], beside=3), *both[1:]], SUITE, A, B)
    assert row_of(rows)["trained_beside"] == 0
    assert row_of(rows, "tokens_per_second")["trained_beside"] == 3
    assert "timed with up to 3 other runs at the same time" in "\n".join(shown(rows))


def test_speeds_of_runs_that_lacked_a_core_are_rough() -> None:
    both = [timed(one, core_share=0.98) for one in runs([0.9] * 6, cell="lstm")]
    both += runs([0.1] * 6)  # from before it was looked at
    rows = compare_variants(both, SUITE, A, B)
    assert row_of(rows, "tokens_per_second")["core_share"] == 0.98
    assert row_of(rows)["core_share"] is None
    assert "of a core" not in "\n".join(shown(rows))
    rows = compare_variants([timed(both[0], core_share=0.625), *both[1:]], SUITE, A, B)
    assert "timings unreliable: the CPU was shared (62 % of a core)" in "\n".join(shown(rows))


@pytest.mark.parametrize(
    ("ours", "words"),
    [
        ([0.9] * 3, "large, not yet significant: 3 more seeds"),
        ([0.95, 0.90, 0.85], "large, not yet significant: 3 more seeds"),
        ([0.9, 0.1, 0.5], "not significant yet (about "),
        ([0.9] * 6, "better"),
        ([0.104] * 3, "no difference seen"),
    ],
)
def test_verdicts_are_in_plain_words(ours: list[float | None], words: str) -> None:
    rows = compare_variants([*runs(ours, cell="lstm"), *runs([0.1] * len(ours))], SUITE, A, B)
    (row,) = [row for row in rows if row["measure"] == "exact_match"]
    assert verdict_text(row).startswith(words)
    # what programs read stays
    assert row["verdict"] in ("better", "alike", "undecided")


def test_neither_reached_the_target() -> None:
    rows = compare_variants([*runs([0.9] * 3, cell="lstm"), *runs([0.1] * 3)], SUITE, A, B)
    (tokens,) = [row for row in rows if row["measure"] == "tokens_to_target"]
    assert verdict_text(tokens) == "neither reached the target score"


def test_a_large_effect_comes_with_the_command_that_decides_it() -> None:
    rows = compare_variants([*runs([0.9] * 3, cell="lstm"), *runs([0.1] * 3)], SUITE, A, B)
    (line,) = [line for line in shown(rows) if "to decide it" in line]
    assert line == (
        "to decide it, 3 more seeds of both, about 12 s with one worker: bench run "
        "--until-decided cell=lstm base --task opposites --budget 100steps"
    )
    # runs of a matrix that is evaluated as it says are added to as well
    every = [*runs([0.9] * 3, cell="lstm", every=10), *runs([0.1] * 3, every=10)]
    decide = [
        line for line in shown(compare_variants(every, SUITE, A, B)) if "to decide it" in line
    ]
    assert [line.endswith("--budget 100steps --every 10") for line in decide] == [True]
    # what is undecided and not large has no command
    small = [*runs([0.9, 0.1, 0.5], cell="lstm"), *runs([0.1] * 3)]
    assert not any("to decide it" in line for line in shown(compare_variants(small, SUITE, A, B)))


def test_a_small_lead_says_how_few_failures_would_outweigh_it() -> None:
    """Ten seeds without a failure do not exclude a rate of 26 %; a lead of 0.02 needs much less."""
    for lead, told in ((0.02, "3 % would outweigh this lead"), (0.5, "")):
        mine = runs([0.95 + seed / 1000 for seed in range(10)], cell="lstm")
        text = " ".join(
            shown(compare_variants([*mine, *runs([0.95 - lead] * 10)], SUITE, A, B))
        ).replace("  ", " ")
        assert "a side may still fail in up to 26 % of runs" in text
        assert ("would outweigh" in text) == bool(told)
        assert told in text


def test_the_interval_of_a_difference_of_shares_stays_within_bounds() -> None:
    rows = compare_variants([*runs([1.0, 0.2], cell="lstm"), *runs([0.0, 0.0])], SUITE, A, B)
    row = row_of(rows)
    assert (row["low"], row["high"]) == (-1.0, 1.0)
    bleu = compare_variants(
        [*runs([90.0, 20.0], cell="lstm", metric="bleu"), *runs([0.0, 0.0], metric="bleu")],
        SUITE, A, B,
    )  # fmt: skip
    assert row_of(bleu, "bleu")["high"] > 1


def test_pages_of_records_without_any_difference_hold_few_words() -> None:
    """Twelve values of one axis and six of another against one base, 10 seeds, 15 stores.

    With a false word in one store of twenty, four or more are seen in 1 of 200 such tests.
    """
    random, stores_with_words, tables_with_words = np.random.default_rng(1), 0, 0
    for _ in range(15):
        scores = random.normal(0.7, 0.05, (19, 10)).clip(0, 1)
        changes: list[dict[str, Any]] = [{}, *({"hidden": 100 + n} for n in range(12))]
        changes += [{"encoder_depth": 2 + n} for n in range(6)]
        found = [
            record(seed, float(score), **change)
            for change, row in zip(changes, scores, strict=True)
            for seed, score in enumerate(row)
        ]
        words = [row["verdict"] for row in axis_effects.every_axis(found, SUITE)]
        assert len(words) == 18
        stores_with_words += bool({"better", "worse"} & set(words))
        table = [row["verdict"] for row in axis_effects.axis_effects(found, SUITE, "hidden")]
        tables_with_words += bool({"better", "worse"} & set(table))
    assert stores_with_words <= 3
    assert tables_with_words <= 3


def test_scores_of_runs_that_stopped_at_the_target_are_said_not_to_be_compared() -> None:
    early: dict[str, Any] = {"stop": "solved", "steps": 200}
    found = [record(seed, 1.0, 400 + seed, **early) for seed in range(3)]
    found += [record(seed, 1.0, 900 + seed, cell="lstm", **early) for seed in range(3)]
    lines = shown_effects(axis_effects.axis_effects(found, SUITE, "cell"), [])
    (line,) = [line for line in lines if line.startswith("cell=lstm") and "compared" in line]
    assert line.split() == ["cell=lstm", "not", "compared", "0"]
    text = " ".join(lines)
    assert "not compared: stopped at the target: scores not compared" in text
    # no seed is left out for want of the other side's
    assert "left out" not in text
    assert "None" not in text
    pair = shown(compare_variants(found, SUITE, A, B))
    assert pair[2].split()[:5] == ["measure", "a", "b", "effect", "verdict"]


def test_a_table_of_several_axes_names_no_single_reference() -> None:
    found = [*runs([0.5] * 6), *runs([0.6] * 6, cell="lstm"), *runs([0.7] * 6, hidden=32)]
    for rows, reference in (
        (axis_effects.every_axis(found, SUITE), "the base's"),
        (axis_effects.axis_effects(found, SUITE, "hidden"), "hidden=64"),
    ):
        (first, *_) = effect_tables(rows)[0].notes
        assert first == f"each value is compared with {reference} on the same seeds"
