"""Tests what is counted as a run's own memory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.training import machine
from bench.training.machine import Peak

SIZE = 32 * 2**20


@pytest.mark.parametrize(
    ("files", "own"),
    [(100, 60), (130, 30), (90, 60)],
    ids=["no code was read", "code was read", "code was given up"],
)
def test_code_of_libraries_is_not_a_runs_own(
    files: int, own: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux counts the pages of files that came into memory apart, those of code too."""
    status = tmp_path / "status"
    monkeypatch.setattr(machine, "STATUS", status)
    status.write_text("VmHWM:\t  240 kB\nVmRSS:\t  240 kB\nRssFile:\t  100 kB\n")
    peak = Peak("cpu")
    status.write_text(f"VmHWM:\t  300 kB\nVmRSS:\t  250 kB\nRssFile:\t  {files} kB\n")
    assert peak.added() == own * 1024


def test_tensors_are_a_runs_own_also_when_they_are_gone() -> None:
    peak = Peak("cpu")
    if peak.added() is None:
        pytest.skip("the system does not say what a process holds")
    torch.ones(SIZE // 4)
    added = peak.added()
    assert added is not None
    assert added > SIZE / 2
