"""Finds where symbols enter a model: embeddings, and data that is one-hot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.watching.read.flow import MOVES, Flow
from bench.watching.record.places import CodeLine
from bench.watching.record.tape import Tape


@dataclass
class Lookup:
    """A tensor by which symbols enter the model: an embedding's result, or one-hot data."""

    call: int
    """Index of the call that made it; -1 for data that no call of the tape made."""
    number: int
    ids: Tensor | None
    """The symbols, of the shape of `value` without its last axis."""
    ids_number: int
    weight: int
    """Number of the embedding's weight; -1 for one-hot data."""
    place: CodeLine | None
    shape: tuple[int, ...]


def entries(tape: Tape, flow: Flow) -> list[Lookup]:
    """Return where symbols enter, in the order of the calls."""
    values = tape.replay()
    found = []
    for index, call in enumerate(tape.calls):
        if not call.results:
            continue
        entry = _looked_up(tape, index, values)
        if entry is not None:
            found.append(entry)
    for number, root in tape.roots.items():
        if not root.parameter and values[number].is_floating_point():
            found.extend(_data(tape, flow, number, values))
    return sorted(found, key=lambda entry: entry.call)


def _data(tape: Tape, flow: Flow, root: int, values: dict[int, Tensor]) -> Iterator[Lookup]:
    """Yield one-hot data where it is first computed with, after it was moved."""
    seen, todo = {root}, [root]
    while todo:
        number = todo.pop()
        value = values[number]
        if value.dim() < 2 or not _one_hot(value):
            continue
        for index in flow.users[number]:
            call = tape.calls[index]
            if call.name not in MOVES:
                ids, shape = value.argmax(-1), tuple(value.shape[:-1])
                made = max((i for i in flow.makers[number]), default=-1)
                yield Lookup(made, number, ids, number, -1, call.place, shape)
                break
            # what is written into another tensor, or joined with one, is followed no further
            if len(call.inputs) == 1 or call.name in ("__getitem__", "index_select"):
                new = [n for n in call.results if n >= 0 and n not in seen]
                seen.update(new)
                todo.extend(new)


def _looked_up(tape: Tape, index: int, values: dict[int, Tensor]) -> Lookup | None:
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
    return Lookup(index, result, found, ids, weight, call.place, tuple(found.shape))


def _one_hot(value: Tensor) -> bool:
    return (
        bool(((value == 0) | (value == 1)).all())
        and bool((value.sum(-1) <= 1).all())
        and bool(value.any())
    )
