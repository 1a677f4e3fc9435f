"""Proves that sound models of many styles are examined and get no finding."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import bench
from tests.bench.watching.strangers import SOUND, Given


@pytest.mark.parametrize("stranger", SOUND, ids=lambda stranger: stranger.__name__)
def test_a_sound_model_has_nothing(stranger: Callable[[], Given]) -> None:
    torch.manual_seed(0)
    model, batches, rest = stranger()
    found = bench.examine(model, batches, **rest)
    assert found.findings == (), found
    assert found.watched.steps >= 2
    assert found.watched.losses is not None, found
    assert not any("error" in sentence for sentence in found.watched.unseen), found
