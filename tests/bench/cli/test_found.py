"""Proves smaller things that a new user met: plugins, one learning rate, words, exports."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from bench.api.translate import unknown_words
from results.store import writing
from tasks import build
from tests.bench.cli.commands import Bench
from tests.records import SUITE, record


@pytest.fixture
def with_plugin(store: Path) -> Path:
    """A store with runs of a cell that is not loaded, at one learning rate."""
    with writing(store) as opened:
        for seed in range(3):
            for cell in ("mine", "gru"):
                plugin = "abc" if cell == "mine" else ""
                entry = record(seed, 0.5, learning_rate=0.003, cell=cell, plugin=plugin)
                other = {**entry.outcome, "parameters": 10_000 if cell == "mine" else 99_000}
                opened.add(type(entry)(entry.id, entry.spec, other, entry.measured))
        opened.set_plan([], {**SUITE, "learning_rate": 0.003})
    return store


def test_runs_of_a_plugin_are_compared_without_it(bench: Bench, with_plugin: Path) -> None:
    code, out, err = bench("compare", "cell=mine", "base", "--fair", "all", "--notes")
    assert (code, err) == (0, "")
    flat = " ".join(out.split())
    assert "which hidden size would have them is known with --plugin FILE" in flat
    for verb in (["table"], ["runs"], ["show", "cell=mine"], ["curves"], ["export"]):
        assert bench(*verb)[0] == 0


def test_runs_of_a_plugin_are_examined_with_it(bench: Bench, with_plugin: Path) -> None:
    code, out, err = bench("doctor", "cell=mine")
    assert (code, out) == (2, "")
    assert err.endswith("was made with a plugin; give it with --plugin FILE\n")


def test_one_learning_rate_is_not_the_best_one(bench: Bench, with_plugin: Path) -> None:
    out = bench("compare", "cell=mine", "base", "--fair", "learning_rate", "--notes")[1]
    flat = " ".join(out.split())
    assert "only one learning rate was tried (0.003), so none is the best" in flat
    assert "not compared" in out


def test_words_that_a_model_does_not_know_are_named() -> None:
    task = build("en-zh", None)
    assert unknown_words(task, "the zorgle the zorgle") == ["zorgle"]
    assert unknown_words(task, "the") == []


def test_runs_are_exported_with_their_settings(bench: Bench, filled: Path) -> None:
    code, out, err = bench("export", "--runs")
    assert (code, err) == (0, "")
    found = list(csv.DictReader(io.StringIO(out)))
    assert len(found) == 4
    assert {row["axes.cell"] for row in found} == {"gru", "lstm"}
    assert {row["status"] for row in found} == {"solved", "finished", "diverged", "failed"}
    for key in ("run", "seed", "budget.steps", "scores.test.exact_match", "measured.run_seconds"):
        assert key in found[0]
    code, _, err = bench("export", "--runs", "--effects")
    assert (code, "give one" in err) == (2, True)


def test_effects_in_latex_have_intervals_and_minus_signs(bench: Bench, store: Path) -> None:
    with writing(store) as opened:
        for seed in range(6):
            opened.add(record(seed, 0.9 - seed / 100))
            opened.add(record(seed, 0.5 + seed / 100, cell="lstm"))
        opened.set_plan([], SUITE)
    code, out, _ = bench("export", "--effects", "--format", "latex")
    assert code == 0
    assert r"\label{tab:opposites-100-steps-batch-32-cpu}" in out
    assert "95\\% interval" in out
    assert re.search(r"\$-\$0\.350 & worse & \$-\$0\.\d+ to \$-\$0\.\d+", out)
    # of names, a hyphen stays one
    assert "cell=lstm" in out


def test_a_report_is_html(bench: Bench, filled: Path) -> None:
    code, out, err = bench("report", "--output", "x.pdf")
    assert (code, out) == (2, "")
    assert "x.pdf does not end in .html" in err
    assert not Path("x.pdf").exists()


def test_a_report_sets_words_of_other_seeds_beside_its_own(bench: Bench, store: Path) -> None:
    with writing(store) as opened:
        for seed in (*range(6), *range(100, 106)):
            opened.add(record(seed, 0.9 - (seed % 6) / 100))
            opened.add(record(seed, 0.5 + (seed % 6) / 100, cell="lstm"))
        opened.set_plan([], SUITE)
    page = store / "r.html"
    assert bench("report", "--output", str(page), "--again", "100:106")[0] == 0
    assert "12 more runs, of seeds 100:106" in page.read_text("utf-8")
    for wrong, told in (
        ("300:306", "no run has one of the seeds"),
        ("x", "neither a whole number"),
    ):
        code, out, err = bench("report", "--output", str(store / "no.html"), "--again", wrong)
        assert (code, out) == (2, "")
        assert told in err
    assert not (store / "no.html").exists()
