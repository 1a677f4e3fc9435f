"""Proves what `bench compare` prints, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.cli.commands import TINY, Bench


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
    }  # fmt: skip
    assert rows
    assert all(set(row) == keys for row in rows)
    code, out, _ = bench("compare", "--axis", "all")
    assert code == 0
    assert "every axis: score" in out
    code, out, _ = bench("compare", "--with-store", str(filled))
    assert code == 0
    assert "no difference seen" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "compare two variants"),
        (["base"], "compare two variants"),
        (["base", "cell=lstm", "--axis", "cell"], "one of these"),
        (["base", "cell=lstmm"], "no finished run is of the variant cell=lstmm"),
        (["--axis", "colour"], "no finished runs differ in colour alone"),
        (["base", "cell=lstm", "--fair", "money"], "parameters"),
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
