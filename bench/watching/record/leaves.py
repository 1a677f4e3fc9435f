"""Takes arguments and results of calls apart, and puts them together again.

torch has `torch.utils._pytree` for that, which takes longer than many of the calls. It is asked
only about what is no tensor, number, text, None, list, tuple or dict.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten

SIMPLE = frozenset({int, float, bool, str, type(None)})
"""Types of what has no parts, besides tensors."""


class _Others(NamedTuple):
    """The places of the leaves of any other container, which stand one after the other."""

    structure: TreeSpec
    begin: int
    end: int


def taken_apart(value: Any) -> tuple[list[Any], Any]:
    """Return the leaves of nested containers, and the same containers with places of leaves.

    A leaf is what is no container; its place is its index among the leaves.
    """
    leaves: list[Any] = []
    return leaves, _placed(value, leaves)


def leaves_of(value: Any) -> list[Any]:
    """Return the leaves of nested containers, in their order."""
    return taken_apart(value)[0]


def put_together(leaves: Sequence[Any], places: Any) -> Any:
    """Return containers of places, as `taken_apart` makes them, with the leaves there."""
    kind = type(places)
    if kind is int:
        return leaves[places]
    if kind is list or kind is tuple:
        return kind([put_together(leaves, place) for place in places])
    if kind is dict:
        return {name: put_together(leaves, place) for name, place in places.items()}
    return tree_unflatten(leaves[places.begin : places.end], places.structure)


def _placed(value: Any, leaves: list[Any]) -> Any:
    """Add the leaves of a value, and return the value with their places instead."""
    kind = type(value)
    if kind is list or kind is tuple:
        return kind([_placed(part, leaves) for part in value])
    if kind is dict:
        return {name: _placed(part, leaves) for name, part in value.items()}
    before = len(leaves)
    if kind in SIMPLE or isinstance(value, Tensor):
        leaves.append(value)
        return before
    flat, structure = tree_flatten(value)
    leaves.extend(flat)
    return before if structure.is_leaf() else _Others(structure, before, len(leaves))
