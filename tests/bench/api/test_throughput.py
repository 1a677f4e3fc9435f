"""Proves how sweeps, replicas and sizes are read. Nothing is timed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.api.throughput import (
    DEFAULT_SHAPE,
    ThroughputOptions,
    prepared_cases,
    read_replicas,
    read_sweep,
    read_works,
)
from bench.speed.cases import Shape

SMALL = Shape(2, 3, 3, 9)


def test_a_sweep_doubles_or_lists() -> None:
    assert read_sweep("hidden=64..300") == ("hidden", [64, 128, 256])
    assert read_sweep("length=4, 6") == ("length", [4, 6])
    assert read_sweep(None) == ("", [0])
    assert read_sweep("length=4").changes_shape
    assert not read_sweep("hidden=4").changes_shape


@pytest.mark.parametrize("text", ["hidden=", "hidden=a", "hidden=0", "hidden=8..4", "hidden=1..x"])
def test_what_is_no_sweep(text: str) -> None:
    with pytest.raises(ValueError, match="no range of whole numbers"):
        read_sweep(text)


def test_replicas_and_works() -> None:
    assert read_replicas("1,64") == [1, 64]
    assert read_replicas(None) == []
    for text in ("0", "a", "1,"):
        with pytest.raises(ValueError, match="no list of whole numbers"):
            read_replicas(text)
    assert read_works("both") == ["training", "decoding"]
    with pytest.raises(ValueError, match="work"):
        read_works("sleeping")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": DEFAULT_SHAPE._replace(vocabulary=3)}, "vocabulary=3 is too small"),
        ({"shape": DEFAULT_SHAPE._replace(batch=0)}, "batch=0 is too small"),
        ({"repeats": 0}, "repeats=0"),
        ({"sweep": "vocabulary=2"}, "vocabulary=2 is too small"),
        ({"sweep": "length=4", "task": "reversal"}, "leave --task out"),
        ({"sweep": "colour=4"}, "colour"),
    ],
)
def test_sizes_are_checked(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        prepared_cases(ThroughputOptions(**options), "cpu", tmp_path, print)


def test_cases_stand_in_their_sweep(tmp_path: Path) -> None:
    left_out: list[str] = []
    options = ThroughputOptions(
        ["base", "input_feeding=on"], shape=SMALL, sweep="batch=1,2", work="training"
    )
    cases = prepared_cases(options, "cpu", tmp_path, left_out.append)
    assert [(case.name, along, value) for case, along, value in cases] == [
        ("base", "batch", 1),
        ("base", "batch", 2),
    ]
    assert [text.partition(":")[0] for text in left_out] == [
        "input_feeding=on is left out at batch=1",
        "input_feeding=on is left out at batch=2",
    ]
