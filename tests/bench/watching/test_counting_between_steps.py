"""Evaluations that follow a loop which counts something, without gradients, after each step."""

from __future__ import annotations

from pathlib import Path

from tests.bench.watching.scripts import findings

COUNTS = (
    "        optimizer.step()\n",
    """        optimizer.step()
        with torch.no_grad():
            counted = loss.sum().item() + (target != 0).sum().item()
""",
)
LOSES = ("logits, state = model.decode(token, state)", "logits, _ = model.decode(token, state)")
WITH_GRADIENTS = ("@torch.no_grad()\n", "")


def test_answers_after_it_are_seen(tmp_path: Path) -> None:
    found = findings(tmp_path, COUNTS, LOSES, WITH_GRADIENTS)
    assert found == [("state-not-carried-at-evaluation", "certain")]


def test_sound_answers_after_it_accuse_nobody(tmp_path: Path) -> None:
    assert findings(tmp_path, COUNTS, WITH_GRADIENTS) == []
