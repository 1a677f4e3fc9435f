"""Proves that `bench doctor` names causes, tests cures, and examines what was not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.cli.terminal.busy import Busy
from bench.specs import RunSpec
from results.record import Record
from results.store import reading, writing
from tests.bench.cli.commands import TINY, Bench, rows


@pytest.mark.usefixtures("no_workers")
def test_the_doctor_names_a_fault_and_tests_its_cure(bench: Bench) -> None:
    faulty = (*TINY[:-2], "--fault", "softmax-over-time", "--workers", "1")
    assert bench(*faulty)[0] == 0
    assert "softmax-over-time 2/2" in bench("table")[1]
    code, out, _ = bench("doctor", "--all")
    assert code == 0
    assert out.count("1. softmax-over-time (certain)") == 4
    found = rows(bench("doctor", "--all", "--json")[1])
    assert {finding["cause"] for row in found for finding in row["findings"]} == {
        "softmax-over-time"
    }
    run = found[0]["run"]
    assert "seen:" in bench("doctor", run[:9])[1]
    code, out, _ = bench("doctor", run, "--confirm")
    assert code == 0
    assert out.splitlines()[-1] in ("it helped", "it helped the loss alone", "it did not help")
    (row,) = rows(bench("doctor", run, "--confirm", "--json")[1])
    assert row["cause"] == "softmax-over-time"
    # the run that tried it is kept, and has nothing wrong
    assert "nothing found" in bench("doctor", row["tried"])[1]
    code, _, err = bench("doctor", row["tried"], "--confirm")
    assert (code, "nothing was found" in err) == (2, True)


@pytest.mark.usefixtures("no_workers")
def test_a_cure_may_show_in_the_loss_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[tuple[int, int]] = []
    monkeypatch.setattr(Busy, "count", lambda busy, done, total: counted.append((done, total)))
    slow = "optimizer=sgd,learning_rate=0.01,clip=3,embedding=50,hidden=50"
    asked = ("--seeds", "1", "--budget", "100", "--workers", "1")
    assert bench("run", "--task", "increment", "--base", slow, *asked)[0] == 0
    (row,) = rows(bench("doctor", "--all", "--json")[1])
    assert [finding["cause"] for finding in row["findings"]] == ["rate-too-low"]
    out = bench("doctor", row["run"], "--confirm")[1]
    assert "exact match 0.000 before, 0.000 now; validation loss 4.6" in out
    assert "it helped" in out
    # what was tried is told by what it changes, and its steps are counted meanwhile
    assert re.search(r"^run \w{8}, learning_rate=\d", out, re.M)
    assert counted[-1] == (100, 100)


@pytest.mark.usefixtures("no_workers")
def test_the_doctor_examines_runs_that_were_not(bench: Bench, store: Path) -> None:
    assert bench(*TINY)[0] == 0
    diagnosed = {row["seed"]: row for row in rows(bench("doctor", "--all", "--json")[1])}
    assert (diagnosed[0]["findings"], diagnosed[1]["findings"]) == ([], None)
    assert "not examined: 2 runs" in bench("doctor", "--all")[1]
    with reading(store) as opened:
        (before,) = opened.records([diagnosed[1]["run"]], details=True)
    code, out, err = bench("doctor", diagnosed[1]["run"])
    assert (code, "nothing found" in out, "doing it again" in err) == (0, True, True)
    with reading(store) as opened:
        (after,) = opened.records([diagnosed[1]["run"]], details=True)
    same = {key: value for key, value in after.outcome.items() if key != "findings"}
    assert before.outcome == {**same, "health": None}
    assert before.measured == after.measured  # its times are those of the first time
    # now it is known
    assert bench("doctor", diagnosed[1]["run"])[2] == ""


@pytest.mark.usefixtures("no_workers")
def test_a_run_that_fails_when_it_is_to_be_examined_is_kept(
    bench: Bench, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench(*TINY)[0] == 0
    run = next(row["run"] for row in rows(bench("doctor", "--all", "--json")[1]) if row["seed"])

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("out of reach")

    monkeypatch.setattr("bench.runner.train", broken)
    code, out, err = bench("doctor", run)
    assert (code, out) == (3, "")
    assert "it now fails: RuntimeError: out of reach; the run stays as it was" in err
    with reading(store) as opened:
        (record,) = opened.records([run])
    assert record.status != "failed"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("doctor abc --all", "leave out the run, or --all"),
        ("doctor --all --confirm", "--confirm does nothing with --all; it goes with one run"),
        ("doctor zzz", "no run zzz"),
        ("run --fault softmax-over-tim", "did you mean softmax-over-time"),
    ],
)
def test_wrong_arguments_of_doctor(
    bench: Bench, filled: Path, arguments: str, message: str
) -> None:
    code, out, err = bench(*arguments.split())
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.usefixtures("no_workers")
def test_a_cure_that_changes_nothing_is_an_error(bench: Bench, store: Path) -> None:
    faulty = (*TINY[:-2], "--fault", "softmax-over-time", "--workers", "1")
    assert bench(*faulty)[0] == 0
    with writing(store) as opened:
        (entry, *_) = opened.records(details=True)
        # as if its own code were wrong
        spec = RunSpec.read({**entry.spec, "fault": ""})
        opened.begin(spec.id, spec.plain())
        opened.add(Record(spec.id, spec.plain(), entry.outcome, entry.measured))
    code, out, err = bench("doctor", spec.id, "--confirm")
    assert (code, out) == (2, "")
    assert "nothing has changed since" in err
