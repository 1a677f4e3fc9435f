"""Finds batches of symbols that were torn apart by a `view` where a transpose was meant."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from bench.watching.read.layout import sequence_likeness
from bench.watching.read.reading import StepReading
from bench.watching.read.recording import Recording
from bench.watching.record.replaying import Call
from results.doctor.watched.rows import RESHAPING, RenumberedSeen

WHOLE = 1.0
"""Likeness by which sequences exceed what has been torn: a first symbol or padding in common."""
SHORTEST_AXIS = 3
"""Examples and steps; fewer are alike by chance."""


def renumbered_seen(recording: Recording) -> RenumberedSeen | None:
    """Return how symbols were torn apart before they entered, if it was so in every round read."""
    found = [_in_round(reading) for _, reading in recording.readings]
    known = [one for one in found if one is not None]
    if not known or len(known) < len(found):
        return None
    return next((one for one in known if one.call), known[-1])


def _in_round(reading: StepReading) -> RenumberedSeen | None:
    values = reading.tape.replay()
    for group in reading.groups:
        entry = group.entries[0]
        held = reading.flow.moved_from(entry.ids_number) & reading.tape.whole
        exchanging = [call for call in _reshaping(reading, held) if _exchanges(call, values)]
        # two of them give back what there was
        if len(exchanging) == 1 and _tears(values[exchanging[0].results[0]]):
            call = exchanging[0]
            shape = _shape(values[call.results[0]])
            return RenumberedSeen(call.name, str(call.place or ""), shape)
        for number in sorted(held & reading.tape.roots.keys()):
            if _is_torn(values[number]):
                return RenumberedSeen("", str(entry.place or ""), _shape(values[number]))
    return _torn_data(reading, values)


def _torn_data(reading: StepReading, values: dict[int, Tensor]) -> RenumberedSeen | None:
    """Return how symbols were torn that are only asked for, or fed step by step."""
    # scripts may prepare the batches of later steps beside
    used = {n for n in reading.tape.whole if reading.flow.users[n] and _are_ids(values[n])}
    exchanging = [call for call in _reshaping(reading, used) if _exchanges(call, values)]
    if len(exchanging) == 1 and _tears(values[exchanging[0].results[0]]):
        call = exchanging[0]
        return RenumberedSeen(call.name, str(call.place or ""), _shape(values[call.results[0]]))
    for number in sorted(used & reading.tape.roots.keys()):
        if not exchanging and _is_torn(values[number]):
            place = reading.tape.calls[reading.flow.users[number][0]].place
            return RenumberedSeen("", str(place or ""), _shape(values[number]))
    return None


def _are_ids(value: Tensor) -> bool:
    return value.dtype == torch.int64 and value.dim() == 2


def _reshaping(reading: StepReading, numbers: set[int]) -> Iterator[Call]:
    """Yield the calls that gave some tensors their shape."""
    for number in sorted(numbers):
        for index in reading.flow.makers[number]:
            if reading.tape.calls[index].name in RESHAPING:
                yield reading.tape.calls[index]


def _exchanges(call: Call, values: dict[int, Tensor]) -> bool:
    """Return whether a call gives each of two axes the length of the other."""
    before, after = values[call.inputs[0]], values[call.results[0]]
    large = after.dim() == 2 and min(after.shape) >= SHORTEST_AXIS
    return large and after.shape[0] != after.shape[1] and before.shape == after.shape[::-1]


def _tears(after: Tensor) -> bool:
    """Return whether sequences along one axis before a view are none along the other after it."""
    before = _renumbered(after)
    return any(
        sequence_likeness(one) - sequence_likeness(other) >= WHOLE
        for one, other in ((before, after.t()), (before.t(), after))
    )


def _is_torn(value: Tensor) -> bool:
    """Return whether symbols are sequences only if the lengths of their axes are exchanged."""
    if value.dim() != 2 or min(value.shape) < SHORTEST_AXIS or value.shape[0] == value.shape[1]:
        return False
    return _likeness(value) == 0 and _likeness(_renumbered(value)) >= WHOLE


def _likeness(value: Tensor) -> float:
    return max(sequence_likeness(value), sequence_likeness(value.t()))


def _renumbered(value: Tensor) -> Tensor:
    return value.reshape(value.shape[1], value.shape[0])


def _shape(value: Tensor) -> tuple[int, int]:
    return value.shape[0], value.shape[1]
