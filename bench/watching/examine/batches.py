"""Takes batches apart, whatever they come as: tuples, lists, dicts, objects, arrays."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

MOST_BATCHES = 8
"""Batches that are looked at."""
FEWEST_ROUNDS = 4
"""Training steps: with fewer batches, some are taken again."""


@dataclass(frozen=True)
class BatchPart:
    """One tensor (or number) of a batch, with its name where it has one."""

    name: str
    value: Any


def first_batches(batches: Any) -> list[Any]:
    """Return the first batches, at most `MOST_BATCHES`; a single batch may stand for a list.

    Raises:
        ValueError: there is none.
    """
    if _is_one_batch(batches):
        return [batches]
    found = list(itertools.islice(batches, MOST_BATCHES)) if isinstance(batches, Iterable) else []
    if not found:
        raise ValueError(
            f"there is no batch in {type(batches).__name__}; give the batches that you train on: "
            "a DataLoader, or a list such as [(source, target)]"
        )
    return found


def _is_one_batch(batches: Any) -> bool:
    if isinstance(batches, Tensor | np.ndarray | Mapping) or _has_fields(batches):
        return True
    return (
        isinstance(batches, tuple | list)
        and len(batches) > 1
        and all(isinstance(part, Tensor | np.ndarray) for part in batches)
    )


def _has_fields(value: Any) -> bool:
    return dataclasses.is_dataclass(value) or (
        isinstance(value, tuple) and hasattr(value, "_fields")
    )


def parts_of(batch: Any, device: torch.device) -> list[BatchPart]:
    """Return the tensors and numbers of a batch, whole numbers as int64 on a device.

    Raises:
        ValueError: lists of rows are of unequal length.
    """
    return [
        BatchPart(name, _tensor(value, device))
        for name, value in _flat(_named(batch))
        if _is_data(value)
    ]


def _named(batch: Any) -> list[tuple[str, Any]]:
    """Return the parts of a batch with their names; those of a tuple or list have none."""
    if isinstance(batch, Mapping):
        return [(str(name), value) for name, value in batch.items()]
    if hasattr(batch, "_fields"):
        return list(zip(batch._fields, batch, strict=True))
    if isinstance(batch, Tensor | np.ndarray) or _is_matrix(batch):
        return [("", batch)]
    if isinstance(batch, tuple | list):
        return [("", value) for value in batch]
    attributes = getattr(batch, "__dict__", {})
    return [(name, value) for name, value in attributes.items() if not name.startswith("_")]


def _flat(named: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return the parts with those of pairs such as (source, lengths) one after another."""
    found: list[tuple[str, Any]] = []
    for name, value in named:
        if isinstance(value, tuple) and any(isinstance(v, Tensor | np.ndarray) for v in value):
            found.append((name, value[0]))
            found.extend((f"{name}_lengths" if name else "", v) for v in value[1:])
        else:
            found.append((name, value))
    return found


def _is_matrix(value: Any) -> bool:
    """Return whether a value is one list of rows of numbers."""
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(row, list | tuple) and row for row in value)
        and all(isinstance(number, int | float) for row in value for number in row)
    )


def _is_data(value: Any) -> bool:
    numbers = isinstance(value, list | tuple) and bool(value) and _innermost(value) is not None
    return isinstance(value, Tensor | np.ndarray | int | float) or numbers


def _innermost(value: Any) -> int | float | None:
    while isinstance(value, list | tuple):
        if not value:
            return None
        value = value[0]
    return value if isinstance(value, int | float) else None


def _tensor(value: Any, device: torch.device) -> Any:
    if isinstance(value, int | float):
        return value
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(value.copy())
    elif not isinstance(value, Tensor):
        try:
            value = torch.tensor(value)
        except (ValueError, TypeError) as error:
            raise ValueError(
                "a batch has rows of unequal length, and a model takes a matrix of ids; fill them "
                f"up with the padding symbol ({error})"
            ) from error
    whole = not (value.is_floating_point() or value.is_complex() or value.dtype == torch.bool)
    return value.to(device, torch.int64 if whole else value.dtype)
