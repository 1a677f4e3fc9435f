"""Proves that a report knows how much a decoder carries from step to step."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from bench.api.report import state_size
from tests.small import SMALL, built, sequences
from variants.axes import parse
from variants.cells import CELLS


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("depth", [1, 2])
def test_the_state_of_a_model_is_counted_as_it_is(cell: str, depth: int) -> None:
    name = f"cell={cell},depth={depth}"
    encoded = built(name).encode(sequences([([3, 4], [5, 6])]))
    numbers = sum(part.numel() for layer in encoded.state.layers for part in layer)
    assert state_size(asdict(parse(name, SMALL))) == numbers


def test_a_state_that_grows_or_is_unknown_has_no_size() -> None:
    for cell in ("transformer", "somebody's own"):
        assert state_size({"cell": cell, "hidden": 8, "decoder_depth": 1}) is None
