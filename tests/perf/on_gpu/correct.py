"""Checks that a device trains every part of the suite as the CPU does."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from bench.plan.groups import not_stackable
from bench.runner import execute_group
from bench.specs import Budget, RunSpec, make
from bench.training.process import cached_digest
from tests.perf.on_gpu.parts import Asked
from variants import axes

BASE = replace(axes.BASE, hidden=16, embedding=16)
BUDGET = Budget(steps=2, batch=8, every=1, stop="budget")
COMPARED = ("loss", "valid_loss", "gradient_norm")
"""Values of a curve that are compared; chosen symbols may turn over at a tie."""
TOLERANCE = 2e-4
"""Largest relative difference between the CPU and a device in float32."""
HALF = 0.05
"""Largest relative difference between float32 and a half precision, or tf32."""
STRUCTURES = (
    "attention", "attention_order", "decoder_input", "input_feeding", "initial_state", "bridge",
    "direction", "stack", "forcing", "output_weights", "embedding_init", "weight_init",
    "optimizer", "learning_rate_schedule",
)  # fmt: skip
TASKS = ("increment", "reversal", "opposites", "keyphrase:documents=40", "en-zh:pairs=200,least=1")
PRECISIONS = ("bf16", "fp16", "tf32")


class Difference(NamedTuple):
    """How far a run is from the one that it is compared with. wrong: a sentence, or empty."""

    worst: float
    wrong: str


def spec(
    variant: axes.Variant, device: str, execution: str, task: str = "opposites", seed: int = 0
) -> RunSpec:
    """Return a run of two steps, evaluated after each."""
    digest = cached_digest(task, None)
    return make(task, digest, asdict(variant), BUDGET, seed, device, execution=execution)


def outcomes(specs: list[RunSpec]) -> list[dict[str, Any]]:
    """Train runs together, or one by itself, and return their outcomes."""
    none = [None] * len(specs)
    records = execute_group(specs, None, [lambda point, timed: None] * len(specs), none)
    return [record["outcome"] for record in records]


def difference(
    name: str, expected: dict[str, Any], found: dict[str, Any], most: float
) -> Difference:
    """Compare the curves of two outcomes. name: what is said of the run. most: what is allowed."""
    failed = next((one["error"] for one in (expected, found) if one.get("error")), "")
    if failed:
        return Difference(0.0, f"{name}: {failed}")
    pairs = [
        (mine[value], other[value])
        for mine, other in zip(expected["curve"], found["curve"], strict=True)
        for value in COMPARED
        if mine.get(value) is not None
    ]
    gaps = [abs(a - b) / max(1.0, abs(a)) for a, b in pairs]
    # max passes over a NaN, which is no small difference
    worst = math.inf if any(map(math.isnan, gaps)) else max(gaps)
    return Difference(worst, "" if worst <= most else f"{name}: differs by {worst:.1e}")


def summed(differences: Iterable[Difference]) -> dict[str, Any]:
    """Return what a part found, of its differences."""
    all_of = list(differences)
    return {
        "checked": len(all_of),
        "worst": max((one.worst for one in all_of), default=0.0),
        "wrong": [one.wrong for one in all_of if one.wrong],
    }


def _on_both(texts: Iterable[str], asked: Asked) -> Iterator[Difference]:
    """Train variants on the CPU, on the device step by step, and there as it is by default."""
    for text in texts:
        try:
            variant = axes.parse(text, BASE)
        except ValueError:
            continue  # such parts do not go together
        (expected,) = outcomes([spec(variant, "cpu", "eager")])
        executions = ["eager"]
        if not_stackable(asdict(variant), asked.device) is None:
            executions.append("replicas")
        for execution in executions:
            (found,) = outcomes([spec(variant, asked.device, execution)])
            yield difference(f"{text} {execution}", expected, found, TOLERANCE)


def cells(asked: Asked) -> dict[str, Any]:
    """Check every cell, without attention and with it."""
    names = axes.values("cell")[: 1 if asked.quick else None]
    endings = ("", ",attention=general,input_feeding=on")
    return summed(
        _on_both((f"cell={name}{end}" for name, end in itertools.product(names, endings)), asked)
    )


def structures(asked: Asked) -> dict[str, Any]:
    """Check every attention, decoder structure, coin, initialisation and optimizer."""
    texts = [
        f"{axis}={value}" if axis == "attention" else f"attention=additive,{axis}={value}"
        for axis in STRUCTURES
        for value in axes.values(axis)
    ]
    return summed(_on_both(texts[1:2] if asked.quick else texts, asked))


def tasks(asked: Asked) -> dict[str, Any]:
    """Check two steps of every task."""
    variant = axes.parse("direction=bidirectional", BASE)

    def compared() -> Iterator[Difference]:
        for task in TASKS[1:3] if asked.quick else TASKS:
            (expected,) = outcomes([spec(variant, "cpu", "eager", task)])
            (found,) = outcomes([spec(variant, asked.device, "eager", task)])
            yield difference(task, expected, found, TOLERANCE)

    return summed(compared())


def replicas(asked: Asked) -> dict[str, Any]:
    """Check stacks of 8 and of 64 seeds against runs of the CPU, one by one."""
    variant = axes.parse("attention=general", BASE)

    def compared() -> Iterator[Difference]:
        for count in (8,) if asked.quick else (8, 64):
            seeds = range(count)
            together = outcomes([spec(variant, asked.device, "replicas", seed=s) for s in seeds])
            for seed in {0, 1, count // 2, count - 1}:
                (expected,) = outcomes([spec(variant, "cpu", "eager", seed=seed)])
                name = f"{count} replicas, seed {seed}"
                yield difference(name, expected, together[seed], TOLERANCE)

    return summed(compared())


def precisions(asked: Asked) -> dict[str, Any]:
    """Check that bf16, fp16 and tf32 train as float32 does, within what they round."""

    def compared() -> Iterator[Difference]:
        for precision in PRECISIONS[: 1 if asked.quick else None]:
            if precision == "tf32" and asked.device == "cpu":
                continue  # only GPUs have it
            for text in ("cell=gru,attention=dot", "cell=lstm,attention=general,input_feeding=on"):
                (expected,) = outcomes([spec(axes.parse(text, BASE), "cpu", "eager")])
                variant = axes.parse(f"{text},precision={precision}", BASE)
                (found,) = outcomes([spec(variant, asked.device, "eager")])
                yield difference(f"{text},precision={precision}", expected, found, HALF)

    return summed(compared())
