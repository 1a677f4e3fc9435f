"""The hidden size at which a variant has as many parameters as another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bench.training.randomness import torch_generator
from tasks import Task
from variants import Variant, build
from variants.axes import from_record
from variants.embedding import PRETRAINED

MOST = 1024


def parameters(variant: Variant, task: Task) -> int:
    """How many a variant has on a task."""
    facts = task.facts
    # only sizes matter, and pretrained values have the size of others
    if variant.embedding_init in PRETRAINED:
        variant = replace(variant, embedding_init="normal")
    model = build(
        variant,
        facts.source_size,
        facts.target_sizes,
        facts.tagging,
        lambda name: torch_generator(0, "init", name),
        longest=task.splits["train"].source.longest,
    )
    return sum(value.numel() for value in model.parameters())


def hidden_for(plain: Mapping[str, Any], task: Task, wanted: int) -> int | None:
    """The hidden size nearest to so many parameters; None where none up to MOST is near, or
    something else hangs on it, as tied weights and heads do."""
    variant = from_record(plain)
    low, high = 1, MOST
    try:
        ends = [parameters(replace(variant, hidden=hidden), task) for hidden in (low, high)]
    except ValueError:
        return None
    if not ends[0] <= wanted <= ends[1]:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if parameters(replace(variant, hidden=middle), task) <= wanted:
            low = middle
        else:
            high = middle
    below, above = (abs(parameters(replace(variant, hidden=h), task) - wanted) for h in (low, high))
    return low if below <= above else high
