"""Follows the parameters of a training: where they are used, and how far they move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from torch import Tensor, nn

from bench.watching.read.flow import Flow
from bench.watching.read.reading import StepReading
from bench.watching.read.recording import Recording
from bench.watching.record.gradients import Norms
from bench.watching.record.places import CodeLine
from bench.watching.record.replaying import Call
from bench.watching.record.rounds import Round
from results.doctor.watched.update_facts import Part


@dataclass
class KnownParameter:
    """A parameter met on the tapes or held by an optimizer."""

    tensor: Tensor
    name: str
    place: CodeLine | None = None
    registered: bool = True
    part: Part = ""
    embedding: bool = False
    first: Tensor | None = None
    """Its value on the first tape."""
    moved: float = 0.0
    uncut: float = 0.0
    reaches: bool = False
    """Whether the loss is made of it, in some round."""
    norms: list[Norms] = field(default_factory=list)


def known_parameters(recording: Recording, rounds: list[Round]) -> dict[int, KnownParameter]:
    """Return the parameters that the rounds take or an optimizer holds, by identity."""
    known: dict[int, KnownParameter] = {}
    for one in rounds:
        _note_round(known, one)
    for seen in recording.optimizers:
        for tensor in seen.parameters:
            if id(tensor) not in known and tensor.requires_grad:
                known[id(tensor)] = KnownParameter(tensor, recording.names.of(tensor))
    for one in rounds[:3]:
        flow = Flow(one.tape)
        for event in one.happened("backward")[-1:]:
            for number in flow.ancestors(event.number) & one.tape.parameters.keys():
                known[id(one.tape.parameters[number])].reaches = True
    for current in known.values():
        _note_moved(current, current.tensor.detach())
    for _, reading in recording.readings[:1]:
        _assign_parts(reading, known)
    kept = _kept(known, rounds)
    return {key: one for key, one in known.items() if key in kept}


def _note_round(known: dict[int, KnownParameter], one: Round) -> None:
    """Note which parameters a round takes, with their values and the norms of their gradients."""
    for number, tensor in one.tape.parameters.items():
        if id(tensor) not in known:
            known[id(tensor)] = _met(one, number, tensor)
        _note_moved(known[id(tensor)], one.tape.parameter_value(number))
        norms = one.norms.get(one.names.get(number, ""))
        if norms is not None:
            known[id(tensor)].norms.append(norms)


def _kept(known: dict[int, KnownParameter], rounds: list[Round]) -> set[int]:
    """Return the parameters, without tensors that are made anew for each batch."""
    times = Counter(id(t) for one in rounds for t in set(one.tape.parameters.values()))
    often = 2 if len(rounds) > 1 else 1
    return {
        key
        for key, one in known.items()
        if isinstance(one.tensor, nn.Parameter)
        or (times[key] >= often and one.first is not None and bool(one.first.any()))
    }


def _met(one: Round, number: int, tensor: Tensor) -> KnownParameter:
    name = one.names.get(number, "")
    found = KnownParameter(tensor, name, first=one.tape.parameter_value(number))
    calls = [call for call in one.tape.calls if number in call.inputs]
    # copies and other uses outside of modules say nothing of where a parameter belongs
    call = next((call for call in calls if call.modules), next(iter(calls), None))
    if call is not None:
        found.place = call.place
        owner = _unregistered_owner(call, tensor)
        if owner is not None:
            found.registered = False
            found.name = owner
    return found


def _unregistered_owner(call: Call, tensor: Tensor) -> str | None:
    """Return the name of a parameter that the outermost module which ran does not register.

    Returns None where it registers the parameter, or where no module has anything to do with it.
    """
    modules = _of_model(call.modules)
    if not modules or any(p is tensor for p in modules[0].parameters()):
        return None
    for module in reversed(modules):
        for path, parameter in module.named_parameters():
            if parameter is tensor:
                return f"{path} of {type(module).__name__} ({_shape(tensor)})"
    if isinstance(tensor, nn.Parameter):
        for module in modules:
            for name, parts in _containers(module):
                if any(part is tensor for part in parts):
                    return f"{name} of {type(module).__name__} ({_shape(tensor)})"
    return None


def _of_model(modules: Sequence[nn.Module]) -> Sequence[nn.Module]:
    """Return the modules that a call is in, without a criterion that was given the model."""
    for place, (outer, inner) in enumerate(pairwise(modules)):
        holds = any(part is inner for _, parts in _containers(outer) for part in parts)
        if holds or next(outer.parameters(), None) is not None:
            return modules[place:]
    return modules[-1:]


def _containers(module: nn.Module) -> Iterator[tuple[str, Iterable[object]]]:
    """Yield the lists, tuples and dicts that are attributes of a module, with their names."""
    for name, value in vars(module).items():
        if name[:1] != "_" and isinstance(value, list | tuple | dict):
            yield name, value.values() if isinstance(value, dict) else value


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


def _note_moved(known: KnownParameter, value: Tensor) -> None:
    if known.first is None or value.shape != known.first.shape:
        return
    change = float((value.detach().float() - known.first.float()).norm())
    size = float(known.first.float().norm())
    known.moved = max(known.moved, change / size if size else change)


def _assign_parts(reading: StepReading, known: dict[int, KnownParameter]) -> None:
    """Tell which parameters are the encoder's and which the decoder's.

    A call belongs to the decoder if what the decoder is fed reaches it, else to the encoder if
    the source does.
    """
    tape = reading.tape
    sources = {e.number for group in reading.of_role("source") for e in group.entries}
    fed = {e.number for group in reading.of_role("decoder") for e in group.entries}
    weights = {e.weight for group in reading.groups for e in group.entries}
    from_source = _reached(reading.flow, sources)
    from_fed = _reached(reading.flow, fed)
    for number, tensor in tape.parameters.items():
        one = known.get(id(tensor))
        if one is None:
            continue
        one.embedding = number in weights
        uses = _uses(reading, number, from_fed, from_source)
        if uses:
            one.part = _part_by_name(one.name)
        # where attention makes keys of the source, the decoder's name says more than their use
        if fed and len(uses) == 1 and not one.part:
            one.part = "decoder" if "decoder" in uses else "encoder"


def _uses(reading: StepReading, number: int, from_fed: set[int], from_source: set[int]) -> set[str]:
    """Return the parts of the model in which a parameter is used."""
    uses = set()
    for index in reading.flow.users[number]:
        call = reading.tape.calls[index]
        numbers = {*call.inputs, *call.results}
        if numbers & from_fed:
            uses.add("decoder")
        elif numbers & from_source:
            uses.add("encoder")
    return uses


def _part_by_name(name: str) -> Part:
    lower = name.lower()
    if "enc" in lower and "dec" not in lower:
        return "encoder"
    return "decoder" if "dec" in lower and "enc" not in lower else ""


def _reached(flow: Flow, numbers: set[int]) -> set[int]:
    """Return what these tensors reach, in any number of steps, and themselves."""
    reached = set(numbers)
    for call in flow.tape.calls:
        if reached.intersection(call.inputs):
            reached.update(n for n in call.results if n >= 0)
            if call.name == "__setitem__":
                reached.add(call.inputs[0])
    return reached
