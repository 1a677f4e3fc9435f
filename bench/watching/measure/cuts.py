"""Finds where gradients are cut on their way from the loss to the parameters."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from bench.watching.measure.parameters import KnownParameter
from bench.watching.read.flow import Flow
from bench.watching.read.reading import StepReading
from bench.watching.read.recording import Recording
from bench.watching.record.replaying import Call, Change
from bench.watching.record.rounds import Round
from bench.watching.record.tape import Tape
from results.doctor.watched.update_facts import CutSeen

NEW_TENSORS = ("tensor", "from_numpy", "as_tensor")
"""Calls that make a new tensor of numbers."""
FEWEST_NUMBERS = 8
"""A tensor of fewer numbers may equal another by chance."""


def cuts_seen(
    recording: Recording, known: dict[int, KnownParameter]
) -> tuple[tuple[CutSeen, ...], float]:
    """Return where gradients are cut, and the cosine of the encoder's with and without cuts."""
    found: dict[str, CutSeen] = {}
    cosine = 1.0
    if not recording.readings:
        for round_ in recording.rounds[:3]:
            for place, before in [
                *_handed_over(round_.tape, round_.losses()),
                *_of_no_call(round_),
            ]:
                found[place] = CutSeen(place, "rebuilt")
                _lose(known, round_.tape, before)
    for _, reading in recording.readings[:3]:
        tape = reading.tape
        rebuilt = list(_rebuilt(tape, reading))
        for one in rebuilt:
            found[one.place] = CutSeen(one.place, "rebuilt")
            _lose(known, tape, reading.flow.ancestors(one.before))
        # where a script writes into tensors, gradients past its cuts cannot always be computed
        with contextlib.suppress(RuntimeError):
            if rebuilt:
                cosine = min(cosine, _cosine(*_joined(tape, reading.loss, rebuilt), tape, known))
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


def _lose(known: dict[int, KnownParameter], tape: Tape, made_of: Iterable[int]) -> None:
    """Note that parameters would get a gradient if a tensor had not been made anew."""
    for number in tape.parameters.keys() & made_of:
        current = known.get(id(tape.parameters[number]))
        if current is not None:
            current.uncut = max(current.uncut, 1.0)


def _handed_over(tape: Tape, losses: list[int]) -> Iterator[tuple[str, set[int]]]:
    """Yield where a loss uses a new tensor all of whose numbers stand in computed tensors.

    Each comes with what these tensors are made of. This serves rounds that cannot be read because
    no symbol reaches the loss.
    """
    flow, values = Flow(tape), tape.replay()
    ancestors: set[int] = set().union(*map(flow.ancestors, losses))
    lost = flow.computed - ancestors - tape.parameters.keys()
    lost = {number for number in lost if number in values and _telling(values[number])}
    if not lost:
        return
    numbers = torch.cat([values[number].detach().flatten() for number in lost])
    for _, number in _new(tape, flow):
        value = values.get(number)
        if number not in ancestors or value is None or not _telling(value):
            continue
        if bool(torch.isin(value.flatten(), numbers.to(value)).all()):
            place = tape.calls[flow.users[number][0]].place if flow.users[number] else None
            made_of: set[int] = set().union(*map(flow.ancestors, lost))
            yield str(place or ""), made_of


def _of_no_call(one: Round) -> Iterator[tuple[str, set[int]]]:
    """Yield where a backward pass begins at a new tensor, such as torch.tensor(loss.item()).

    Each comes with the parameters that the calls before it took.
    """
    tape = one.tape
    taken = {number for call in tape.calls for number in call.inputs} & tape.parameters.keys()
    for event in one.happened("backward"):
        root = tape.roots.get(event.number)
        if root is not None and not root.opaque and taken - {event.number}:
            yield str(event.place or ""), taken - {event.number}


def _cutting(tape: Tape, reading: StepReading) -> dict[int, Call]:
    """Return the tensors on the way to the loss at which gradients are cut, with their calls."""
    ancestors = reading.flow.ancestors(reading.loss)
    found: dict[int, Call] = {}
    for call in tape.calls:
        if call.name in ("detach", "data.__get__", "tensor", "detach_") or not call.gradients:
            found.update({n: call for n in call.results if n in ancestors})
    return found


class _Rebuilt(NamedTuple):
    """A new tensor that holds the values of a computed one.

    call: index of the call that made it; -1 if it came from outside torch. number: its number.
    before: the number of the computed tensor. place: the line that first uses it.
    """

    call: int
    number: int
    before: int
    place: str


def _rebuilt(tape: Tape, reading: StepReading) -> Iterator[_Rebuilt]:
    """Yield tensors that hold the values of computed ones and are new: rebuilt from numbers."""
    ancestors, values = reading.flow.ancestors(reading.loss), tape.replay()
    for index, number in _new(tape, reading.flow):
        value = values.get(number)
        if number not in ancestors or value is None or not _telling(value):
            continue
        source = _same_values(tape, reading, values, number)
        if source is not None:
            users = reading.flow.users[number]
            place = tape.calls[users[0]].place if users else None
            yield _Rebuilt(index, number, source, str(place or ""))


def _new(tape: Tape, flow: Flow) -> list[tuple[int, int]]:
    """Return the tensors that no call computed, each with the index of the call that made it.

    The index is -1 where the tensor came from outside torch.
    """
    roots = (n for n, root in tape.roots.items() if not root.parameter and root.earlier is None)
    made = [
        (index, call.results[0])
        for index, call in flow.calls(*NEW_TENSORS)
        # as_tensor returns a tensor that it is given
        if call.name != "as_tensor" or not call.inputs
    ]
    return [*((-1, number) for number in roots), *made]


def _telling(value: Tensor) -> bool:
    """Return whether the numbers of a tensor are so many and different that they are no chance."""
    if not value.is_floating_point() or value.numel() < FEWEST_NUMBERS:
        return False
    return len(torch.unique(value)) >= FEWEST_NUMBERS


def _joined(
    tape: Tape, loss: int, rebuilt: list[_Rebuilt]
) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
    """Return gradients of the loss by parameter, as they are and with rebuilt tensors joined again.

    What a rebuilt tensor would be told is handed on to the tensor whose values it holds.
    """
    values = tape.replay()
    leaves = [values[one.number].detach().clone().requires_grad_() for one in rebuilt]
    changes: dict[tuple[int, int], Change] = {
        (one.call, one.number): partial(_put, leaf)
        for one, leaf in zip(rebuilt, leaves, strict=True)
    }
    values = tape.replay(changes, gradients=True)
    numbers = [n for n in tape.parameters if values[n].requires_grad]
    parameters = [values[n] for n in numbers]
    total = values[loss].sum()
    cut, joined = ({n: torch.zeros_like(values[n]) for n in numbers} for _ in range(2))
    found = torch.autograd.grad(total, parameters + leaves, retain_graph=True, allow_unused=True)
    told: list[tuple[Tensor, Tensor | None]] = [(total, None)]
    told += [
        (values[one.before], gradient.reshape(values[one.before].shape))
        for one, gradient in zip(rebuilt, found[len(numbers) :], strict=True)
        if gradient is not None and values[one.before].requires_grad
    ]
    for output, gradient in told:
        given = torch.autograd.grad(
            output, parameters, gradient, retain_graph=True, allow_unused=True
        )
        for number, part in zip(numbers, given, strict=True):
            if part is not None:
                joined[number] += part.detach()
                if gradient is None:
                    cut[number] += part.detach()
    return cut, joined


def _put(leaf: Tensor, value: Tensor) -> Tensor:
    return leaf * 1  # a leaf itself must not be written to


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
