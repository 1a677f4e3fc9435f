"""Which runs are trained together, as replicas of one variant. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench.specs import PARALLEL, Budget, RunSpec

MOST = 64
"""Runs trained together at most."""


def alone(variant: Mapping[str, Any], budget: Budget, plugin: str) -> str | None:
    """Why a run cannot be a replica; None if it can."""
    if not budget.steps:
        return "its budget is not in steps"
    return "its parts come from outside" if plugin else not_stackable(variant)


def not_stackable(variant: Mapping[str, Any]) -> str | None:
    """Why a variant cannot be stacked; None if it can."""
    reasons = {
        "it draws dropout": variant["dropout"] > 0 or variant["recurrent_dropout"] > 0,
        "it is not in fp32 or tf32": variant["precision"] not in ("fp32", "tf32"),
        "muon mixes a matrix's entries": variant["optimizer"] == "muon",
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def execution(
    asked: str, device: str, variant: Mapping[str, Any], budget: Budget, plugin: str
) -> str:
    """How a run's steps are carried out. asked: auto, eager or replicas; the last two of them
    where that can be; or `ddp:N`, ValueError where that cannot. Replicas pay on CUDA; on the CPU
    worker processes serve better."""
    if asked.startswith(PARALLEL):
        if variant["dropout"] > 0 or variant["recurrent_dropout"] > 0:
            raise ValueError("dropout over several processes is not supported; set it to 0")
        if budget.seconds:
            raise ValueError(
                "processes that train one model need not agree on a budget in seconds; give steps "
                "or tokens"
            )
        return asked
    wanted = asked == "replicas" or (asked == "auto" and device == "cuda")
    return "replicas" if wanted and alone(variant, budget, plugin) is None else "eager"


def grouped(
    specs: Sequence[RunSpec], cost: Callable[[RunSpec], float], workers: int
) -> list[list[RunSpec]]:
    """Replicas of one variant together, everything else alone; what takes longest first, so that
    the last groups to end are short. workers: groups that can be done at once."""
    together: dict[str, list[RunSpec]] = {}
    for spec in specs:
        same = spec
        if spec.execution == "replicas":
            same = replace(spec, seed=0, variant={**spec.variant, "learning_rate": 0.0})
        together.setdefault(same.id, []).append(spec)
    groups = []
    for some in together.values():
        # equal learning rates stand side by side: they share an optimizer
        ordered = sorted(some, key=lambda spec: (spec.variant["learning_rate"], spec.seed))
        size = min(MOST, -(-len(ordered) // workers))
        groups += [ordered[start : start + size] for start in range(0, len(ordered), size)]
    return sorted(groups, key=lambda group: sum(map(cost, group)), reverse=True)
