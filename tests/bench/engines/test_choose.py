"""Proves that options choose the engine that they say, and that contradictions are refused."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bench.engines.choose import EngineOptions, engine_of, execution_of, worker_count
from bench.engines.local import LocalEngine, cores


@pytest.mark.parametrize(
    ("device", "runs", "asked", "workers"),
    [("cpu", 1000, None, cores()), ("cpu", 1, None, 1), ("cuda", 1000, None, 1), ("cpu", 9, 1, 1)],
)
def test_there_are_no_more_workers_than_cores_runs_and_gpus(
    tmp_path: Path, device: str, runs: int, asked: int | None, workers: int
) -> None:
    with closing(engine_of(EngineOptions(workers=asked), device, runs, tmp_path)) as engine:
        assert isinstance(engine, LocalEngine)
        assert engine.workers == workers
    assert worker_count(EngineOptions(workers=asked), device, runs, tmp_path) == workers


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "slurm"}, "slurm.*local, ray"),
        ({"address": "auto"}, "--address is a Ray cluster's; add --engine ray"),
        ({"workers": cores() + 1}, f"give 1 to {cores()}"),
        ({"name": "ray", "workers": 2}, "leave --workers out"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        engine_of(EngineOptions(**options), "cpu", 1, tmp_path)


def test_an_execution_mode_is_the_one_asked_for() -> None:
    assert execution_of("replicas", EngineOptions()) == "replicas"
    with pytest.raises(ValueError, match="'replica' is not one of auto, eager"):
        execution_of("replica", EngineOptions())
