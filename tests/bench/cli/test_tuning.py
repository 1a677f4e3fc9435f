"""Proves that tuning runs are shown nowhere but where they are asked for, and what tuning says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import bench as python
from bench.cli import run as run_module
from results.seeds import TUNING_SEED
from results.store import reading, writing
from tests.bench.cli.commands import Bench, rows
from tests.bench.cli.test_heeding import NEEDED
from tests.records import SUITE, record

SUITE_WITH_RATE = {**SUITE, "learning_rate": 0.001}
ODD = 0.123456
"""A score that no run has but those that tune."""
SEED = re.compile(rf"\b{TUNING_SEED}\b")
CHOSEN = {"gru": 0.003, "lstm": 0.01}
SMALL = "--base hidden=8,embedding=8 --budget 4steps --workers 1".split()
TUNE = "run --task opposites --vary cell=gru,lstm --tune learning_rate=1e-3,3e-3,1e-2".split()


@pytest.fixture
def tuned(store: Path) -> Path:
    """A store with two variants that were tuned, run at their choices and at a common rate."""
    entries = []
    for cell, chosen in CHOSEN.items():
        for rate in (0.001, 0.003, 0.01):
            for seed in range(TUNING_SEED, TUNING_SEED + 2):
                valid = 0.9 if rate == chosen else 0.2
                one = record(seed, ODD, cell=cell, learning_rate=rate, tuning="learning_rate")
                outcome = {**one.outcome, "valid": {"exact_match": valid}}
                entries.append(replace(one, outcome=outcome))
        for seed in range(100, 103):
            entries.append(record(seed, 0.75, cell=cell, learning_rate=chosen))
            entries.append(record(seed, 0.5, cell=cell, learning_rate=0.001))
    with writing(store) as opened:
        for entry in entries:
            opened.begin(entry.id, entry.spec)
            opened.add(entry)
        opened.set_plan([], SUITE_WITH_RATE)
    return store


def tuning_ids(store: Path) -> set[str]:
    with reading(store) as opened:
        return {run.id for run in opened.tuning_runs()}


def reading_commands() -> Iterator[list[str]]:
    """Yield every verb that prints or writes results, as text and as JSON where it can."""
    needed = {**NEEDED, "show": "cell=lstm", "runs": "", "table": "--all --notes"}
    for verb, words in needed.items():
        if verb not in ("status", "data list", "verify", "doctor"):
            yield [*verb.split(), *words.split()]
    json_too = "table|runs|curves|compare base cell=lstm|compare --axis cell|compare --axis all"
    json_too += "|compare base cell=lstm --fair all|show cell=lstm|doctor --all"
    for words in json_too.split("|"):
        yield [*words.split(), "--json"]
    for form in ("json", "csv", "markdown", "latex"):
        for what in ("", "--effects", "--runs"):
            if not (what and form == "latex"):
                yield ["export", "--format", form, *what.split(), "--output", f"out.{form}"]
    yield ["compare", "--axis", "all"]
    yield ["compare", "base", "cell=lstm", "--fair", "learning_rate"]
    yield ["report", "--output", "out.html"]


def test_no_reading_verb_shows_a_run_that_tunes(bench: Bench, tuned: Path) -> None:
    hidden = tuning_ids(tuned)
    assert len(hidden) == 12
    shown = []
    for command in reading_commands():
        code, out, err = bench(*command)
        assert code == 0, (command, err)
        written = [path.read_text("utf-8") for path in tuned.parent.glob("out.*")]
        for text in (out, err, *written):
            found = [run for run in hidden if run[:8] in text]
            if found or SEED.search(text) or "0.12345" in text:
                shown.append((command, found))
    assert not shown


def test_python_shows_no_run_that_tunes(tuned: Path) -> None:
    hidden = tuning_ids(tuned)
    frame = python.runs(store=tuned)
    assert not hidden & set(frame.index)
    assert len(frame) == 12
    assert not hidden & set(python.curves(store=tuned)["run"])
    assert {row["pairs"] for row in python.compare("cell=lstm", store=tuned).rows} == {3}


def test_runs_that_tune_are_listed_where_they_are_asked_for(bench: Bench, tuned: Path) -> None:
    listed = rows(bench("runs", "--tuning", "--json")[1])
    assert {row["run"] for row in listed} == tuning_ids(tuned)
    assert {row["score"] for row in listed} == {0.9, 0.2}  # on validation
    code, out, _ = bench("runs", "--tuning")
    assert code == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "base 0.003 0.900 ± 0.000 0.001: 0.200 ± 0.000 clear" in lines
    assert "cell=lstm 0.01 (largest) 0.900 ± 0.000 0.001: 0.200 ± 0.000 clear" in lines
    assert "it cost 12 runs, 1,200 steps, 24 s of one worker" in lines
    assert max(map(len, out.splitlines())) <= 80
    # one of them can be opened by its id
    run = listed[0]["run"]
    assert bench("show", run)[0] == 0
    # and all runs are dropped with the others
    assert bench("drop", "--all", "--yes")[0] == 0
    assert not tuning_ids(tuned)
    code, _, err = bench("runs", "--tuning")
    assert code == 2
    assert "bench run --tune" in err


def test_tables_name_what_was_tuned(bench: Bench, tuned: Path) -> None:
    found = {row["variant"]: row["tuned"] for row in rows(bench("table", "--json")[1])}
    assert found == {
        "base": "",
        "cell=lstm": "",
        "learning_rate=tuned": "learning_rate=0.003 of 3 tried",
        "cell=lstm,learning_rate=tuned": "learning_rate=0.01, at the edge of 3 tried",
    }
    out = " ".join(bench("table", "--notes")[1].split())
    assert "learning_rate=tuned: learning_rate=0.003 of 3 tried" in out


@pytest.mark.parametrize("names", [("cell=lstm", "cell=gru"), ("cell=lstm", "base")])
def test_tuned_meets_tuned(bench: Bench, tuned: Path, names: tuple[str, str]) -> None:
    found = rows(bench("compare", *names, "--json")[1])
    assert {(row["a_mean"], row["b_mean"]) for row in found if row["measure"] == "exact_match"} == {
        (0.75, 0.75)
    }
    out = " ".join(bench("compare", *names, "--notes")[1].split())
    assert (
        "both tuned on validation: a learning_rate=0.01, at the edge of 3 tried, b "
        "learning_rate=0.003 of 3 tried"
    ) in out


def test_a_rate_that_is_named_is_the_one_that_is_compared(bench: Bench, tuned: Path) -> None:
    names = ("cell=lstm,learning_rate=0.001", "cell=gru,learning_rate=0.001")
    found = rows(bench("compare", *names, "--json")[1])
    assert {row["a_mean"] for row in found if row["measure"] == "exact_match"} == {0.5}
    # also the one that tuning chose
    names = ("cell=lstm,learning_rate=0.01", "cell=gru,learning_rate=0.003")
    found = rows(bench("compare", *names, "--json")[1])
    assert {row["a_mean"] for row in found if row["measure"] == "exact_match"} == {0.75}


def test_a_command_that_goes_on_names_the_value(bench: Bench, tuned: Path) -> None:
    found = rows(bench("compare", "cell=lstm", "cell=gru", "--json")[1])
    assert found[0]["decide"] == (
        "bench run --until-decided cell=lstm,learning_rate=0.01 learning_rate=0.003 --task "
        "opposites --budget 100steps --seeds 100:140"
    )


@pytest.mark.usefixtures("no_workers")
def test_tuning_from_a_command(bench: Bench, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is killed between tuning and the reported runs, goes on, and then has nothing to do."""
    command = [*TUNE, *SMALL, "--seeds", "100:102"]
    code, out, _ = bench(*command, "--dry-run")
    assert code == 0
    assert "The runs above tune" in out
    assert "22 runs, 0 of them finished" in out

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(run_module, "_run_matrix", killed)
        code, out, _ = bench(*command)
        assert code == 130
        assert "tuning: 18 runs" in out
    with reading(store) as opened:
        before = opened.finished_at()
        assert len(before) >= 18
        assert not list(opened.records())
    code, out, _ = bench(*command)
    assert code == 0
    assert "tuning:" not in out
    assert "learning_rate=tuned" in out
    with reading(store) as opened:
        after = opened.finished_at()
        assert {run: after[run] for run in before} == before
        reported = list(opened.records(details=True))
        tuning = list(opened.tuning_runs())
    assert sorted(run.seed for run in reported) == [100, 100, 101, 101]
    assert all(run.tuned for run in reported)
    # what tunes never read test
    assert all(run.outcome["scores"] == {} for run in tuning)
    assert all(run.outcome["valid"]["exact_match"] is not None for run in tuning)
    assert bench(*command)[0] == 0
    with reading(store) as opened:
        assert opened.finished_at() == after
    states = {row["state"] for row in rows(bench("status", "--json")[1])}
    assert states <= {"finished", "solved"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--tune learning_rate=1e-3", "one candidate"),
        ("--tune learning_rate", "axis=value,value"),
        ("--tune cell=gru,rnn", "cannot vary and be tuned"),
        ("--tune learning_rate=1e-3,2e-3 --tune learning_rate=1e-3,2e-3", "given twice"),
        ("--tune learning_rate=1e-3,2e-3 --seeds 1000000:1000003", "only runs that tune have"),
    ],
)
def test_mistakes_in_tuning(bench: Bench, store: Path, arguments: str, said: str) -> None:
    command = "run --task opposites --vary cell=gru,lstm --dry-run"
    code, out, err = bench(*command.split(), *arguments.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


@pytest.mark.usefixtures("no_workers")
def test_tuning_from_python(store: Path) -> None:
    answer = python.run(
        "opposites",
        cell=["gru", "lstm"],
        hidden=8,
        embedding=8,
        budget="4steps",
        seeds=range(100, 101),
        tune={"learning_rate": [1e-3, 1e-2]},
        store=store,
        workers=1,
    )
    assert len(answer.rows) == 2
    assert all(row["tuned"] for row in answer.rows)
    assert "chosen by exact match on validation" in " ".join(str(answer).split())
    assert json.dumps(answer.rows)
