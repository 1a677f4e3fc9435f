"""Proves that tables hide nothing: what was never reached counts as late, what broke is counted,
what is unlike is kept apart, and what does not fit on the screen is named."""

from __future__ import annotations

import io
import statistics
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from results import naming
from results.curves import average_curves
from results.metrics import SCORES
from results.record import Record
from results.show.tables import show_tables
from results.show.terminal import print_table, sparkline
from results.store import Planned
from results.summary import SummaryRow, summarise
from results.tables.summaries import summary_line, summary_notes
from results.tables.text import TextTable, broken_at_commas
from tests.records import BASE, SUITE, failed, record

KEYS = set(
    "task setting common variant seeds solved has_target metric memorisation score_mean score_sd "
    "other_scores_mean runs_without_score stopped_at_target tokens_to_target seconds_to_target "
    "tokens_spent_in_vain tokens_per_second peak_bytes parameters trained_beside core_share hosts "
    "status findings examined signature tuned runs".split()
)


def one_row(*records: Record) -> SummaryRow:
    (row,) = summarise(records, SUITE)
    return row


def shown(rows: list[SummaryRow], planned: tuple[Planned, ...] = (), width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    show_tables(rows, planned, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_row_has_these_keys_and_no_others() -> None:
    assert set(one_row(record())) == KEYS


@pytest.mark.parametrize(
    ("tokens", "median"),
    [
        ([100, 300, 200], 200),
        ([100, None, 200], 200),
        ([100, None, None], None),
        ([None, None, None], None),
        ([100, 300], 200),
        ([100, None], None),
        ([100, 200, None, None], None),
        ([100, 200, 300, None], 250),
    ],
)
def test_never_reached_is_later_than_any(tokens: list[int | None], median: int | None) -> None:
    row = one_row(*(record(seed, 0.5, value) for seed, value in enumerate(tokens)))
    assert row["tokens_to_target"] == median
    assert row["seconds_to_target"] == (None if median is None else pytest.approx(median / 1000))
    assert row["solved"] == sum(value is not None for value in tokens)
    text = summary_line(row)
    assert text["solved"] == f"{row['solved']}/{len(tokens)}"
    assert text["tokens to target"] == ("> 4.00k" if median is None else str(median))
    assert (text["s to target"] == "never") == (median is None)


def test_a_table_says_how_many_runs_stopped_at_the_target() -> None:
    early: dict[str, Any] = {"stop": "solved", "steps": 200}
    runs = [record(0, 1.0, 300, **early), record(1, 1.0, 300, **early), record(2, 0.5, **early)]
    row = one_row(*runs)
    assert row["stopped_at_target"] == 2
    assert "stops at the target" in row["setting"]
    assert "2 of 3 runs stopped at the target" in " ".join(shown([row]).split())
    assert one_row(record(0, 1.0, 300))["stopped_at_target"] == 0


def test_a_task_without_a_target_has_no_column_of_it() -> None:
    runs = [record(0, 0.5), record(1, 0.6)]
    assert "never" in shown([one_row(*runs)])
    open_ended = [replace(run, outcome={**run.outcome, "solved_at": None}) for run in runs]
    text = shown([one_row(*open_ended)])
    assert "exact match" in text
    assert not any(word in text for word in ("solved", "never", "target"))


def test_mean_and_sd_are_over_the_seeds() -> None:
    scores = [0.2, 0.5, 0.9]
    row = one_row(*(record(seed, score) for seed, score in enumerate(scores)))
    assert row["score_mean"] == statistics.fmean(scores)
    assert row["score_sd"] == pytest.approx(statistics.stdev(scores))
    assert summary_line(row)["exact match"] == "0.533 ±.351"
    assert row["other_scores_mean"] == {"forced_accuracy": 0.25}
    assert one_row(record())["score_sd"] is None


def test_what_broke_is_counted() -> None:
    row = one_row(record(0, 0.5), record(1, None), failed(2), failed(3))
    assert row["seeds"] == 4
    assert row["runs_without_score"] == 3
    assert row["status"] == {"finished": 1, "diverged": 1, "failed": 2}
    # as in comparisons, a run without a score counts as 0
    assert row["score_mean"] == 0.125
    assert "0.125 ±.250" in summary_line(row).values()
    # and so do the other scores
    assert row["other_scores_mean"] == {"forced_accuracy": 0.25 / 4}
    text = shown([row])
    assert "3 runs without a score count as 0" in text
    assert "1 diverged, 2 failed" in text
    assert "0/4" in text


def test_a_variant_of_failures_alone_has_its_row_last() -> None:
    rows = summarise([failed(0, cell="lstm"), record(0, 0.0), record(0, 0.9, cell="rnn")], SUITE)
    assert rows[0]["variant"] == "cell=rnn"
    assert rows[-1]["score_mean"] == 0.0
    assert "none" in shown(rows)


def test_best_first_then_the_sooner_then_the_name() -> None:
    rows = summarise(
        [
            record(0, 0.5, cell="lstm"),
            record(0, 0.9, 800, cell="rnn"),
            record(0, 0.9, 400),
            record(0, 0.9, None, cell="a"),
            record(0, 0.5, attention="dot"),
        ],
        SUITE,
    )
    names = [row["variant"] for row in rows]
    assert names == ["base", "cell=rnn", "cell=a", "attention=dot", "cell=lstm"]


def test_one_lucky_seed_is_not_the_best() -> None:
    """Two of its three runs diverged, which count as 0."""
    lucky = [record(0, 0.99, cell="rnn"), record(1, None, cell="rnn"), record(2, None, cell="rnn")]
    rows = summarise([*lucky, *(record(seed, 0.9) for seed in range(3))], SUITE)
    assert [row["score_mean"] for row in rows] == [0.9, 0.33]
    assert "0.330 ±.572" in summary_line(rows[1]).values()


def test_beyond_is_said_of_what_was_spent_in_vain() -> None:
    """Not of what a solved run spent, and of nothing where a run broke off."""
    reached = record(0, 1.0, 9000, spent=10_000)
    vain = [record(seed, 0.5, spent=spent) for seed, spent in ((1, 5000), (2, 4000))]
    (row,) = summarise([reached, *vain], SUITE)
    assert summary_line(row)["tokens to target"] == "> 4.00k"
    (row,) = summarise([reached, *vain, record(3, None, spent=10)], SUITE)
    assert summary_line(row)["tokens to target"] == "never"


def test_scores_by_unlike_signatures_never_share_a_row() -> None:
    runs = [record(0, metric="bleu", signature="v1"), record(1, metric="bleu", signature="v2")]
    rows = summarise(runs, SUITE)
    assert [row["setting"].split(", ")[-1] for row in rows] == ["scored by v1", "scored by v2"]


def test_what_all_share_is_said_once() -> None:
    star: list[dict[str, Any]] = [{}, {"cell": "lstm"}, {"attention": "dot"}]
    rows = summarise([record(0, 0.5, hidden=50, **changes) for changes in star], SUITE)
    assert {row["common"] for row in rows} == {"hidden=50"}
    assert {row["variant"] for row in rows} == {"base", "cell=lstm", "attention=dot"}
    assert "base: hidden=50\n" in shown(rows)


@pytest.mark.parametrize(
    ("axes", "note"),
    [
        (0, "base: hidden=50"),
        (2, ""),  # its row says the two
        (3, "base: hidden=50,cell=gru,a2=0"),
        (9, "base: hidden=50, all else as bench list axes says"),
    ],
)
def test_what_the_base_is_stands_in_one_note(axes: int, note: str) -> None:
    varied = dict([("hidden", "50"), ("cell", "gru"), *((f"a{n}", "0") for n in range(2, axes))])
    row = one_row(record(0, hidden=50))
    notes = summary_notes([row], dict([*varied.items()][:axes]))
    assert notes == [note] * bool(note)
    assert not summary_notes([one_row(record(0))])


def test_the_base_is_the_most_common_value_and_the_suites_on_a_tie() -> None:
    both = [{**BASE, "cell": "lstm"}, BASE]
    assert naming.shared_base(both, SUITE)["cell"] == "gru"
    assert naming.shared_base(both, {**SUITE, "cell": "lstm"})["cell"] == "lstm"
    assert naming.shared_base([*both, {**BASE, "cell": "lstm", "hidden": 1}], SUITE)["cell"] == (
        "lstm"
    )
    # a variant counts once, however many seeds it has
    assert naming.shared_base([both[0]] * 5 + [BASE], SUITE)["cell"] == "gru"
    assert naming.shared_base([{"cell": "b"}, {"cell": "a"}], {})["cell"] == "a"


def test_names_use_a_shorthand_only_where_it_holds() -> None:
    both = {"encoder_depth": 2, "decoder_depth": 2}
    assert naming.name({**BASE, **both}, BASE) == "depth=2"
    assert naming.name({**BASE, "encoder_depth": 2}, BASE) == "encoder_depth=2"
    assert naming.name({**BASE, **both, "decoder_depth": 3}, BASE) == (
        "encoder_depth=2,decoder_depth=3"
    )
    assert naming.name(BASE, BASE) == "base"


@pytest.mark.parametrize(
    "unlike",
    [
        {"steps": 101},
        {"steps": 1_000_000},
        {"steps": 0, "tokens": 100},
        {"steps": 0, "seconds": 100.0},
        {"batch": 33},
        {"every": 5},
        {"stop": "solved"},
        {"device": "cuda"},
        {"decoding": "beam"},
        {"fault": "no-clip"},
        {"torch": "9"},
        {"data": "e" * 32},
        {"numerics": 2},
        {"execution": "compiled"},
        {"host": "there"},
        {"task": "increment"},
    ],
)
def test_what_is_unlike_stands_in_tables_of_its_own(unlike: dict[str, Any]) -> None:
    rows = summarise([record(0), record(0, **unlike)], SUITE)
    assert len(rows) == 2
    assert len({(row["task"], row["setting"]) for row in rows}) == 2
    assert all(row["seeds"] == 1 for row in rows)


@pytest.mark.parametrize(
    ("key", "one", "other"), [("plugin", "abc", "def"), ("data", "d+abc", "d+def")]
)
def test_versions_of_a_variant_stand_in_rows_of_their_own(key: str, one: str, other: str) -> None:
    """By another plugin, or from other vectors: in one table, for they may be compared."""
    changes: list[dict[str, Any]] = [{"cell": "mine", key: value} for value in (one, other)]
    both = [record(0, **change) for change in changes]
    task: dict[str, Any] = {"data": "d"} if key == "data" else {}
    plain = record(0, **task)
    rows = summarise([*both, plain], SUITE)
    assert len({row["setting"] for row in rows}) == 1
    named = {row["variant"] for row in rows}
    assert len(named) == 3
    assert sum("abc" in name for name in named) == sum("def" in name for name in named) == 1
    # and so do their curves
    assert {row["variant"] for row in average_curves([*both, plain], SUITE, "loss")} == named
    # where there is one version, nothing need be said
    (row, _) = sorted(summarise([both[0], plain], SUITE), key=lambda row: -len(row["variant"]))
    assert "abc" not in row["variant"]


def test_budgets_that_look_alike_are_not() -> None:
    rows = summarise([record(0, steps=1_000_000), record(0, steps=1_000_001)], SUITE)
    assert {row["setting"] for row in rows} == {
        "1000000 steps, batch 32, cpu",
        "1000001 steps, batch 32, cpu",
    }


def test_a_signature_is_kept_and_shown() -> None:
    row = one_row(record(metric="bleu", score=25.25, signature="tok:zh|v:2"))
    assert row["signature"] == "tok:zh|v:2"
    text = shown([row])
    assert "tok:zh|v:2" in text
    assert "BLEU" in text
    assert one_row(record())["signature"] is None


def test_the_base_is_bold() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="standard")
    rows = summarise([record(0), record(0, cell="lstm")], SUITE)
    show_tables(rows, [], console)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    (base,) = [line for line in lines if "base " in line]
    (other,) = [line for line in lines if "cell=lstm" in line]
    assert "\x1b[1m" in base
    assert "\x1b[1m" not in other


def test_what_runs_were_beside_and_where_is_said() -> None:
    one = record(0)
    other = Record(one.id, one.spec, one.outcome, {**one.measured, "beside": 3, "host": "there"})
    text = shown([one_row(one, other)])
    assert "up to 3 other runs at the same time" in text
    assert "several machines" in text


def test_what_does_not_apply_is_told_with_the_last_table_of_its_task() -> None:
    planned = (Planned(None, "opposites", "window=5", None, "window: only a tagger"),)
    text = shown(summarise([record(0)], SUITE), planned)
    assert "not applicable: window: only a tagger" in text


def many(count: int) -> list[Record]:
    """Runs of a base and of further variants that all solved their task, each a bit later."""
    changes: list[dict[str, Any]] = [{}, *({"hidden": 100 + n} for n in range(count - 1))]
    return [
        record(seed, 1.0, 400 + 40 * place, **change)
        for place, change in enumerate(changes)
        for seed in range(3)
    ]


def test_rows_of_equal_result_are_folded_and_what_tells_them_apart_leads() -> None:
    rows = summarise([*many(63), record(0, 0.4, hidden=7)], SUITE)
    lines = shown(rows).splitlines()
    assert len(lines) < 16
    # one score differs, all others are equal
    assert lines[1].split()[:5] == ["variant", "tokens", "to", "target", "exact"]
    (fold,) = [line for line in lines if "more" in line and "--all" in line]
    assert "(58 more, all solved 3/3: --all)" in fold
    assert "600–2.88k" in fold
    assert any(line.startswith("hidden=7 ") for line in lines)
    apart = [record(0, 0.1 * place, hidden=place) for place in range(9)]
    assert shown(summarise(apart, SUITE)).splitlines()[1].split()[:2] == ["variant", "exact"]
    alike = shown(summarise(many(63), SUITE)).splitlines()
    assert alike[1].split()[:5] == ["variant", "tokens", "to", "target", "exact"]
    console = Console(file=io.StringIO(), width=80, highlight=False)
    show_tables(rows, [], console, unfolded=True)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().count("hidden=") == 63


def test_the_base_and_what_broke_are_never_folded() -> None:
    late = [record(seed, 1.0, 9000) for seed in range(3)]
    others = [record(s, 1.0, 400 + n, hidden=100 + n) for n in range(20) for s in range(3)]
    text = shown(summarise([*others, *late], SUITE))
    assert "base" in text
    assert "(15 more, all solved 3/3: --all)" in text


@given(st.text(st.sampled_from("abc=,._-01 "), max_size=120), st.integers(1, 60))
def test_names_break_after_commas_and_nothing_is_lost(name: str, width: int) -> None:
    lines = broken_at_commas(name, width).split("\n")
    assert "".join("".join(lines).split()) == "".join(name.split())
    for line in lines[:-1]:
        # only a part that is longer than the line is not on a line of its own
        assert cell_len(line) <= width or not any(mark in line.rstrip(", ") for mark in ", ")


def test_three_notes_and_all_on_demand() -> None:
    table = TextTable("t", [{"variant": "base"}], [f"note {n}" for n in range(12)])
    console = Console(file=io.StringIO(), width=80, highlight=False)
    print_table(table, console, all_notes=False)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().splitlines()[-3:] == [
        "note 0",
        "note 1",
        "10 more notes: --notes prints them",
    ]
    print_table(table, console)
    assert console.file.getvalue().endswith("note 11\n")


NAMES = st.text(st.sampled_from("abc=,._-0123456789中文注意力é"), min_size=1, max_size=90)
NUMBER = st.none() | st.floats(0, 1e12)


@st.composite
def any_row(draw: st.DrawFn) -> SummaryRow:
    seeds = draw(st.integers(1, 9999))
    return {
        **one_row(record()),
        "variant": draw(NAMES),
        "metric": draw(st.sampled_from([*SCORES, "another_score"])),
        "seeds": seeds,
        "solved": draw(st.integers(0, seeds)),
        "score_mean": draw(st.floats(0, 100)),
        "score_sd": draw(st.none() | st.floats(0, 100)),
        "tokens_to_target": draw(NUMBER),
        "seconds_to_target": draw(NUMBER),
        "tokens_per_second": draw(NUMBER),
        "peak_bytes": draw(NUMBER),
        "parameters": draw(st.none() | st.integers(0, 10**9)),
        "status": draw(
            st.dictionaries(st.sampled_from(["diverged", "failed"]), st.integers(1, 999))
        ),
        "common": draw(NAMES),
        "task": draw(NAMES),
        "signature": draw(st.none() | NAMES),
    }


@settings(max_examples=100)
@given(rows=st.lists(any_row(), min_size=1, max_size=4), width=st.sampled_from([80, 100, 200]))
def test_no_line_is_wider_than_the_screen_and_nothing_goes_unsaid(
    rows: list[SummaryRow], width: int
) -> None:
    for row in rows:
        row["task"], row["metric"] = rows[0]["task"], rows[0]["metric"]
    text = shown(rows, width=width)
    assert max(map(cell_len, text.splitlines())) <= width
    head = text.replace("\n", " ")
    for title in {title for row in rows for title, value in summary_line(row).items() if value}:
        assert title.split()[0] in head
    # a column that is shown is shown whole: the variant's name folds, numbers do not end in ...
    assert "…" not in text


def test_columns_without_room_are_named() -> None:
    text = shown([one_row(record())], width=60)
    assert "not shown at 60 columns" in text
    assert "not shown" not in shown([one_row(record())], width=160)


def test_a_sparkline_has_a_block_a_value() -> None:
    assert sparkline([0, 1, None, 0.5], 0, 1) == "▁█×▅"
    assert sparkline([3, 3], 3, 3) == "▁▁"
    assert sparkline([-9, 9], 0, 1) == "▁█"
