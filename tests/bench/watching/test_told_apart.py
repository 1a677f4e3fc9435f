"""Tells apart what looks alike: features and examples, ignored predictions and sure ones."""

from __future__ import annotations

import torch

from bench.watching.measure.losses import _inside
from bench.watching.measure.rows import _moved_examples
from results.doctor.examined import LIKELY, SURE, Finding
from results.doctor.watched import _without_consequences


def test_features_of_flattened_examples_are_no_examples() -> None:
    """Packed sequences have no axis of examples, though they may have as many features."""
    packed = torch.zeros(107, 32)
    assert _moved_examples(packed, packed + 1, 32) is None
    scores = torch.zeros(6, 32)
    after = scores.clone()
    after[:, 3] = 1
    assert _moved_examples(scores, after, 32) == 1


def test_where_a_model_is_sure_its_padding_may_have_no_weight() -> None:
    weight_BT = torch.tensor([[1.0, 1.0, 0.0, 1.0]])
    nothing_assumed = torch.zeros(1, 4, dtype=torch.bool)
    assert _inside(weight_BT, nothing_assumed).tolist() == [[False, False, True, False]]
    last_assumed = torch.tensor([[False, False, False, True]])
    assert not _inside(weight_BT, last_assumed).any()


def test_a_rate_is_not_judged_by_gradients_that_pile_up() -> None:
    piled = Finding("uncleared-gradients", SURE, "seen", "change")
    rate = Finding("rate-too-low", LIKELY, "seen", "change")
    found = {finding.cause: finding for finding in (rate, piled)}
    assert _without_consequences(found) == [piled]
