"""Chosen symbols that come back from Python under other names are told from other small tensors."""

from __future__ import annotations

import torch

from bench.watching.measure.evaluation.handed import _renamed

CHOSEN = torch.arange(24) % 6


def test_each_symbol_has_a_name_of_its_own() -> None:
    assert _renamed(CHOSEN, (CHOSEN + 2) % 6) != ()
    assert _renamed(CHOSEN, CHOSEN) == ()
    assert _renamed(CHOSEN, CHOSEN + 1) == ()  # another offset, which is told elsewhere
    # as with flags of what was chosen, or its lengths
    assert _renamed(CHOSEN, torch.zeros(24, dtype=torch.int64)) == ()
    assert _renamed(CHOSEN, (CHOSEN > 2).long()) == ()
