"""A loss that is nan or infinite: the call that makes it so is found, and nothing else is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.watching.scripts import findings

LOSS = "loss = loss_of(logits.flatten(0, 1), target[:, 1:].flatten())"
MASKED = """logits = logits.masked_fill(target[:, 1:, None] >= 0, float("-inf"))
        loss = -logits.log_softmax(-1).gather(2, target[:, 1:, None]).mean()"""
DIVIDED = LOSS + " * 0 / (target == 99).sum()"
BY_PROBABILITIES = """logits = logits.log_softmax(-1)
        loss = nn.functional.nll_loss(
            logits.flatten(0, 1) * float("nan"), target[:, 1:].flatten(), ignore_index=0
        )"""


@pytest.mark.parametrize("loss", [MASKED, DIVIDED, BY_PROBABILITIES])
def test_the_call_is_named_that_makes_it(loss: str, tmp_path: Path) -> None:
    assert findings(tmp_path, (LOSS, loss)) == [("loss-not-finite", "certain")]
