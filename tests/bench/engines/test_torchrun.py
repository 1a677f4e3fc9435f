"""Proves that processes that train one model together take the steps that one process takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.api.run import MatrixOptions, matrix_of, plan_runs
from bench.cli.app import main
from bench.engines import torchrun
from bench.engines.choose import (
    EngineOptions,
    check_runs_are_independent,
    engine_of,
    execution_of,
    is_follower,
)
from bench.training import checkpoint
from bench.training.distributed import ReadOnlyCheckpoint, share
from bench.training.state import Recipe
from results.store import reading, verify
from tests.small import Row, by_row, labelled, sequences, some_rows

ROOT = Path(__file__).parents[3]
MATRIX = """
seeds = 1
[[block]]
tasks = ["increment:pairs=33", "keyphrase:documents=40"]
base = { hidden = 12, embedding = 8 }
steps = 20
every = 10
stop = "budget"
[[block]]
tasks = ["increment:pairs=33"]
base = { hidden = 12, embedding = 8, cell = "lstm", forcing = "constant", label_smoothing = 0.1 }
steps = 20
every = 10
stop = "budget"
star.attention = ["general"]
"""


@given(rows=some_rows(7), of=st.integers(1, 4))
def test_every_example_counts_once(rows: list[Row], of: int) -> None:
    batch = sequences(rows)
    parts = [share(batch, None, place, of)[0] for place in range(of)]
    assert sum(part.tokens for part in parts) == batch.tokens
    for place, part in enumerate(parts):
        mine = rows[place::of]
        if not mine:
            assert part.tokens == 0
            continue
        alone = sequences(mine)
        for one, other in zip(part, alone, strict=True):
            if isinstance(one, torch.Tensor):
                torch.testing.assert_close(one, other)
            elif not isinstance(one, tuple):
                assert one == other
        (ours,), (theirs,) = part.targets, alone.targets
        torch.testing.assert_close(ours, theirs)


def test_coins_go_with_their_examples() -> None:
    batch = labelled([[3, 4, 5], [6, 7], [8]])
    fed_BT = torch.arange(9).view(3, 3)
    part, fed = share(batch, fed_BT, 1, 2)
    assert fed is not None
    assert fed.tolist() == [[3, 4]]
    assert [len(row) for row in by_row(part.places_N, part)] == [2]


def test_what_cannot_be_done_together_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    mode = execution_of("auto", EngineOptions())
    matrix = matrix_of(MatrixOptions(tasks=["opposites"], vary=["cell=rnn"], budget="9steps"))
    planned = plan_runs(matrix, "cpu", mode, tmp_path).plan.specs
    assert {spec.execution for spec in planned} == {"ddp:2"}
    with_dropout = MatrixOptions(tasks=["opposites"], vary=["dropout=0,0.1"], budget="9steps")
    with pytest.raises(ValueError, match="dropout over several processes"):
        plan_runs(matrix_of(with_dropout), "cpu", mode, tmp_path)
    in_seconds = MatrixOptions(tasks=["opposites"], vary=["cell=rnn"], budget="9s")
    with pytest.raises(ValueError, match="give steps or tokens"):
        plan_runs(matrix_of(in_seconds), "cpu", mode, tmp_path)


@pytest.mark.parametrize(
    "options",
    [{"name": "ray"}, {"workers": 1}, {"address": "auto"}, {"minutes": 1}, {"gibibytes": 1}],
)
def test_torchrun_spreads_runs_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="under torchrun all processes train one model"):
        execution_of("auto", EngineOptions(**options))
    with pytest.raises(ValueError, match="under torchrun all processes train one model"):
        engine_of(EngineOptions(**options), "cpu", 1, tmp_path)


def test_torchrun_has_one_execution_mode_and_plans_that_do_not_grow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check_runs_are_independent()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="under torchrun"):
        execution_of("replicas", EngineOptions())
    with pytest.raises(ValueError, match="under torchrun"):
        check_runs_are_independent()


def test_torchrun_tells_its_processes_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setenv("RANK", "")
    assert (torchrun.process_count(), torchrun.process_rank()) == (1, 0)
    assert not is_follower()
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "3")
    assert (torchrun.process_count(), torchrun.process_rank()) == (4, 3)
    assert is_follower()


def test_an_execution_mode_of_another_engine_is_not_trained() -> None:
    with pytest.raises(ValueError, match="'ddp:2' is not one of eager, replicas"):
        Recipe().check_execution("ddp:2")


def test_a_checkpoint_of_another_process_is_never_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "EVERY", 0.0)
    file = tmp_path / "run.safetensors"
    assert checkpoint.Checkpoint(file, ["run"]).is_due()
    assert not ReadOnlyCheckpoint(file, ["run"]).is_due()


def curves(store: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Outcomes by task and variant."""
    with reading(store) as opened:
        return {
            (one.task, json.dumps(one.variant)): dict(one.outcome)
            for one in opened.records(details=True)
        }


@pytest.mark.usefixtures("no_workers")
def test_two_processes_give_the_losses_of_one(tmp_path: Path) -> None:
    matrix = tmp_path / "small.toml"
    matrix.write_text(MATRIX)
    given = ["run", "--matrix", str(matrix), "--store"]
    assert main([*given, str(tmp_path / "one")]) == 0
    two = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "bench"]
    command = [sys.executable, *two, *given, str(tmp_path / "two"), "--keep-weights"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("increment:pairs=33  (20 steps") == 1  # by one process alone
    alone, together = curves(tmp_path / "one"), curves(tmp_path / "two")
    assert alone.keys() == together.keys()
    assert len(alone) == 4
    for key, outcome in alone.items():
        assert together[key]["status"] == outcome["status"] == "finished"
        for ours, theirs in zip(together[key]["curve"], outcome["curve"], strict=True):
            assert ours["tokens"] == theirs["tokens"]
            for name in ("loss", "valid_loss", "gradient_norm", "update_ratio"):
                assert ours[name] == pytest.approx(theirs[name], rel=1e-4), (
                    key,
                    name,
                    ours["step"],
                )
    assert len(list((tmp_path / "two" / "weights").glob("*.safetensors"))) == len(alone)
    with reading(tmp_path / "two") as opened:
        assert verify(opened, lambda found: found.id).problems == []
        assert all("outputs" in one.outcome for one in opened.records())


def test_options_that_make_no_sense_together_are_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "run", "--workers", "2", "--store", str(tmp_path)]
    environment = os.environ | {"WORLD_SIZE": "2"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert "under torchrun all processes train one model" in done.stderr
