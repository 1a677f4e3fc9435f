"""Proves what `bench compare` prints, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from results.store import writing
from tests.bench.cli.commands import TINY, Bench
from tests.records import SUITE, record


def test_compare(bench: Bench, filled: Path) -> None:
    code, out, _ = bench("compare", "base", "cell=lstm")
    assert code == 0
    assert out.startswith("base (cell=gru)  against  cell=lstm\n")
    code, out, _ = bench("compare", "--axis", "cell")
    assert code == 0
    assert "what it costs" in out
    rows = json.loads(bench("compare", "--axis", "cell", "--json")[1])["rows"]
    keys = {
        "task", "setting", "a", "b", "where", "measure", "pairs", "unpaired", "contexts",
        "trained_beside", "core_share",
        "censored_a", "censored_b", "ratio", "margin", "family", "refused", "a_mean", "b_mean",
        "effect", "low", "high", "interval", "p", "p_adjusted", "detectable", "verdict",
        "more_seeds", "why", "failed_a", "failed_b", "rate_excluded", "open", "over_page",
        "rising_a", "rising_b", "settled",
    }  # fmt: skip
    assert rows
    assert all(set(row) == keys for row in rows)
    code, out, _ = bench("compare", "--axis", "all")
    assert code == 0
    assert "every axis: score" in out
    code, out, _ = bench("compare", "--with-store", str(filled))
    assert code == 0
    assert "no difference seen" in out


def test_seeds_can_be_compared_apart(bench: Bench, store: Path) -> None:
    """The first seeds have one order, the others the opposite one."""
    with writing(store) as opened:
        for seed in (*range(3), *range(100, 103)):
            for cell in ("gru", "lstm"):
                entry = record(seed, 0.9 if (seed < 100) == (cell == "lstm") else 0.4, cell=cell)
                opened.begin(entry.id, entry.spec)
                opened.add(entry)
        opened.set_plan([], SUITE)

    def effect(*options: str) -> float:
        rows = json.loads(bench("compare", "cell=lstm", "base", "--json", *options)[1])["rows"]
        return float(rows[0]["effect"])

    assert effect() == pytest.approx(0)
    assert effect("--seeds", "3") == pytest.approx(0.5)
    assert effect("--seeds", "100:103") == pytest.approx(-0.5)
    rows = json.loads(bench("compare", "--axis", "cell", "--seeds", "0:3", "--json")[1])["rows"]
    assert {row["pairs"] for row in rows} == {3}
    found = json.loads(bench("compare", "cell=lstm", "base", "--seeds", "100:103", "--json")[1])
    assert found["rows"][0]["decide"].endswith(" --seeds 100:140")
    code, _, err = bench("compare", "cell=lstm", "base", "--seeds", "7:9")
    assert (code, err.count("\n")) == (2, 1)
    assert "there are seeds from 0 to 102" in err
    assert "seeds=9:7 is neither" in bench("compare", "cell=lstm", "base", "--seeds", "9:7")[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "compare two variants"),
        (["base"], "compare two variants"),
        (["base", "cell=lstm", "--axis", "cell"], "one of these"),
        (["base", "cell=lstmm"], "no finished run is of the variant cell=lstmm"),
        (["--axis", "colour"], "no axis is called 'colour'"),
        (["base", "cell=lstm", "--fair", "money"], "parameters"),
        (["base", "cell=lstm", "--along", "stpes"], "did you mean steps"),
        (["base", "cell=lstm", "--along", "steps", "--fair", "all"], "--fair does nothing with"),
        (["base", "cell=rnn", "--along", "steps"], "no task and setting in common"),
        (
            ["--axis", "cell", "--fair", "all"],
            "--fair does nothing with --axis",
        ),
        (["--dates", "soon"], "is no day"),
        (["--with-store", "nowhere"], "nowhere"),
        (["base", "cell=lstm", "--task", "opposite"], "opposites"),
    ],
)
def test_wrong_arguments_of_compare(
    bench: Bench, filled: Path, arguments: list[str], message: str
) -> None:
    code, out, err = bench("compare", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_compare_along_curves(bench: Bench, filled: Path) -> None:
    code, out, _ = bench("compare", "base", "cell=lstm", "--along", "steps")
    assert code == 0
    assert out.startswith("base (cell=gru)  against  cell=lstm\n1 seed of both cannot show who")
    rows = json.loads(bench("compare", "base", "cell=lstm", "--along", "steps", "--json")[1])[
        "rows"
    ]
    keys = {
        "task", "setting", "a", "b", "base", "along", "at", "measure", "a_mean", "b_mean", "effect",
        "low", "high", "ahead", "paired", "runs_a", "runs_b", "unpaired", "rising_a", "rising_b",
        "trained_beside", "core_share", "refused", "says",
    }  # fmt: skip
    assert [row["at"] for row in rows] == [10, 20, 30]
    assert all(set(row) == keys for row in rows)


@pytest.mark.usefixtures("no_workers")
def test_compare_at_equal_cost(bench: Bench) -> None:
    assert bench(*TINY, "--base", "hidden=24,embedding=16")[0] == 0
    code, out, _ = bench("compare", "cell=rnn", "base", "--fair", "all")
    assert code == 0
    assert "best learning rate" in out
    assert "was not run with about" in out
    assert "hidden=" in out  # the size that would have as many parameters
    rows = json.loads(bench("compare", "cell=rnn", "base", "--fair", "steps", "--json")[1])["rows"]
    assert [row["mode"] for row in rows] == ["steps"]
