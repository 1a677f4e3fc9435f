"""Finds the hidden size at which a variant has as many parameters as another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bench.training.randomness import torch_generator
from tasks import Task
from variants import Variant, build
from variants.axes import from_record
from variants.embedding import PRETRAINED

LARGEST_HIDDEN = 1024
"""Largest hidden size that is searched."""


def parameters(variant: Variant, task: Task) -> int:
    """Return the number of parameters that a variant has on a task.

    Raises:
        ValueError: The variant cannot be built, for example with tied weights of unequal sizes.
    """
    facts = task.facts
    # only sizes matter here, and pretrained vectors are as large as random ones
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
    """Return the hidden size whose number of parameters is nearest to `wanted`.

    Args:
        plain: The variant as plain values, as a record stores it.
        wanted: The number of parameters to match.

    Returns:
        The hidden size, or None if `wanted` is outside what sizes 1 to LARGEST_HIDDEN give, or if
        the hidden size cannot change alone, as with tied weights and attention heads.
    """
    variant = from_record(plain)

    def count(hidden: int) -> int:
        return parameters(replace(variant, hidden=hidden), task)

    low, high = 1, LARGEST_HIDDEN
    try:
        smallest, largest = count(low), count(high)
    except ValueError:
        return None
    if not smallest <= wanted <= largest:
        return None
    # the number of parameters grows with the hidden size, so bisection finds the two neighbours
    while high - low > 1:
        middle = (low + high) // 2
        if count(middle) <= wanted:
            low = middle
        else:
            high = middle
    return low if abs(count(low) - wanted) <= abs(count(high) - wanted) else high
