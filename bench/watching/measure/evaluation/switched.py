"""Compares what an evaluation chose with what it chooses without dropout or batch statistics."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

import torch

from bench.watching.read.passes import PassesOfEvaluation
from bench.watching.record.leaves import taken_apart
from bench.watching.record.replaying import Call
from results.doctor.watched.evaluation_facts import Switched

SEQUENCE_LAYERS = frozenset("gru lstm rnn_tanh rnn_relu".split())
DROPOUTS = frozenset("dropout dropout_ feature_dropout alpha_dropout dropout1d dropout2d".split())


def argument(call: Call, name: str, position: int) -> object:
    """Return an argument of a call, given by name or by position; None if neither."""
    args, kwargs = call.arguments()
    return kwargs.get(name, args[position] if len(args) > position else None)


def active_dropout(call: Call) -> float:
    """Return the probability with which a call drops values; 0 if it is not in train mode."""
    if call.name in DROPOUTS:
        p, training = argument(call, "p", 1), argument(call, "training", 2)
        if training is None:
            training = argument(call, "train", 2)
        if p is None:
            p = 0.5
        # torch.nn.functional.dropout drops unless it is told otherwise
        return float(p) if training in (True, None) and isinstance(p, int | float) else 0.0
    if call.name in SEQUENCE_LAYERS:
        where = _recurrent_dropout(call)
        args = call.arguments()[0]
        if where is not None and args[where - 1] > 1 and args[where + 1]:
            return float(args[where])
    return 0.0


def _recurrent_dropout(call: Call) -> int | None:
    """Return the position of the dropout of a recurrent layer: after its number of layers."""
    args = call.arguments()[0]
    for index in range(1, len(args) - 1):
        kinds = [type(args[index + k]) for k in (-2, -1, 0, 1)] if index > 1 else []
        if len(kinds) == 4 and kinds[:2] == [bool, int] and kinds[3] is bool:
            return index
    return None


def without_dropout(call: Call) -> Call:
    """Return the call without dropout."""
    args, kwargs = call.arguments()
    changed = list(args)
    if call.name in SEQUENCE_LAYERS:
        where = _recurrent_dropout(call)
        assert where is not None
        changed[where] = 0.0
    elif len(changed) > 1:
        changed[1] = 0.0
    else:
        kwargs = {**kwargs, "p": 0.0}
    return _with(call, tuple(changed), kwargs)


def _with(call: Call, args: tuple[object, ...], kwargs: dict[str, object]) -> Call:
    leaves, places = taken_apart((args, kwargs))
    return dataclasses.replace(call, leaves=leaves, places=places)


def uses_batch_statistics(call: Call) -> bool:
    """Return whether a call is batch norm by the batch's own statistics, and has running ones."""
    return (
        call.name == "batch_norm"
        and argument(call, "training", 5) is True
        and argument(call, "running_mean", 1) is not None
    )


def with_running_statistics(call: Call) -> Call:
    """Return a call of batch norm that uses the running statistics."""
    args, kwargs = call.arguments()
    if len(args) > 5:
        return _with(call, (*args[:5], False, *args[6:]), kwargs)
    return _with(call, args, {**kwargs, "training": False})


def _switched(
    one: PassesOfEvaluation, concerned: Callable[[Call], bool], off: Callable[[Call], Call]
) -> Switched | None:
    """Compare the choices of an evaluation with those after some calls were changed."""
    evaluation, found = one
    calls = evaluation.tape.calls
    hits = [index for index, call in enumerate(calls) if concerned(call)]
    if not hits:
        return None
    changed = [off(call) if concerned(call) else call for call in calls]
    other = dataclasses.replace(evaluation.tape, calls=changed).replay()
    differ = symbols = examples = rows = 0
    for this in found:
        parts = [(c.ids != c.among(other)).reshape(-1) for c in this.choices]
        differ += sum(int(part.sum()) for part in parts)
        symbols += sum(len(part) for part in parts)
        if len({len(part) for part in parts}) == 1 and len(parts) > 1:
            examples += int(torch.stack(parts).any(0).sum())
            rows += len(parts[0])
    place = calls[hits[0]].place
    return Switched(
        differ / max(symbols, 1),
        examples / rows if rows >= 20 else 0.0,
        symbols,
        str(place or ""),
        _rate(calls[index] for index in hits),
    )


def _rate(calls: Iterable[Call]) -> str:
    return f" of {max((active_dropout(call) for call in calls), default=0.0):g}"


def dropout_off(seen: list[PassesOfEvaluation]) -> Switched | None:
    if not _everywhere(seen[-1], lambda call: active_dropout(call) > 0):
        return None
    return _switched(seen[-1], lambda call: active_dropout(call) > 0, without_dropout)


def running_statistics(seen: list[PassesOfEvaluation]) -> Switched | None:
    if not _everywhere(seen[-1], uses_batch_statistics):
        return None
    return _switched(seen[-1], uses_batch_statistics, with_running_statistics)


def _everywhere(one: PassesOfEvaluation, concerned: Callable[[Call], bool]) -> bool:
    """Return whether a kind of call is in every pass."""
    calls = one[0].tape.calls
    return all(any(concerned(calls[index]) for index in this.calls) for this in one[1])
