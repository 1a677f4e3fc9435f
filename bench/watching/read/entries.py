"""Finds where symbols enter a model: embeddings, and data that is one-hot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.watching.read.flow import MOVES, Flow
from bench.watching.record.calls import SKIPPED
from bench.watching.record.places import CodeLine
from bench.watching.record.replaying import Change
from bench.watching.record.tape import Tape

BUILDING = frozenset("one_hot scatter scatter_ eye tensor as_tensor from_numpy".split())
"""Calls by which scripts make one-hot data, besides writing into zeros."""
NARROWEST_ONE_HOT = 3
"""Narrower data that is 0 or 1 are masks and flags."""


@dataclass
class Lookup:
    """A tensor by which symbols enter the model: an embedding's result, or one-hot data."""

    call: int
    """Index of the call that made it; -1 for data that no call of the tape made. Of data that is
    written anew for each use, the call that takes it."""
    number: int
    ids: Tensor | None
    """The symbols, of the shape of `value` without its last axis."""
    ids_number: int
    weight: int
    """Number of the embedding's weight; -1 for one-hot data."""
    place: CodeLine | None
    shape: tuple[int, ...]
    at: int
    """Index of the call at which the symbols enter."""
    times: int = 1
    """Times that one line of the code uses it, as in a loop over steps."""
    met: int = -1
    """Number of the first parameter that one-hot data is computed with."""

    @property
    def parameter(self) -> int:
        """Return the number of the parameter by which the symbols enter; -1 if none."""
        return self.weight if self.weight >= 0 else self.met

    @property
    def made(self) -> bool:
        """Return whether a call of the tape made it for all of its uses."""
        return self.call >= 0 and (self.weight >= 0 or self.call != self.at)

    @property
    def key(self) -> tuple[int, int]:
        """Return what names it among the changes of a replay."""
        return self.call, self.number


def entries(tape: Tape, flow: Flow) -> list[Lookup]:
    """Return where symbols enter, in the order of the calls."""
    uses = list(_uses_of_data(tape, flow))
    given: dict[tuple[int, int], Tensor] = {}
    values = tape.replay({use: _captured(use, given) for use in uses})
    looked_up = (_looked_up(tape, i, values) for i, call in enumerate(tape.calls) if call.results)
    found = [entry for entry in looked_up if entry is not None]
    for entry in found:
        entry.times = _times(tape, flow.users[entry.number])
    embedded = {entry.number for entry in found}
    by_number: dict[int, list[int]] = {}
    for index, number in uses:
        if number not in embedded and _enters(tape, index, given[index, number], values):
            by_number.setdefault(number, []).append(index)
    for number, indices in by_number.items():
        found.extend(_data(tape, flow, number, {i: given[i, number] for i in indices}))
    return sorted(found, key=lambda entry: entry.at)


def _uses_of_data(tape: Tape, flow: Flow) -> Iterator[tuple[int, int]]:
    """Yield the calls that compute with numbers that no parameter made, and these numbers."""
    computed = flow.differentiable
    # masks that are computed from symbols are no data themselves
    given = {n for n in tape.roots if n not in tape.whole}
    given.update(n for _, call in flow.calls(*BUILDING) for n in call.results)
    for index, call in enumerate(tape.calls):
        joins = any(number in computed for number in call.inputs)
        if call.name in SKIPPED or (not joins and call.name in MOVES):
            continue
        for number in dict.fromkeys(call.inputs):
            if number in computed or number in (*call.results, *call.written):
                continue
            if joins or given & flow.moved_from(number):
                yield index, number


def _captured(use: tuple[int, int], given: dict[tuple[int, int], Tensor]) -> Change:
    """Return a change that changes nothing and keeps what a call was given."""

    def keep(value: Tensor) -> Tensor:
        symbols = value.is_floating_point() and value.dim() >= 2
        given[use] = value.detach().clone() if symbols else value
        return value

    return keep


def _enters(tape: Tape, index: int, value: Tensor, values: dict[int, Tensor]) -> bool:
    """Return whether a call takes one-hot data and makes something else of them."""
    if not value.is_floating_point() or value.dim() < 2 or not _one_hot(value):
        return False
    made = [values[number] for number in tape.calls[index].results if number in values]
    return not made or not all(
        result.is_floating_point() and result.dim() >= 2 and _one_hot(result) for result in made
    )


def _data(tape: Tape, flow: Flow, number: int, uses: dict[int, Tensor]) -> Iterator[Lookup]:
    """Yield one-hot data: once, or for each use if it was written anew in between."""
    first = next(iter(uses))
    if all(torch.equal(value, uses[first]) for value in uses.values()):
        made = max((i for i in flow.makers[number] if i < first), default=-1)
        yield _of_data(tape, number, made, first, uses[first], _times(tape, list(uses)))
        return
    before: Tensor | None = None
    for index, value in uses.items():
        if before is None or not torch.equal(value, before):
            yield _of_data(tape, number, index, index, value, 1)
        before = value


def _of_data(tape: Tape, number: int, call: int, use: int, value: Tensor, times: int) -> Lookup:
    # a row without a symbol, as padding may have it, has one that no other row has
    ids = value.argmax(-1).masked_fill(~value.any(-1), value.shape[-1])
    shape = tuple(value.shape[:-1])
    taken = tape.calls[use]
    met = next((n for n in taken.inputs if n in tape.parameters), -1)
    return Lookup(call, number, ids, number, -1, taken.place, shape, use, times, met)


def _times(tape: Tape, users: list[int]) -> int:
    """Return how often the line that uses a tensor most often does."""
    lines = Counter((tape.calls[i].name, tape.calls[i].place) for i in users)
    return max(lines.values(), default=1)


def _looked_up(tape: Tape, index: int, values: dict[int, Tensor]) -> Lookup | None:
    call = tape.calls[index]
    if call.name == "embedding":
        ids, weight = call.inputs[0], call.inputs[1]
    elif call.name in ("__getitem__", "index_select") and len(call.inputs) == 2:
        weight, ids = call.inputs
        if not _is_matrix(tape, weight, values) or values[ids].dtype != torch.int64:
            return None
    else:
        return None
    result = call.results[0]
    found = values[ids]
    return Lookup(index, result, found, ids, weight, call.place, tuple(found.shape), index)


def _is_matrix(tape: Tape, number: int, values: dict[int, Tensor]) -> bool:
    """Return whether a tensor is a parameter with a row for each symbol."""
    root = tape.roots.get(number)
    matrix = values[number].dim() == 2 and values[number].is_floating_point()
    return matrix and root is not None and root.parameter


def _one_hot(value: Tensor) -> bool:
    return (
        value.shape[-1] >= NARROWEST_ONE_HOT
        and bool(((value == 0) | (value == 1)).all())
        and bool((value.sum(-1) <= 1).all())
        and bool(value.any())
    )
