"""Proves that the doctor's benchmark counts faults that were named, and does no run twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from results.store import reading
from tests.in_process import InProcessEngine
from tests.perf import doctor_benchmark


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small half: one setting with two faults, and the healthy runs of one task."""
    faults = ("softmax-over-time", "rate-too-low")
    monkeypatch.setattr(doctor_benchmark, "LocalEngine", InProcessEngine)
    setting = doctor_benchmark.Setting("tuned", "increment", doctor_benchmark.SMALL, 100, faults)
    monkeypatch.setattr(doctor_benchmark, "SETTINGS", (setting,))
    monkeypatch.setattr(doctor_benchmark, "STAR", {"cell": ("lstm",)})
    monkeypatch.setattr(doctor_benchmark, "HEALTHY", {"tuned": (("increment", ""),)})
    monkeypatch.setattr(doctor_benchmark, "BUDGETS", {"increment": (10,)})


@pytest.mark.usefixtures("tiny")
def test_faults_that_are_named_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["tuned", "--workers", "1", "--store", str(tmp_path)]
    assert doctor_benchmark.main([*arguments, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["half"], row["faults"], row["runs"], row["first"]) == ("tuned", 2, 6, 1.0)
    assert [(entry["fault"], entry["named"]) for entry in row["confusion"]] == [
        ("softmax-over-time", 3),
        ("rate-too-low", 3),
    ]
    # two cells, three seeds: all are examined, though elsewhere a run of ten steps is not
    assert (row["healthy_runs"], row["false_findings"]) == (6, 0.0)
    with reading(tmp_path) as store:
        before = {record.id: record.measured for record in store.records()}
    assert doctor_benchmark.main(arguments) == 0
    out = capsys.readouterr().out
    assert "softmax-over-time" in out
    assert "3/3" in out
    assert "6 healthy runs: something found in 0.0%" in out
    with reading(tmp_path) as store:
        assert {record.id: record.measured for record in store.records()} == before


def test_an_unknown_half_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        doctor_benchmark.main(["other"])
    assert "held-out" in capsys.readouterr().err
