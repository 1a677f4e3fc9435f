"""Measures what an evaluation hands over to Python: chosen symbols, and what became of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from bench.watching.read.flow import Flow
from bench.watching.read.passes import PassesOfEvaluation
from bench.watching.read.training import Habits
from bench.watching.record.calls import HANDING
from bench.watching.record.replaying import Call
from results.doctor.watched.evaluation_facts import HandedIds, RenamedIds

OFFSETTING = frozenset("add __add__ __radd__ add_ __iadd__ sub __sub__ sub_ __isub__".split())
MAKING = frozenset("tensor as_tensor LongTensor from_numpy".split())
FEWEST_RENAMED = 20
"""Fewer symbols do not show that all were renamed in the same way."""
FEWEST_NAMES = 4
"""Fewer different symbols do not either."""


def handed_ids(one: PassesOfEvaluation, trained: Habits) -> HandedIds | None:
    """Return the number that is added to chosen symbols before Python gets them, if it is not the
    one by which training feeds them."""
    flow, values = one[1][0].flow, one[1][0].values
    chosen = set().union(*(this.chosen for this in one[1]))
    usual = (trained.offset or 0) + one[1][0].choices[0].left_out
    for call, number in _handed(flow):
        if values[number].numel() < FEWEST_RENAMED:
            continue
        offset = _offset(flow, number, values, chosen)
        if offset is None or offset == usual:
            continue
        given, chosen_ids = values[number], values[number] - offset
        alike = [n for _, n in _handed(flow) if values[n].shape == given.shape]
        targets = [values[n] for n in alike if not flow.ancestors(n) & chosen]
        equal = [
            (float((given == t).double().mean()), float((chosen_ids + usual == t).double().mean()))
            for t in targets
        ]
        # without targets to compare with, an offset may be how the script reads its symbols
        if equal:
            return HandedIds(usual, offset, *max(equal, key=max), str(call.place or ""))
    return None


def _handed(flow: Flow) -> Iterator[tuple[Call, int]]:
    """Yield the calls that hand integers over to Python, with the tensor that they hand over."""
    for call in flow.tape.calls:
        if call.name in HANDING and call.inputs:
            yield call, call.inputs[0]


def _offset(flow: Flow, number: int, values: Mapping[int, Tensor], chosen: set[int]) -> int | None:
    """Return the constant by which a tensor differs from chosen symbols; None if it is not one."""
    moved = flow.moved_from(number)
    if moved & chosen:
        return 0
    for made in moved:
        for index in flow.makers[made]:
            call = flow.tape.calls[index]
            if call.name not in OFFSETTING or len(call.inputs) != 1:
                continue
            before = call.inputs[0]
            if flow.moved_from(before) & chosen and values[before].shape == values[made].shape:
                added = torch.unique(values[made] - values[before])
                return int(added) if len(added) == 1 else None
    return None


def renamed_ids(one: PassesOfEvaluation) -> RenamedIds | None:
    """Return the chosen symbols that come back from Python as others, each always as the same."""
    flow, values = one[1][0].flow, one[1][0].values
    chosen = set().union(*(this.chosen for this in one[1]))
    given: list[Tensor] = []
    for call in flow.tape.calls:
        if call.name in HANDING and call.inputs and flow.moved_from(call.inputs[0]) & chosen:
            given.append(values[call.inputs[0]])
        elif call.name in MAKING and not call.inputs and call.results:
            made = values[call.results[0]]
            for ids in given:
                if names := _renamed(ids, made):
                    return RenamedIds(names[:3], int(ids.numel()), str(call.place or ""))
    return None


def _renamed(ids: Tensor, made: Tensor) -> tuple[tuple[int, int], ...]:
    """Return the pairs of symbol and other name, if a tensor holds others for these symbols."""
    if ids.shape != made.shape or made.is_floating_point() or ids.numel() < FEWEST_RENAMED:
        return ()
    pairs = set(zip(ids.reshape(-1).tolist(), made.reshape(-1).tolist(), strict=True))
    symbols = {symbol for symbol, _ in pairs}
    others = sorted((symbol, name) for symbol, name in pairs if symbol != name)
    constant = len({name - symbol for symbol, name in pairs}) == 1
    one_to_one = len(pairs) == len(symbols) == len({name for _, name in pairs})
    if constant or not one_to_one or len(symbols) < FEWEST_NAMES:
        return ()
    return tuple(others) if 2 * len(others) > len(symbols) else ()
