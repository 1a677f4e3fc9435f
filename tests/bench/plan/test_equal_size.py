"""Proves that the hidden size found is the one whose number of parameters is nearest."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from bench.plan.equal_size import hidden_for, parameters
from tasks import build
from variants.axes import parse


@pytest.mark.parametrize(
    "text", ["cell=lstm", "attention=additive,direction=bidirectional", "embedding_init=ppmi"]
)
def test_the_nearest_hidden_size(text: str) -> None:
    task, variant = build("opposites"), parse(text)
    for hidden in (7, 40):
        wanted = parameters(replace(variant, hidden=hidden), task)
        assert hidden_for(asdict(variant), task, wanted) == hidden
        assert hidden_for(asdict(variant), task, wanted + 1) == hidden


def test_where_there_is_none() -> None:
    task = build("opposites")
    assert hidden_for(asdict(parse("base")), task, 3) is None
    assert hidden_for(asdict(parse("base")), task, 10**12) is None
    tied = asdict(parse("output_weights=tied"))
    assert hidden_for(tied, task, 20_000) is None
