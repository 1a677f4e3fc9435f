"""Times training steps on a device: ours, torch's own layers, and those of JoeyNMT."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.speed import timing
from bench.speed.cases import Shape, random_workload
from tests.perf import against_joeynmt
from tests.perf.on_gpu.parts import Asked
from variants.axes import parse

SMALL, LARGE = Shape(64, 10, 11, 101), Shape(64, 20, 20, 8000)
STACKED = "cell=lstm,direction=bidirectional,attention=general,input_feeding=on,bridge=zero"
LAYERS = ("cell=rnn", "cell=gru", "cell=lstm", "cell=lstm,depth=2", "cell=transformer")
"""Variants that cuDNN, or a kernel of torch, has layers for."""


def _rows(
    texts: Sequence[str], shape: Shape, hidden: int, counts: Sequence[int], asked: Asked
) -> dict[str, Any]:
    """Time variants by themselves (count 0) and as stacks of replicas."""
    workload = random_workload(Shape(8, 5, 6, 31) if asked.quick else shape, asked.device)
    size = 16 if asked.quick else hidden
    cases = [
        timing.prepare(
            text,
            parse(f"{text},hidden={size},embedding={size}"),
            workload,
            "training",
            asked.device,
            count=count,
        )
        for text in texts
        for count in counts
    ]
    rates = timing.measure(cases, asked.device, 1 if asked.quick else 5, lambda done: None)
    return {"rows": timing.rows(cases, rates, asked.device)}


def stacks(asked: Asked) -> dict[str, Any]:
    """Time the small step by itself, recorded, and as 8 and 64 replicas."""
    return _rows([STACKED], SMALL, 64, (0, 2) if asked.quick else (0, 1, 8, 64), asked)


def layers(asked: Asked) -> dict[str, Any]:
    """Time the large step of variants whose layers are torch's."""
    return _rows(LAYERS[:1] if asked.quick else LAYERS, LARGE, 256, (0,), asked)


def joeynmt(asked: Asked) -> dict[str, Any]:
    """Time the large and the small step in turns with JoeyNMT, from the same weights."""
    if not Path(os.environ.get("JOEYNMT_PYTHON", against_joeynmt.PYTHON)).exists():
        return {"rows": [], "lacking": "make peers was not called"}
    names = () if asked.quick else ("large", "small")
    return {
        "rows": [against_joeynmt.compare(against_joeynmt.ROWS[n], 5, asked.device) for n in names]
    }
