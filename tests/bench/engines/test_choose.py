"""Proves that options choose the engine that they say, and that contradictions are refused."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bench.engines.choose import choose, torchrun_processes, torchrun_rank
from bench.engines.contract import Limits
from bench.engines.local import LocalEngine, cores


@pytest.mark.parametrize(
    ("device", "runs", "asked", "workers"),
    [("cpu", 1000, None, cores()), ("cpu", 1, None, 1), ("cuda", 1000, None, 1), ("cpu", 9, 1, 1)],
)
def test_there_are_no_more_workers_than_cores_runs_and_gpus(
    tmp_path: Path, device: str, runs: int, asked: int | None, workers: int
) -> None:
    with closing(choose("local", tmp_path, device, runs, workers=asked)) as engine:
        assert isinstance(engine, LocalEngine)
        assert engine.workers == workers


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("slurm", {}, "slurm.*local, ray"),
        ("local", {"address": "auto"}, "--address is a Ray cluster's; add --engine ray"),
        ("local", {"workers": cores() + 1}, f"give 1 to {cores()}"),
        ("ray", {"workers": 2}, "leave --workers out"),
        ("ray", {"processes": 2}, "under torchrun all processes train one model"),
        ("local", {"processes": 2, "workers": 2}, "under torchrun all processes"),
        ("local", {"processes": 2, "address": "auto"}, "under torchrun all processes"),
        ("local", {"processes": 2, "limits": Limits(seconds=1)}, "under torchrun all processes"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    tmp_path: Path, name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        choose(name, tmp_path, "cpu", 1, **options)


def test_torchrun_tells_its_processes_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setenv("RANK", "")
    assert (torchrun_processes(), torchrun_rank()) == (1, 0)
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "3")
    assert (torchrun_processes(), torchrun_rank()) == (4, 3)
