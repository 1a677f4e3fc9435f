"""Tests what is counted as a run's own memory."""

from __future__ import annotations

import mmap
from pathlib import Path

import pytest
import torch

from bench.training.machine import Peak

SIZE = 32 * 2**20


@pytest.fixture
def peak() -> Peak:
    found = Peak("cpu")
    if found.added() is None:
        pytest.skip("the system does not say what a process holds")
    return found


def test_pages_of_a_file_are_not_a_runs_own_as_code_of_libraries_is_read_so(
    peak: Peak, tmp_path: Path
) -> None:
    file = tmp_path / "pages"
    file.write_bytes(bytes(SIZE))
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as pages:
        assert sum(pages[:: mmap.PAGESIZE]) == 0
        added = peak.added()
    assert added is not None
    assert added < SIZE / 2


def test_tensors_are_a_runs_own_also_when_they_are_gone(peak: Peak) -> None:
    torch.ones(SIZE // 4)
    added = peak.added()
    assert added is not None
    assert added > SIZE / 2
