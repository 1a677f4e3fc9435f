"""Measures what becomes of the gradients: which parameters they reach, and what is applied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from statistics import median

import torch
from torch import Tensor, nn

from bench.watch.read.flow import Flow
from bench.watch.read.reading import StepReading
from bench.watch.read.recording import Recording
from bench.watch.record.gradients import Norms
from bench.watch.record.optimizers import OptimizerSeen
from bench.watch.record.places import CodeLine
from bench.watch.record.rounds import Round, RoundEvent
from bench.watch.record.tape import Call, Tape
from results.doctor.watched.updates import (
    ClipSeen,
    CutSeen,
    OptimizerUse,
    ParameterSeen,
    Part,
    UpdatesSeen,
)

FEWEST_NUMBERS = 8
"""A tensor of fewer numbers may equal another by chance."""


@dataclass
class _Known:
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


def updates_seen(recording: Recording) -> UpdatesSeen | None:
    """Return what became of the gradients of a training; None if no backward pass was seen."""
    rounds = [one for one in recording.rounds if one.happened("backward")]
    if not rounds:
        return None
    known = _parameters(recording, rounds)
    holders = _holders(recording)
    cuts, cosine = _cuts(recording, known)
    return UpdatesSeen(
        tuple(_parameter(one, holders.get(id(one.tensor))) for one in known.values()),
        tuple(_use(recording, seen, known) for seen in _living(recording.optimizers)),
        len(recording.optimizers),
        _cleared(rounds),
        _left_over(rounds[1:]),
        _clips(rounds),
        cuts,
        cosine,
        _finite(recording, rounds),
    )


def _parameters(recording: Recording, rounds: list[Round]) -> dict[int, _Known]:
    known: dict[int, _Known] = {}
    for one in rounds:
        for number, tensor in one.tape.parameters.items():
            if id(tensor) not in known:
                known[id(tensor)] = _met(one, number, tensor)
            _note_moved(known[id(tensor)], one.tape.parameter_value(number))
            norms = one.norms.get(one.names.get(number, ""))
            if norms is not None:
                known[id(tensor)].norms.append(norms)
    for seen in recording.optimizers:
        for tensor in seen.parameters:
            if id(tensor) not in known and tensor.requires_grad:
                known[id(tensor)] = _Known(tensor, recording.names.of(tensor))
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


def _kept(known: dict[int, _Known], rounds: list[Round]) -> set[int]:
    """Return the parameters, without tensors that are made anew for each batch."""
    times = Counter(id(t) for one in rounds for t in set(one.tape.parameters.values()))
    often = 2 if len(rounds) > 1 else 1
    return {
        key
        for key, one in known.items()
        if isinstance(one.tensor, nn.Parameter)
        or (times[key] >= often and one.first is not None and bool(one.first.any()))
    }


def _met(one: Round, number: int, tensor: Tensor) -> _Known:
    name = one.names.get(number, "")
    found = _Known(tensor, name, first=one.tape.parameter_value(number))
    call = next((call for call in one.tape.calls if number in call.inputs), None)
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
    if not call.modules or any(p is tensor for p in call.modules[0].parameters()):
        return None
    for module in reversed(call.modules):
        for path, parameter in module.named_parameters():
            if parameter is tensor:
                return f"{path} of {type(module).__name__} ({_shape(tensor)})"
    if isinstance(tensor, nn.Parameter):
        for module in call.modules:
            for name, value in vars(module).items():
                if name[:1] == "_" or not isinstance(value, list | tuple | dict):
                    continue
                parts = value.values() if isinstance(value, dict) else value
                if any(part is tensor for part in parts):
                    return f"{name} of {type(module).__name__} ({_shape(tensor)})"
    return None


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


def _note_moved(known: _Known, value: Tensor) -> None:
    if known.first is None or value.shape != known.first.shape:
        return
    change = float((value.detach().float() - known.first.float()).norm())
    size = float(known.first.float().norm())
    known.moved = max(known.moved, change / size if size else change)


def _assign_parts(reading: StepReading, known: dict[int, _Known]) -> None:
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
        uses = set()
        for index in reading.flow.users[number]:
            call = tape.calls[index]
            numbers = {*call.inputs, *call.results}
            if numbers & from_fed:
                uses.add("decoder")
            elif numbers & from_source:
                uses.add("encoder")
        if fed and len(uses) == 1:
            one.part = "decoder" if "decoder" in uses else "encoder"
        elif uses:
            one.part = _part_by_name(one.name)


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


def _holders(recording: Recording) -> dict[int, OptimizerSeen]:
    """Return the optimizer of each parameter: one that steps before one that does not."""
    holders: dict[int, OptimizerSeen] = {}
    for seen in sorted(recording.optimizers, key=lambda seen: seen.steps > 0):
        holders.update({id(tensor): seen for tensor in seen.parameters})
    return holders


def _parameter(one: _Known, holder: OptimizerSeen | None) -> ParameterSeen:
    return ParameterSeen(
        one.name,
        tuple(one.tensor.shape),
        one.part,
        one.embedding,
        one.registered,
        "" if holder is None else holder.name,
        0 if holder is None else holder.steps,
        max((norms.own for norms in one.norms), default=0.0),
        one.uncut,
        max((norms.applied or 0.0 for norms in one.norms), default=0.0),
        one.moved,
        one.first is not None,
        one.reaches,
        str(one.place or ""),
    )


def _living(optimizers: list[OptimizerSeen]) -> list[OptimizerSeen]:
    return [seen for seen in optimizers if seen.parameters][:8]


def _use(recording: Recording, seen: OptimizerSeen, known: dict[int, _Known]) -> OptimizerUse:
    used = [t for t in seen.parameters if id(t) in known and known[id(t)].first is not None]
    same = [
        other
        for other in recording.optimizers
        if other.kind == seen.kind and other.place == seen.place
    ]
    return OptimizerUse(
        seen.name,
        seen.kind,
        str(seen.place or ""),
        len(seen.parameters),
        len(used),
        seen.steps,
        seen.made_after,
        max((group.get("momentum", 0) or 0 for group in seen.groups), default=0) > 0
        or seen.kind != "SGD",
        len(same),
        sum(other.steps for other in same) / max(len(same), 1),
    )


def _cleared(rounds: list[Round]) -> tuple[str, tuple[str, ...]]:
    """Return where gradients are cleared between the backward pass and the step, and whose."""
    where: Counter[str] = Counter()
    whose: Counter[str] = Counter()
    for one in rounds:
        events = one.events
        steps = [i for i, event in enumerate(events) if event.kind == "step"]
        backward = [i for i, event in enumerate(events) if event.kind == "backward"]
        if not steps or not backward or backward[-1] > steps[-1]:
            continue
        between = [e for e in events[backward[-1] : steps[-1]] if e.kind == "zero_grad"]
        lost = [
            name
            for name, n in one.norms.items()
            if n.own > 0 and n.update is not None and not n.applied
        ]
        if between and lost:
            where[str(between[0].place or "")] += 1
            whose.update(lost)
    if sum(where.values()) * 2 <= len(rounds):
        return "", ()
    return where.most_common(1)[0][0], tuple(whose)


def _left_over(rounds: Iterable[Round]) -> dict[str, float]:
    """Return the share of the applied gradients that earlier rounds left, by parameter.

    Only parameters for which that is so in most rounds are given.
    """
    shares: dict[str, list[float]] = {}
    for one in rounds:
        for name, norms in one.norms.items():
            if norms.applied and norms.own > 0:
                mixed = norms.cosine is not None and norms.cosine < 0.9999
                share = norms.left_over / norms.own if mixed else 0.0
                shares.setdefault(name, []).append(share)
    medians = {name: median(values) for name, values in shares.items()}
    return {name: share for name, share in medians.items() if share > 1e-2}


def _clips(rounds: list[Round]) -> tuple[ClipSeen, ...]:
    found: dict[str, list[ClipSeen]] = {}
    for one in rounds:
        for event, after in _clip_events(one.events):
            stepped = {name: n for name, n in one.norms.items() if n.update is not None}
            whole = sum(n.own**2 for n in stepped.values()) ** 0.5
            if event.parameters:
                part = sum(n.own**2 for k, n in stepped.items() if k in event.parameters) ** 0.5
            else:
                part = whole
            applied = sum((n.applied or 0) ** 2 for n in stepped.values()) ** 0.5
            seen = ClipSeen(str(event.place or ""), event.limit, after, whole, part, applied)
            found.setdefault(seen.place, []).append(seen)
    return tuple(_typical(clips) for clips in found.values())


def _typical(clips: list[ClipSeen]) -> ClipSeen:
    return ClipSeen(
        clips[0].place,
        clips[0].limit,
        all(clip.after for clip in clips),
        median(clip.norm for clip in clips),
        median(clip.clipped for clip in clips),
        median(clip.applied for clip in clips),
    )


def _clip_events(events: list[RoundEvent]) -> Iterator[tuple[RoundEvent, bool]]:
    """Yield the clippings of a round, and whether the steps were taken before."""
    stepped = False
    for event in events:
        stepped = (stepped or event.kind == "step") and event.kind != "backward"
        if event.kind == "clip":
            yield event, stepped


def _finite(recording: Recording, rounds: list[Round]) -> int:
    """Return the first step whose loss or gradient is no finite number; -1 if none."""
    losses = recording.curve.losses
    bad = [k for k, loss in enumerate(losses) if not abs(loss) < float("inf")]
    bad += [one.index for one in rounds if not all(n.finite for n in one.norms.values())]
    return min(bad, default=-1)


def _cuts(recording: Recording, known: dict[int, _Known]) -> tuple[tuple[CutSeen, ...], float]:
    """Return where gradients are cut, and the cosine of the encoder's with and without cuts."""
    found: dict[str, CutSeen] = {}
    cosine = 1.0
    for one, reading in recording.readings[:3]:
        tape = one.tape
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
    inner = [n for n in inner if n in values and values[n].requires_grad]
    wanted = [values[n] for n in numbers + inner]
    found = torch.autograd.grad(values[loss].sum(), wanted, allow_unused=True)
    pairs = list(zip(numbers + inner, found, strict=True))
    gradients = {n: g.detach() for n, g in pairs[: len(numbers)] if g is not None}
    return gradients, [n for n, g in pairs[len(numbers) :] if g is not None and bool(g.any())]


def _cosine(
    cut: dict[int, Tensor], uncut: dict[int, Tensor], tape: Tape, known: dict[int, _Known]
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
