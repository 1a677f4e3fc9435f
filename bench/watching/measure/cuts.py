"""Finds where gradients are cut on their way from the loss to the parameters."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from bench.watching.measure.parameters import KnownParameter
from bench.watching.read.reading import StepReading
from bench.watching.read.recording import Recording
from bench.watching.record.replaying import Call
from bench.watching.record.tape import Tape
from results.doctor.watched.updates import (
    CutSeen,
)

FEWEST_NUMBERS = 8
"""A tensor of fewer numbers may equal another by chance."""


def cuts_seen(
    recording: Recording, known: dict[int, KnownParameter]
) -> tuple[tuple[CutSeen, ...], float]:
    """Return where gradients are cut, and the cosine of the encoder's with and without cuts."""
    found: dict[str, CutSeen] = {}
    cosine = 1.0
    for _, reading in recording.readings[:3]:
        tape = reading.tape
        for place, before in _rebuilt(tape, reading):
            found[place] = CutSeen(place, "rebuilt")
            for number in reading.flow.ancestors(before) & tape.parameters.keys():
                current = known.get(id(tape.parameters[number]))
                if current is not None:
                    current.uncut = max(current.uncut, 1.0)
        candidates = _cutting(tape, reading)
        if not candidates:
            continue
        numbers = list(tape.parameters)
        cut = _gradients(tape, reading.loss, numbers, [], uncut=False)[0]
        try:
            uncut, at = _gradients(tape, reading.loss, numbers, list(candidates), uncut=True)
        except RuntimeError:
            # the script writes into tensors in a way that gradients past its cuts forbid
            continue
        for number, gradient in uncut.items():
            current = known.get(id(tape.parameters[number]))
            if current is not None and current.tensor.requires_grad:
                current.uncut = max(current.uncut, float(gradient.norm()))
        cosine = min(cosine, _cosine(cut, uncut, tape, known))
        for number in at:
            call = candidates[number]
            place = str(call.place or "")
            found.setdefault(place, CutSeen(place, call.name if call.gradients else "no_grad"))
    return tuple(found.values()), cosine


def _cutting(tape: Tape, reading: StepReading) -> dict[int, Call]:
    """Return the tensors on the way to the loss at which gradients are cut, with their calls."""
    ancestors = reading.flow.ancestors(reading.loss)
    found: dict[int, Call] = {}
    for call in tape.calls:
        if call.name in ("detach", "data.__get__", "tensor", "detach_") or not call.gradients:
            found.update({n: call for n in call.results if n in ancestors})
    return found


def _rebuilt(tape: Tape, reading: StepReading) -> Iterator[tuple[str, int]]:
    """Yield tensors that hold the values of computed ones and are new: rebuilt from numbers.

    Each comes with the line that first uses it and the number of the tensor it was.
    """
    ancestors, values = reading.flow.ancestors(reading.loss), tape.replay()
    new = [n for n, root in tape.roots.items() if not root.parameter and root.earlier is None]
    new += [c.results[0] for c in tape.calls if c.name in ("tensor", "from_numpy", "as_tensor")]
    for number in new:
        value = values.get(number)
        if number not in ancestors or value is None or not value.is_floating_point():
            continue
        if value.numel() < FEWEST_NUMBERS or bool((value == value.flatten()[0]).all()):
            continue
        source = _same_values(tape, reading, values, number)
        if source is not None:
            users = reading.flow.users[number]
            place = tape.calls[users[0]].place if users else None
            yield str(place or ""), source


def _same_values(
    tape: Tape, reading: StepReading, values: dict[int, Tensor], number: int
) -> int | None:
    """Return the first tensor computed from parameters that holds the same numbers, if any."""
    flat = values[number].reshape(-1)
    for call in tape.calls:
        for result in call.results:
            other = values.get(result)
            if other is None or result == number or other.numel() != flat.numel():
                continue
            same = other.is_floating_point() and bool((other.reshape(-1) == flat).all())
            if same and reading.flow.ancestors(result) & tape.parameters.keys():
                return result
    return None


def _gradients(
    tape: Tape, loss: int, numbers: list[int], inner: list[int], *, uncut: bool
) -> tuple[dict[int, Tensor], list[int]]:
    """Return gradients of the loss by parameter, and the inner tensors that have one."""
    values = tape.replay(gradients=True, uncut=uncut)
    if not values[loss].requires_grad:
        return {}, []
    # a part may be frozen since
    numbers = [n for n in numbers if values[n].requires_grad]
    inner = [n for n in inner if n in values and values[n].requires_grad]
    wanted = [values[n] for n in numbers + inner]
    found = torch.autograd.grad(values[loss].sum(), wanted, allow_unused=True)
    pairs = list(zip(numbers + inner, found, strict=True))
    gradients = {n: g.detach() for n, g in pairs[: len(numbers)] if g is not None}
    return gradients, [n for n, g in pairs[len(numbers) :] if g is not None and bool(g.any())]


def _cosine(
    cut: dict[int, Tensor], uncut: dict[int, Tensor], tape: Tape, known: dict[int, KnownParameter]
) -> float:
    """Return the smallest cosine, over encoder and decoder, of gradients with and without cuts."""
    smallest = 1.0
    for part in ("encoder", "decoder"):
        numbers = [
            n
            for n, tensor in tape.parameters.items()
            if n in uncut and n in cut and id(tensor) in known and known[id(tensor)].part == part
        ]
        if not numbers:
            continue
        one = torch.cat([cut[n].double().reshape(-1) for n in numbers])
        two = torch.cat([uncut[n].double().reshape(-1) for n in numbers])
        if bool(one.any()) and bool(two.any()):
            smallest = min(smallest, float(one @ two / (one.norm() * two.norm())))
    return smallest
