"""Proves that what the suite itself costs is told apart from what the model does."""

from __future__ import annotations

import itertools
import json
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from bench import runner
from bench.doctor import examination
from bench.specs import Budget, RunSpec, make
from bench.training import loop
from bench.training.batching import endless
from bench.training.process import cached_digest
from bench.training.state import train_step
from tests.perf import harness_share
from variants.axes import parse

LABEL = "increment:pairs=12"


def spec(text: str = "hidden=4,embedding=4") -> RunSpec:
    digest = cached_digest(LABEL, None)
    budget = Budget(steps=2, batch=4, every=1, stop="budget")
    return make(LABEL, digest, asdict(parse(text)), budget, 0, "cpu")


def test_the_parts_make_the_whole(tmp_path: Path) -> None:
    row = harness_share.measure(spec(), tmp_path)
    names = ("step", "evaluation", "examination", "harness")
    parts = sum(row[f"{part}_seconds"] for part in names)
    assert parts == pytest.approx(row["run_seconds"])
    assert row["harness_share"] == pytest.approx(row["harness_seconds"] / row["run_seconds"])
    assert 0 < row["harness_share"] < 1


def test_a_slow_batcher_is_the_harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four hundredths of a second are planted where batches are made, in each of two steps."""
    spent = 0.0

    def slow(*given: Any) -> Any:
        nonlocal spent
        for batch in endless(*given):
            time.sleep(0.04)
            spent += 0.04
            yield batch

    monkeypatch.setattr(loop, "endless", slow)
    row = harness_share.measure(spec(), tmp_path)
    assert row["harness_seconds"] > spent > 0


def test_a_clock_that_is_set_back_takes_nothing_off_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every look at the clock finds it set back by an hour."""
    looks = itertools.count(1)
    monkeypatch.setattr(time, "time", lambda: 1e9 - 3600.0 * next(looks))
    row = harness_share.measure(spec(), tmp_path)
    assert next(looks) > 1
    assert row["run_seconds"] > row["step_seconds"] > 0


def test_the_steps_of_the_doctor_are_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step takes a tenth of a second more as soon as training is over."""
    trained = threading.Event()

    def slow(*given: Any) -> Any:
        if trained.is_set():
            time.sleep(0.1)
        return train_step(*given)

    def examine(*given: Any) -> Any:
        trained.set()
        return examination.of_run(*given)

    monkeypatch.setattr(harness_share, "train_step", slow)
    monkeypatch.setattr(runner, "of_run", examine)
    row = harness_share.measure(spec(), tmp_path)
    assert row["harness_seconds"] > 0
    assert row["examination_seconds"] > 0.1


def test_the_doctor_is_not_the_harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seed 0 is examined however short the run is; four tenths of a second are planted there."""

    def slow(*given: Any) -> Any:
        time.sleep(0.4)
        return examination.of_run(*given)

    monkeypatch.setattr(runner, "of_run", slow)
    row = harness_share.measure(spec(), tmp_path)
    assert row["examination_seconds"] > 0.4


def test_a_failed_run_measures_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("planted for a test")

    monkeypatch.setattr(harness_share, "train_step", fail)
    with pytest.raises(RuntimeError, match="planted for a test"):
        harness_share.measure(spec(), tmp_path)


def test_the_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(one: RunSpec, data: Path) -> dict[str, Any]:
        seconds = {"run": 2.0, "step": 1.5, "evaluation": 0.3, "examination": 0.1}
        seconds |= {"harness": 0.1, "data": 0.2}
        row = {f"{part}_seconds": value for part, value in seconds.items()}
        return {"task": one.task, "variant": {}, "harness_share": 0.05, **row}

    monkeypatch.setattr(harness_share, "measure", measured)
    monkeypatch.setattr(harness_share, "start_seconds", lambda: 1.25)
    assert harness_share.main([]) == 0
    shown = capsys.readouterr().out
    assert "5.0%" in shown
    assert "1.2 s" in shown
    assert harness_share.main(["--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["task"] for row in rows} == {
        *("increment", "opposites", "reversal", "keyphrase", "en-zh")
    }
    assert all(row["start_seconds"] == 1.25 for row in rows)
