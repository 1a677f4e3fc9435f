"""Finds where symbols enter a model: embeddings, and data that is one-hot."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.watch.flow import Flow
from bench.watch.places import Place
from bench.watch.tape import Tape


@dataclass
class Entry:
    """A tensor by which symbols enter the model: an embedding's result, or one-hot data."""

    call: int
    """Index of the call that made it; that of the first user for data. """
    number: int
    ids: Tensor | None
    """The symbols, of the shape of `value` without its last axis."""
    ids_number: int
    weight: int
    """Number of the embedding's weight; -1 for one-hot data."""
    place: Place | None
    shape: tuple[int, ...]


def entries(tape: Tape, flow: Flow, goal: int) -> list[Entry]:
    """Return where symbols enter, in the order of the calls, among what a tensor was made of."""
    ancestors = flow.ancestors(goal)
    values = tape.replay()
    found = []
    for index, call in enumerate(tape.calls):
        if not call.results or call.results[0] not in ancestors:
            continue
        entry = _looked_up(tape, index, values)
        if entry is not None:
            found.append(entry)
    taken = {entry.number for entry in found}
    for number, root in tape.roots.items():
        if number not in ancestors or root.parameter or number in taken:
            continue
        value = values[number]
        if value.is_floating_point() and value.dim() >= 2 and _one_hot(value):
            index = min(flow.users[number], default=0)
            place = tape.calls[index].place if tape.calls else None
            ids = value.argmax(-1)
            found.append(Entry(index, number, ids, number, -1, place, tuple(value.shape[:-1])))
    return sorted(found, key=lambda entry: entry.call)


def _looked_up(tape: Tape, index: int, values: dict[int, Tensor]) -> Entry | None:
    call = tape.calls[index]
    if call.name == "embedding":
        ids, weight = call.inputs[0], call.inputs[1]
    elif call.name == "one_hot":
        return None
    elif call.name in ("__getitem__", "index_select") and len(call.inputs) == 2:
        weight, ids = call.inputs
        if values[weight].dim() != 2 or not values[weight].is_floating_point():
            return None
        root = tape.roots.get(weight)
        if root is None or not root.parameter or values[ids].dtype != torch.int64:
            return None
    else:
        return None
    result = call.results[0]
    found = values[ids]
    return Entry(index, result, found, ids, weight, call.place, tuple(found.shape))


def _one_hot(value: Tensor) -> bool:
    return (
        bool(((value == 0) | (value == 1)).all())
        and bool((value.sum(-1) <= 1).all())
        and bool(value.any())
    )
