"""Proves that what was typed can be asked for, and that every row can be opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from results.store import Planned, writing
from tests.bench.cli.commands import Bench, rows
from tests.records import SUITE, failed, record


@pytest.fixture
def star(store: Path) -> Path:
    """A store with three variants of three seeds; the LSTM is worst, and its seed 1 the worst."""
    scores = {"gru": (1.0, 0.9, 0.8), "rnn": (0.7, 0.6, 0.5), "lstm": (0.4, 0.1, 0.3)}
    with writing(store) as opened:
        planned = []
        for cell, values in scores.items():
            for seed, score in enumerate(values):
                entry = record(seed, score, cell=cell)
                opened.begin(entry.id, entry.spec)
                opened.add(entry)
                planned.append(Planned(entry.id, entry.task, f"cell={cell}", seed))
        opened.set_plan(planned, SUITE)
    return store


WORST = record(1, cell="lstm").id
"""The id of the worst run of the star."""


@pytest.mark.parametrize("gru", ["cell=gru", "base", "cell = gru", "cell=gru,hidden=64"])
def test_the_base_has_its_other_name_too(bench: Bench, star: Path, gru: str) -> None:
    code, out, err = bench("compare", "cell=lstm", gru)
    assert (code, err) == (0, "")
    assert out.startswith(f"cell=lstm  against  {'base (cell=gru)' if gru == 'base' else gru}\n")
    (row, *_) = rows(bench("compare", "cell=lstm", gru, "--json")[1])
    assert row["effect"] == pytest.approx((0.4 + 0.1 + 0.3 - 1.0 - 0.9 - 0.8) / 3)
    code, out, err = bench("curves", "--variant", gru, "--json")
    assert (code, err, [row["variant"] for row in rows(out)]) == (0, "", ["base"])
    code, out, err = bench("show", gru)
    assert (code, record(2).id in out) == (0, True)
    assert "3 runs; this is" in err
    assert "seed 2 (finished, exact match 0.800)" in err


def test_two_names_of_one_variant_are_no_comparison(bench: Bench, star: Path) -> None:
    code, out, err = bench("compare", "cell=gru", "base")
    assert (code, out) == (2, "")
    assert err == "bench: cell=gru and base are the same variant; give two\n"
    code, _, err = bench("compare", "cell=gru", "no")
    assert code == 2
    assert "no finished run is of the variant no; there are base; cell=lstm; cell=rnn" in err


@pytest.mark.parametrize("typed", ["cell=LSTM", "lstm", "cell=lst", "cel=lstm"])
@pytest.mark.parametrize("verb", ["compare base", "doctor", "show", "curves --variant"])
def test_misspelt_variants_are_answered_with_a_near_one(
    bench: Bench, star: Path, typed: str, verb: str
) -> None:
    if typed == "lstm" and verb in ("doctor", "show"):
        pytest.skip("would be the id of a run")
    code, out, err = bench(*verb.split(), typed)
    assert (code, out) == (2, "")
    assert err.endswith("; did you mean cell=lstm?\n")


def test_misspelt_axes_are_answered_with_a_near_one(bench: Bench, star: Path) -> None:
    assert "no axis is called 'cel'; did you mean cell?" in bench("compare", "--axis", "cel")[2]
    assert "no axis is called 'x'; bench list" in bench("compare", "--axis", "x")[2]
    assert "no finished runs differ in hidden" in bench("compare", "--axis", "hidden")[2]


def test_names_of_numbers_and_shorthands_are_read_as_numbers(bench: Bench, store: Path) -> None:
    with writing(store) as opened:
        for rate in (0.003, 0.01):
            opened.add(record(0, learning_rate=rate))
        opened.add(record(0, learning_rate=0.003, encoder_depth=2, decoder_depth=2))
        opened.set_plan([], {**SUITE, "learning_rate": 0.003})
    assert bench("compare", "learning_rate=1e-2", "learning_rate=.003")[0] == 0
    assert bench("compare", "depth=2", "depth=1")[0] == 0
    assert bench("compare", "decoder_depth=2,encoder_depth=2", "hidden=64")[0] == 0


def test_rows_have_numbers_that_open_them(bench: Bench, star: Path) -> None:
    code, out, _ = bench("table")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()[3:6]] == [
        ["1", "base"],
        ["2", "cell=rnn"],
        ["3", "cell=lstm"],
    ]
    assert "1   base (cell=gru) " in out
    for verb in ("show", "doctor"):
        code, out, err = bench(verb, "3", *(["--json"] if verb == "show" else []))
        assert "row 3, opposites cell=lstm: 3 runs; this is " + WORST[:8] in err
    (shown,) = rows(bench("show", "3", "--json")[1])
    assert shown["id"] == WORST
    # a row has one number, whatever else is shown
    assert "3   cell=lstm" in bench("table", "--task", "opposites")[1]
    code, _, err = bench("show", "999")
    assert code == 2
    assert "there is no row 999 in bench table" in err
    assert "bench runs lists their ids" in err


def test_a_variant_alone_in_its_table_is_spelled_out(bench: Bench, store: Path) -> None:
    with writing(store) as opened:
        opened.add(record(0, cell="lstm", hidden=32))
        opened.set_plan([], SUITE)
    assert "1   base (cell=lstm,hidden=32) " in bench("table")[1]


def test_the_base_alone_has_the_name_that_was_typed(bench: Bench, store: Path) -> None:
    """After `bench run --vary cell=gru` the table says which row that is."""
    with writing(store) as opened:
        opened.add(record(0))
        opened.set_plan([], SUITE)
    assert "1   base (cell=gru) " in bench("table")[1]


def test_a_row_number_never_drops_a_run(bench: Bench, star: Path) -> None:
    code, out, err = bench("drop", "3")
    assert (code, out) == (2, "")
    assert "3 may be the number of a row; give 5 digits or more" in err


def test_the_doctor_takes_the_last_matrixs_worst(bench: Bench, star: Path) -> None:
    code, _, err = bench("doctor")
    assert f"the worst of the last matrix: 9 runs; this is {WORST[:8]}, seed 1" in err
    with writing(star) as opened:
        opened.add(failed(5))
        opened.set_plan([Planned(failed(5).id, "opposites", "base", 5)], SUITE)
    code, out, err = bench("doctor")
    assert (code, err) == (0, "")
    assert failed(5).id in out


def test_a_variant_can_be_diagnosed(bench: Bench, star: Path) -> None:
    assert WORST[:8] in bench("doctor", "cell=lstm")[2]
    assert WORST[:8] in bench("doctor", "cell=lstm", "--task", "opposites")[2]
    code, out, err = bench("doctor", "cell=lstm", "--task", "reversal")
    assert (code, out) == (2, "")
    assert "reversal" in err
    code, _, err = bench("doctor", "cell=lstn")
    assert code == 2
    assert "no finished run is of the variant cell=lstn; did you mean cell=lstm?\n" in err


def test_runs_are_listed_with_their_ids(bench: Bench, star: Path) -> None:
    code, out, err = bench("runs")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    lines = [line for line in out.splitlines() if line.startswith(WORST[:8])]
    assert [line.split() for line in lines] == [[WORST[:8], "cell=lstm", "1", "0.100", "finished"]]
    assert f"{record(0).id[:8]}   base (cell=gru)      0 " in out
    assert "base (cell=gru) " in bench("curves")[1]
    found = rows(bench("runs", "--json")[1])
    assert len(found) == 9
    assert {row["variant"] for row in found} == {"base", "cell=rnn", "cell=lstm"}
    assert set(found[0]) == set("run task setting variant seed status metric score".split())


@pytest.mark.usefixtures("no_workers")
def test_a_grid_has_the_cells_asked_for_and_no_other(bench: Bench, store: Path) -> None:
    asked = "run --task opposites --vary cell=gru,lstm --vary learning_rate=.001,.01 --grid"
    code, out, _ = bench(*asked.split(), "--dry-run", "--seeds", "1")
    assert code == 0
    planned = [line for line in out.splitlines() if line.startswith("opposites")]
    assert [line.split("  ")[1] for line in planned] == [
        "learning_rate=0.001",
        "learning_rate=0.01",
        "cell=lstm,learning_rate=0.001",
        "cell=lstm,learning_rate=0.01",
    ]
    assert "4 runs, 0 of them finished" in out
    # where it is among them, the base is one of them
    with_base = "run --task opposites --vary cell=gru,lstm --vary hidden=32,64 --grid"
    out = bench(*with_base.split(), "--dry-run", "--seeds", "1")[1]
    assert "opposites  base  1 seed" in out
    assert "4 runs" in out


def test_commands_name_the_store_that_was_named(
    bench: Bench, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writing(store) as opened:
        for seed in range(3):
            opened.add(record(seed, 0.9, cell="lstm"))
            opened.add(record(seed, 0.1))
        opened.set_plan([], SUITE)
    compared, decided = ("compare", "cell=lstm", "base"), "--budget 100steps"
    assert f"{decided}\n" in bench(*compared)[1]  # found by BENCH_STORE, as the command will
    monkeypatch.delenv("BENCH_STORE")
    named = f"--store '{store}'"
    assert f"{decided} {named}\n" in bench(*compared, "--store", str(store))[1]
    assert f"{decided} {named}" in bench(*compared, "--json", "--store", str(store))[1]
