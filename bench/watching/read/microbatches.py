"""Takes one batch out of a round of training that has several, or that has it in parts.

To accumulate gradients, some add the losses of several batches and run backward once. These batches
have nothing in common but the parameters, and the same lines of code compute them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from torch import Tensor

from bench.watching.read.flow import Flow
from bench.watching.record.rounds import Round
from bench.watching.record.tape import Tape

TOTALLING = frozenset("add __add__ __radd__ __iadd__ add_ sum mean stack".split())
SCALING = frozenset("div __truediv__ div_ __itruediv__ mul __mul__ __rmul__ mul_ neg".split())


def last_batch(one: Round) -> tuple[Tape, int, int] | None:
    """Return the last batch of a round: a tape, its loss, and the calls before it is computed.

    To save memory, some compute the loss of a batch part by part, each with its own backward pass:
    then it is the sum of these. None if no backward pass of the round can be followed.
    """
    losses = one.losses()
    if not losses:
        return None
    parts = _parts(one.tape, losses)
    others = set(losses) - set(parts)
    since = max((e.at for e in one.happened("backward") if e.number in others), default=0)
    if len(parts) == 1:
        return one.tape, parts[0], since
    whole = dataclasses.replace(one.tape, calls=list(one.tape.calls))
    return whole, whole.sum_of(parts), since


def _parts(tape: Tape, losses: list[int]) -> list[int]:
    """Return the losses that are computed from the same data as the last one."""
    if len(losses) < 2:
        return losses
    batches = _apart(Flow(tape), losses)
    return next((batch for batch in batches if losses[-1] in batch), losses[-1:])


def one_batch(tape: Tape, loss: int) -> tuple[Tape, int]:
    """Return a tape, and the loss of the last of the batches that a loss is summed over.

    They are those given if the loss is that of one batch.
    """
    flow = Flow(tape)
    if not any(tape.calls[index].name in TOTALLING | SCALING for index in flow.makers[loss]):
        return tape, loss
    batches = _apart(flow, list(_terms(flow, tape.replay(), loss)))
    if len(batches) < 2 or len({_lines(flow, batch) for batch in batches}) > 1:
        return tape, loss
    # a term that others were added to in place has lost its value
    whole = [b for b in batches if not any(len(flow.makers[n]) > 1 for n in b)]
    if not whole:
        return tape, loss
    last = max(whole, key=lambda batch: flow.makers[batch[-1]][0])
    if len(last) == 1:
        return tape, last[0]
    alone = dataclasses.replace(tape, calls=list(tape.calls))
    return alone, alone.sum_of(last)


def _terms(flow: Flow, values: dict[int, Tensor], loss: int) -> Iterator[int]:
    """Yield the single numbers that are added to make a loss, in no order."""
    seen, todo = {loss}, [loss]
    while todo:
        number = todo.pop()
        sums = [flow.tape.calls[index] for index in flow.makers[number]]
        parts = [n for call in sums for n in call.inputs if n in flow.differentiable]
        names = {call.name for call in sums}
        single = all(n == number or _single(flow, values, n) for n in parts)
        if not parts or not names <= TOTALLING | SCALING or not single:
            yield number
            continue
        for part in parts:
            if part not in seen:
                seen.add(part)
                todo.append(part)


def _single(flow: Flow, values: dict[int, Tensor], number: int) -> bool:
    """Return whether a tensor is one number, or some that were put side by side."""
    stacked = any(flow.tape.calls[index].name == "stack" for index in flow.makers[number])
    return values[number].dim() == 0 or (stacked and values[number].dim() == 1)


def _apart(flow: Flow, terms: list[int]) -> list[list[int]]:
    """Group terms that are computed from the same data; leave out those that are from none."""
    batches: list[tuple[set[int], list[int]]] = []
    computed = _of_data(flow)
    for term in sorted(terms, key=lambda number: flow.makers[number] or [-1]):
        common, members = flow.ancestors(term) & computed, [term]
        if not common:
            continue
        for batch in [batch for batch in batches if batch[0] & common]:
            batches.remove(batch)
            common, members = common | batch[0], batch[1] + members
        batches.append((common, members))
    return [sorted(members, key=lambda number: flow.makers[number]) for _, members in batches]


def _of_data(flow: Flow) -> set[int]:
    """Return what was computed with parameters and with something else."""
    roots = flow.tape.roots
    data = {number for number, root in roots.items() if not root.parameter}
    for call in flow.tape.calls:
        # what is made of nothing, as a start symbol is, is data too
        if not call.inputs or data.intersection(call.inputs):
            data.update(n for n in (*call.results, *call.written) if n >= 0)
    return data & flow.differentiable


def _lines(flow: Flow, batch: list[int]) -> tuple[str, ...]:
    """Return the lines that compute the terms of a batch."""
    calls = [flow.tape.calls[flow.makers[number][0]] for number in batch]
    return tuple(sorted({f"{call.name} {call.place}" for call in calls}))
