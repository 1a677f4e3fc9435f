"""Decides which runs are trained together, as replicas of one variant. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench.specs import EXECUTIONS, Budget, RunSpec

LARGEST_GROUP = {"cpu": 16, "cuda": 64}
"""Largest number of runs that are trained together on a device."""


def alone(variant: Mapping[str, Any], budget: Budget, plugin: str, device: str) -> str | None:
    """Return why a run cannot be one of several replicas; None if it can."""
    if not budget.steps:
        return "its budget is not in steps"
    return "its parts come from outside" if plugin else not_stackable(variant, device)


def not_stackable(variant: Mapping[str, Any], device: str) -> str | None:
    """Return why models of a variant cannot be stacked into one; None if they can."""
    reasons = {
        "its layers are torch's own": variant["cell"] == "transformer",
        # what is recorded as a CUDA graph draws nothing
        "it draws dropout": device == "cuda"
        and (variant["dropout"] > 0 or variant["recurrent_dropout"] > 0),
        "it draws first states": device == "cuda" and variant.get("initial_state") == "drawn",
        "it is not in fp32 or tf32": variant["precision"] not in ("fp32", "tf32"),
        "muon mixes a matrix's entries": variant["optimizer"] == "muon",
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def execution(
    asked: str, device: str, variant: Mapping[str, Any], budget: Budget, plugin: str
) -> str:
    """Return the execution mode of a run.

    Replicas pay off on CUDA, and on the CPU for small models. There they are used where they are
    asked for: their last bits depend on their group, and runs by themselves repeat bit for bit.

    Args:
        asked: auto, eager or replicas; where replicas are not possible, eager is used. Any other
            mode belongs to an engine that has no choice, and is returned as it is.
        plugin: The digest of the plugins that the run uses, empty if there are none.
    """
    if asked not in ("auto", *EXECUTIONS):
        return asked
    wanted = asked == "replicas" or (asked == "auto" and device == "cuda")
    return "replicas" if wanted and alone(variant, budget, plugin, device) is None else "eager"


def grouped(
    specs: Sequence[RunSpec],
    cost: Callable[[RunSpec], float],
    workers: int,
    keep_weights: bool = False,
) -> list[list[RunSpec]]:
    """Group replicas of one variant; every other run is a group of its own.

    Args:
        cost: Returns the seconds that a run will take.
        workers: The number of groups that can be trained concurrently.
        keep_weights: Whether training states are kept with the weights, for longer runs to go on
            from; only a run that is trained by itself has one, so on the CPU all are.

    Returns:
        The groups, the longest first, so that no long group is left to run alone at the end.
    """
    same_variant: dict[str, list[RunSpec]] = {}
    for spec in specs:
        key = spec
        if spec.execution == "replicas":
            # replicas may differ in seed and learning rate
            key = replace(spec, seed=0, variant={**spec.variant, "learning_rate": 0.0})
        same_variant.setdefault(key.id, []).append(spec)
    groups = []
    for replicas in same_variant.values():
        # replicas with equal learning rates are neighbours, so that they share an optimizer
        ordered = sorted(replicas, key=lambda spec: (spec.variant["learning_rate"], spec.seed))
        on_cuda = ordered[0].device == "cuda"
        largest = LARGEST_GROUP["cuda" if on_cuda else "cpu"] if on_cuda or not keep_weights else 1
        size = min(largest, -(-len(ordered) // workers))  # rounded up
        groups += [ordered[start : start + size] for start in range(0, len(ordered), size)]
    return sorted(groups, key=lambda group: sum(map(cost, group)), reverse=True)
