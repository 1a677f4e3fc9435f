"""Measures what an evaluation counts: comparisons of chosen symbols with targets."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from bench.watching.measure.evaluation.switched import argument
from bench.watching.read.passes import Pass, PassesOfEvaluation
from bench.watching.read.training import Habits
from bench.watching.record.replaying import Call
from results.doctor.watched.evaluation_facts import Padded

EQUAL = frozenset("eq __eq__ ne __ne__ equal".split())
MASKING = frozenset(
    "mul __mul__ __rmul__ __and__ logical_and masked_select __getitem__ where masked_fill __or__ "
    "logical_or __iand__ mul_ bitwise_and masked_fill_ dot matmul".split()
)
PASSING = frozenset(
    "float double long int to type bool view reshape __invert__ logical_not squeeze flatten".split()
)


def padded(one: PassesOfEvaluation, trained: Habits) -> Padded | None:
    found = one[1]
    flow, values = found[0].flow, found[0].values
    chosen = set().union(*(this.chosen for this in found))
    positions = padding = equal = real = rows = rows_equal = rows_real = 0
    exact = False
    place = ""
    symbol = trained.ignored
    for index, call in flow.calls(*EQUAL):
        if len(call.inputs) != 2 or not call.results:
            continue
        sides = [bool(flow.ancestors(n) & chosen) for n in call.inputs]
        if sides.count(True) != 1 or _masked(found[0], index):
            continue
        out, target = (values[n] for n in (call.inputs if sides[0] else call.inputs[::-1]))
        if out.shape != target.shape or target.dim() != 2 or target.is_floating_point():
            continue
        pad = _padding(target) if symbol is None else symbol
        if pad is None or not bool((target == pad).any()):
            positions += target.numel()
            equal += int((out == target).sum())
            real += int((out == target).sum())
            continue
        symbol, place = pad, str(call.place or "")
        is_pad, same = target == pad, out == target
        positions, padding = positions + target.numel(), padding + int(is_pad.sum())
        equal, real = equal + int(same.sum()), real + int((same & ~is_pad).sum())
        axis = _reduced(found[0], index)
        if axis is not None:
            exact = True
            rows += same.shape[1 - axis % 2]
            rows_equal += int(same.all(axis).sum())
            rows_real += int((same | is_pad).all(axis).sum())
    if symbol is None or padding == 0 or padding == positions:
        return None
    if exact:
        return Padded(symbol, positions, padding, rows_equal / rows, rows_real / rows, True, place)
    true = real / (positions - padding)
    return Padded(symbol, positions, padding, equal / positions, true, False, place)


def _padding(target: Tensor) -> int | None:
    """Return the symbol that fills rows up at one end, if rows differ in length."""
    for ids in (target, target.t()):
        if min(ids.shape) < 2:
            continue
        pad = int(ids[:, -1].mode().values)
        is_pad = ids == pad
        lengths = is_pad.sum(1)
        suffix = torch.arange(ids.shape[1]) >= ids.shape[1] - lengths[:, None]
        if (
            int(lengths.max()) > 1
            and lengths.min() != lengths.max()
            and bool((is_pad == suffix).all())
        ):
            return pad
    return None


def _users(one: Pass, index: int) -> Iterator[tuple[int, Call]]:
    """Yield the calls that use the result of a call, also after it was converted."""
    todo = [index]
    while todo:
        current = todo.pop()
        for number in one.tape.calls[current].results:
            for user in one.flow.users[number]:
                call = one.tape.calls[user]
                yield user, call
                if call.name in PASSING:
                    todo.append(user)


def _masked(one: Pass, index: int) -> bool:
    """Return whether a comparison is joined with something else, as a mask."""
    return any(call.name in MASKING and len(set(call.inputs)) > 1 for _, call in _users(one, index))


def _reduced(one: Pass, index: int) -> int | None:
    """Return the axis along which whole rows are compared, if they are."""
    for _, call in _users(one, index):
        if call.name in ("all", "prod"):
            axis = argument(call, "dim", 1)
            return axis if isinstance(axis, int) else None
    return None
