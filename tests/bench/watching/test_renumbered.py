"""Batches whose axes are exchanged by a view before the model takes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.watching.scripts import findings

STACKS = "pad_sequence([targets[row] for row in rows], batch_first=True)"
LATER = "pad_sequence([targets[row] for row in rows])"
TURNS = (".t()", ".transpose(0, 1).contiguous()")


@pytest.mark.parametrize("how", [".reshape(len(rows), -1)", ".view(len(rows), -1)"])
def test_a_view_that_tears_sequences_is_the_only_fault(how: str, tmp_path: Path) -> None:
    assert findings(tmp_path, (STACKS, LATER + how)) == [("view-for-transpose", "certain")]


@pytest.mark.parametrize("how", TURNS)
def test_a_transpose_accuses_nobody(how: str, tmp_path: Path) -> None:
    assert findings(tmp_path, (STACKS, LATER + how)) == []


def test_without_a_call_to_show_it_is_only_likely(tmp_path: Path) -> None:
    torn = f"torch.from_numpy({STACKS}.numpy().reshape(-1, len(rows))).t()"
    assert findings(tmp_path, (STACKS, torn))[:1] == [("view-for-transpose", "likely")]


def test_views_that_cancel_each_other_accuse_nobody(tmp_path: Path) -> None:
    twice = STACKS + ".view(-1, len(rows)).view(len(rows), -1)"
    assert findings(tmp_path, (STACKS, twice)) == []
