"""Losses of several batches that are added before one backward pass are read batch by batch."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.watching.scripts import causes

UPDATE = """        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""
LOOP = "model.train()\nfor epoch"
SUMS = {
    "stack": "torch.stack(waiting).mean()",
    "sum": "sum(waiting) / len(waiting)",
    "in place": "add_up(waiting)",
}
ADD_UP = """
def add_up(losses):
    total = 0
    for loss in losses:
        total += loss / 2
    return total


model.train()
for epoch"""


def accumulated(how: str) -> list[tuple[str, str]]:
    """Return what is replaced so that a step is taken for each second batch."""
    update = f"""        waiting.append(loss)
        if len(waiting) < 2:
            continue
        optimizer.zero_grad()
        ({SUMS[how]}).backward()
        optimizer.step()
        waiting.clear()
"""
    return [(UPDATE, update), (LOOP, "waiting = []\n" + ADD_UP)]


@pytest.mark.parametrize("how", SUMS)
def test_batches_that_are_added_accuse_nobody(how: str, tmp_path: Path) -> None:
    assert causes(tmp_path, accumulated(how)) == []


def test_a_slip_is_seen_in_one_of_them(tmp_path: Path) -> None:
    slip = ("model.decode(target[:, :-1], state)", "model.decode(target[:, 1:], state)")
    assert causes(tmp_path, [slip, *accumulated("sum")])[:1] == ["unshifted-targets"]
