"""Proves that JAX is given the task's words and every parameter, and that the table adds up."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from bench.training.process import cached_task
from tasks import EOS
from tests.perf import whole_job
from tests.perf.whole_job import Turn


def test_words_are_the_tasks(tmp_path: Path) -> None:
    losses = whole_job.hand_over(tmp_path)
    task, data = cached_task("reversal", None), np.load(tmp_path / "data.npz")
    for name in ("train", "valid"):
        split = task.splits[name]
        source, target = data[f"{name}_source"], data[f"{name}_target"]
        assert len(source) == len(target) == len(split)
        for row in (*range(20), len(split) - 1):
            word = split.source[row].tolist()
            assert source[row][source[row] != 0].tolist() == word
            assert target[row][target[row] != 0].tolist() == [*word[::-1], EOS]
    job = json.loads((tmp_path / "job.json").read_text())
    assert source.max() < job["symbols"]
    # unlike guessing evenly, or a wrong mask would change nothing
    assert losses[0] > math.log(job["symbols"]) + 1
    assert losses[-1] < losses[0]
    # words of unlike lengths, or masks would not be compared
    lengths = (data["train_source"][np.load(tmp_path / "given.npz")["order"][0]] != 0).sum(1)
    assert lengths.min() < lengths.max()


def test_table() -> None:
    """A seed that did not reach the target has trained to the end."""
    jax = [Turn(10.0, (500, 1500)), Turn(30.0, (1000, 1000))]
    ours = [Turn(20.0, (1000, 1000)), Turn(15.0, (2000, math.inf))]
    assert ours[1].per_thousand == pytest.approx(15.0 / (2 + whole_job.STEPS / 1000))
    shown = whole_job.table({"JAX": jax, "ours": ours})
    assert [tuple(column.cells) for column in shown.columns] == [
        ("JAX", "ours"),
        ("20.0 (10.0 to 30.0)", "17.5 (15.0 to 20.0)"),
        ("1.00 (1.00 to 1.00)", "1.25 (0.50 to 2.00)"),
        ("4 of 4", "3 of 4"),
        ("1,000", "1,500"),
        ("10.00 (5.00 to 15.00)", "6.50 (3.00 to 10.00)"),
    ]
