"""Tells what the parts of a batch are: source, lengths, what is fed, what is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from bench.watching.examine.batches import BatchPart
from bench.watching.read.layout import sequence_likeness

BatchRole = Literal[
    "source", "target", "fed", "labels", "lengths", "fed_lengths", "mask", "ratio", "limit", "state"
]
NAMES: tuple[tuple[BatchRole, str], ...] = (
    ("ratio", r"forc|ratio|^tf|_tf$|sampling|^epsilon$"),
    ("limit", r"max"),
    ("fed_lengths", r"(trg|tgt|target|dec\w*|out\w*|y)_?len|^lens?_(trg|tgt|y|out)"),
    ("lengths", r"len|sizes"),
    ("mask", r"mask"),
    ("state", r"hidden|state|^[hc]_?0?$|memory|cache"),
    (
        "fed",
        r"dec\w*_?in|(trg|tgt|target|y|out\w*)_?in|in_?(trg|tgt|target|y)$|fed|teacher|shifted|bos_",
    ),
    ("labels", r"label|tag|gold|real|(trg|tgt|target|y|dec\w*)_?(out|y|true|real)|to_predict"),
    ("target", r"trg|tgt|^tar|target|^ys?$|^y_|output|decoder|answer|summary|reply|correct"),
    ("source", r"src|source|inp|^xs?$|^x_|enc|text|word|sent|token|question|ids|seq|char|data"),
)
"""By what is meant, patterns of names as people write them; the first that matches counts."""


def role_of(name: str) -> BatchRole | None:
    """Return what a name of a parameter or of a part of a batch means; None if it tells nothing."""
    lower = name.lower()
    return next((role for role, pattern in NAMES if re.search(pattern, lower)), None)


@dataclass(frozen=True)
class BatchRoles:
    """The parts of a batch by what they are; ids of shape (B, T), or (T, B) if time comes first."""

    source: Tensor | None = None
    lengths: Tensor | None = None
    target: Tensor | None = None
    """The reference, of which is not known yet whether it begins with a start symbol."""
    fed: Tensor | None = None
    """What the decoder is fed, where it is given apart from what is asked."""
    labels: Tensor | None = None
    """The symbols that are asked for, where they are given apart from what is fed."""
    fed_lengths: Tensor | None = None
    mask: Tensor | None = None
    named: tuple[BatchPart, ...] = ()
    """All parts that have names."""

    @property
    def asked(self) -> Tensor | None:
        """Return the symbols from which those that are asked for can be taken."""
        return self.target if self.labels is None else self.labels

    @property
    def time_first(self) -> bool:
        """Return whether ids are of shape (T, B), as far as sizes and symbols show."""
        asked = self.asked
        if asked is None or asked.dim() != 2:
            return False
        other = self.source
        if other is not None and other.dim() >= 2:
            first, second = (other.shape[axis] == asked.shape[axis] for axis in (0, 1))
            if first != second:
                return second
        rows, columns = sequence_likeness(asked), sequence_likeness(asked.T)
        if other is not None and other.dim() == 2:
            rows, columns = rows + sequence_likeness(other), columns + sequence_likeness(other.T)
        return columns > rows

    @property
    def reference(self) -> Tensor | None:
        """Return the symbols that are asked for, by example and step."""
        asked = self.asked
        return asked.T if asked is not None and asked.dim() == 2 and self.time_first else asked

    def value(self, role: BatchRole | None) -> Any:
        """Return what stands for a role in a call; None if the batch has nothing for it."""
        fed = self.target if self.fed is None else self.fed
        if fed is None and role in ("fed", "target"):
            return None if self.labels is None else _without_negative(self.labels)
        asked = self.asked
        found: dict[BatchRole | None, Any] = {
            "source": self.source,
            "target": None if fed is None else _without_negative(fed),
            "fed": None if fed is None else _without_negative(fed),
            "labels": asked,
            "lengths": self.lengths,
            "fed_lengths": self.fed_lengths,
            "mask": self.mask,
            "ratio": 1.0,
            "limit": None if asked is None else asked.shape[0 if self.time_first else -1],
        }
        return found.get(role)

    def with_lengths(self, pad: int | None) -> BatchRoles:
        """Return the same with lengths and mask of the source, where the batch has none."""
        source = self.source
        if source is None or source.is_floating_point() or source.dim() != 2:
            return self
        real = torch.ones_like(source, dtype=torch.bool) if pad is None else source != pad
        lengths = real.sum(0 if self.time_first else 1).cpu()
        return replace(
            self,
            lengths=lengths if self.lengths is None else self.lengths,
            mask=real if self.mask is None else self.mask,
        )


def _without_negative(ids: Tensor) -> Tensor:
    """Return ids with 0 in place of -1 or -100, which losses ignore and no embedding has.

    They stand behind the end, where what is fed changes nothing that counts.
    """
    return ids if ids.is_floating_point() else ids.clamp_min(0)


def roles_of(parts: list[BatchPart]) -> BatchRoles:
    """Return what the parts of a batch are, by their names, else by their order and shapes."""
    tensors = [part for part in parts if isinstance(part.value, Tensor)]
    named = tuple(part for part in parts if part.name)
    roles = _by_name(tensors) if len(named) == len(parts) and named else None
    found = roles or _by_order([part.value for part in tensors])
    return replace(found, named=named)


def _by_name(parts: list[BatchPart]) -> BatchRoles | None:
    """Return the roles that the names tell; None if they tell no source."""
    values: dict[str, Tensor] = {}
    for part in parts:
        role = role_of(part.name)
        if role is not None and role not in values:
            values[role] = part.value
        elif role == "source" and "fed" not in values:
            # source and inputs: the inputs are the decoder's
            values["fed"] = part.value
    if "source" not in values:
        return None
    if "lengths" in values and values["lengths"].dim() != 1:
        del values["lengths"]
    if "fed" in values and "target" in values and "labels" not in values:
        values["labels"] = values.pop("target")
    lengths = values.get("lengths")
    return BatchRoles(
        values["source"],
        None if lengths is None else lengths.cpu(),
        values.get("target"),
        values.get("fed"),
        values.get("labels"),
        values.get("fed_lengths"),
        values.get("mask"),
    )


def _by_order(values: list[Tensor]) -> BatchRoles:
    """Return the roles that order and shapes tell: source, then what is fed, then labels."""
    matrices = [v for v in values if _is_sequence(v)]
    vectors = [v for v in values if v.dim() == 1 and not v.is_floating_point()]
    masks = [v for v in values if v.dim() > 1 and v.dtype == torch.bool]
    if not matrices:
        return BatchRoles()
    source = matrices[0]
    roles = BatchRoles(source, mask=masks[0] if masks else None)
    if len(matrices) > 2:
        roles = replace(roles, fed=matrices[1], labels=matrices[2])
    elif len(matrices) == 2:
        roles = replace(roles, target=matrices[1])
    elif vectors:
        return replace(roles, labels=vectors.pop())
    if vectors:
        roles = replace(roles, lengths=vectors[0].cpu())
    if len(vectors) > 1:
        roles = replace(roles, fed_lengths=vectors[1].cpu())
    return roles


def _is_sequence(value: Tensor) -> bool:
    whole = not value.is_floating_point() and value.dtype != torch.bool
    return (value.dim() == 2 and whole) or value.dim() == 3
