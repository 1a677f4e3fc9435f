"""Proves when a run that was done again as advised counts as better."""

from __future__ import annotations

from dataclasses import replace

import pytest

from results.doctor.cure import improvement
from results.record import Record
from tests.records import record


def with_loss(entry: Record, loss: float) -> Record:
    """Return a run with another validation loss."""
    return replace(entry, outcome={**entry.outcome, "valid": {"valid_loss": loss}})


@pytest.mark.parametrize(
    ("before", "after", "helped"),
    [
        (record(0, 0.2), record(0, 0.9), True),
        (record(0, 0.9), record(0, 0.2), False),
        (record(0, None), record(0, 0.5), True),
        # reaching the target counts more than the score
        (record(0, 1.0), record(0, 0.9, 400), True),
        (record(0, 0.9, 400), record(0, 0.9), False),
        (record(0, 1.0, 900), record(0, 1.0, 400), True),
        (record(0, 1.0, 400), record(0, 1.0, 900), False),
        # with equal scores the loss decides, which has to fall by more than a twentieth
        (with_loss(record(0, 0.0), 2.0), with_loss(record(0, 0.0), 1.8), True),
        (with_loss(record(0, 0.0), 2.0), with_loss(record(0, 0.0), 1.95), False),
        (record(0, 0.0), record(0, 0.0), False),
    ],
)
def test_what_counts_as_better(before: Record, after: Record, helped: bool) -> None:
    found = improvement(before, after)
    assert found.helped is helped
    assert found.scored is (helped and "loss" not in found.text)


def test_the_text_has_both_runs() -> None:
    text = improvement(record(0, 0.25), record(0, 1.0, 400)).text
    assert text.startswith("exact match 0.250 before, 1.000 (target after 400 tokens) now")
    text = improvement(with_loss(record(0, 0.0), 2.0), with_loss(record(0, 0.0), 1.0)).text
    assert text.endswith("validation loss 2 before, 1 now")
