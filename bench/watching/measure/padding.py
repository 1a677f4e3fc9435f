"""Measures what padding does to a model: its layers, or its attention, without it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from statistics import fmean
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from bench.watching.measure.attention import attention_of, on_padding
from bench.watching.measure.evaluation.switched import SEQUENCE_LAYERS
from bench.watching.read.dividing import passes
from bench.watching.read.padded import padding_of
from bench.watching.read.passes import Pass
from bench.watching.read.reading import Group, StepReading
from bench.watching.read.recording import Recording
from bench.watching.read.training import habits
from bench.watching.record.replaying import Call, Change
from bench.watching.record.tape import Tape
from results.doctor.watched.data import PaddingSeen


def padding_seen(recording: Recording) -> PaddingSeen | None:
    """Return what padding does to the last round read; None if the encoder does not read any."""
    reading = recording.readings[-1][1]
    source = next((g for g in reading.of_role("source") if len(g.entries) == 1), None)
    padded_BJ = None if source is None else padding_of(source.ids_BJ)
    if source is None or padded_BJ is None or not bool(padded_BJ[:, -1].any()):
        return None
    places = _reading_padding(reading, source)
    if not places:
        return None
    lengths_B = (~padded_BJ).sum(1)
    plain = _with_layers(reading.tape, places, lambda call: _layer(call, None))
    packed = _with_layers(reading.tape, places, lambda call: _layer(call, lengths_B))
    symbol = int(source.ids_BJ[padded_BJ][0])
    concerned_N = padded_BJ.any(1)[reading.owner_N.clamp_min(0)] & (reading.owner_N >= 0)
    return PaddingSeen(
        symbol,
        float(padded_BJ.double().mean()),
        _right(reading, plain.replay(), concerned_N),
        _right(reading, packed.replay(), concerned_N),
        _passes_without(recording, symbol),
        str(reading.tape.calls[places[0]].place or ""),
    )


def attended_padding_seen(recording: Recording) -> PaddingSeen | None:
    """Return what weights on padding do to the last round read; None if there are none.

    Run again, the weights on padding are 0 and the others sum to 1, as with a mask.
    """
    reading = recording.readings[-1][1]
    source = next((g for g in reading.of_role("source") if g.batch_axis is not None), None)
    padded_BJ = None if source is None else padding_of(source.ids_BJ)
    if source is None or padded_BJ is None or not bool(padded_BJ[:, -1].any()):
        return None
    values = reading.tape.replay()
    changes, shares, place = {}, [], ""
    for one in attention_of(reading, values):
        share = on_padding([one.weights(values)], one.axis, padded_BJ)
        makers = reading.flow.makers[one.weights_number] if one.weights_number >= 0 else []
        if share is not None and makers:
            shares.append(share)
            change = _without_weight(one.axis, padded_BJ)
            changes[makers[-1], one.weights_number] = change
            place = str(one.place or "")
    if not shares or not max(shares):
        return None
    symbol = int(source.ids_BJ[padded_BJ][0])
    return PaddingSeen(
        symbol,
        fmean(shares),
        _right_examples(reading, values, padded_BJ.any(1)),
        _right_examples(reading, reading.tape.replay(changes), padded_BJ.any(1)),
        _passes_without(recording, symbol),
        place,
    )


def _without_weight(axis: int, padded_BJ: Tensor) -> Change:
    """Return a change that takes the weight on padding away, as a mask would."""

    def change(weights: Tensor) -> Tensor:
        examples = next(
            a for a, size in enumerate(weights.shape) if a != axis and size == len(padded_BJ)
        )
        shape = [1] * weights.dim()
        shape[examples], shape[axis] = padded_BJ.shape
        rows_BJ = padded_BJ.to(weights.device)
        hidden = (rows_BJ if examples < axis else rows_BJ.t()).reshape(shape)
        left = weights.masked_fill(hidden, 0)
        return left / left.sum(axis, keepdim=True).clamp_min(torch.finfo(left.dtype).tiny)

    return change


def _reading_padding(reading: StepReading, source: Group) -> list[int]:
    """Return the recurrent layers that are given the whole padded source, unpacked."""
    flow, tape = reading.flow, reading.tape
    values = tape.replay()
    wanted = set().union(*(flow.ancestors(head.number) for head in reading.predictions.heads))
    positions = source.ids_BJ.shape[1]
    found = []
    for index, call in flow.calls(*SEQUENCE_LAYERS):
        value = values[call.inputs[0]]
        steps = value.shape[1 if call.arguments()[0][-1] else 0] if value.dim() == 3 else 0
        if steps != positions or not wanted.intersection(call.results):
            continue
        if source.entries[0].number in flow.ancestors(call.inputs[0]):
            found.append(index)
    return found


def _with_layers(tape: Tape, places: list[int], changed: Callable[[Call], Call]) -> Tape:
    calls = [changed(call) if index in places else call for index, call in enumerate(tape.calls)]
    return dataclasses.replace(tape, calls=calls)


def _layer(call: Call, lengths_B: Tensor | None) -> Call:
    """Return a recurrent layer's call without dropout, also on real symbols only."""
    function = call.function

    def run(*args: Any) -> Any:
        value, state, weights, biases, layers, _, _, both, batch_first = args
        if lengths_B is None:
            return function(value, state, weights, biases, layers, 0.0, False, both, batch_first)
        batch = pack_padded_sequence(
            value, lengths_B.clamp_min(1), batch_first=batch_first, enforce_sorted=False
        )
        order, back = batch.sorted_indices, batch.unsorted_indices
        assert order is not None
        assert back is not None
        states = state if isinstance(state, tuple | list) else (state,)
        begin = tuple(part.index_select(1, order) for part in states)
        given = begin if isinstance(state, tuple | list) else begin[0]
        out, *ends = function(
            batch.data, batch.batch_sizes, given, weights, biases, layers, 0.0, False, both
        )
        whole = PackedSequence(out, batch.batch_sizes, order, back)
        length = value.shape[1 if batch_first else 0]
        output = pad_packed_sequence(whole, batch_first=batch_first, total_length=length)[0]
        return (output, *(end.index_select(1, back) for end in ends))

    return dataclasses.replace(call, function=run)


def _right(reading: StepReading, values: dict[int, Tensor], concerned_N: Tensor) -> float:
    """Return the share of right predictions among those that count and are concerned."""
    asked = reading.predictions
    counted_N = concerned_N & (asked.weight_N != 0)
    best_N = asked.rows(values).argmax(-1)
    return float((best_N == asked.asked_N)[counted_N].double().mean())


def _right_examples(reading: StepReading, values: dict[int, Tensor], concerned_B: Tensor) -> float:
    """Return the share of examples of which every prediction that counts is right.

    Decoding is fed what it has said, so one wrong prediction makes most of those after it wrong.
    """
    asked = reading.predictions
    wrong_N = (asked.rows(values).argmax(-1) != asked.asked_N) & (asked.weight_N != 0)
    wrong_B = reading.table(wrong_N, False).bool().any(1)
    return float((~wrong_B)[concerned_B].double().mean())


def _passes_without(recording: Recording, symbol: int) -> int:
    """Count the passes of evaluations without padding in their sources; 0 if any pass has some.

    Where sources are padded in evaluations too, one that fills its row is no other habit.
    """
    sides = habits(recording).sides
    seen = [
        one
        for evaluation in recording.evaluations
        if evaluation.after > 0
        for one in passes(evaluation.tape, evaluation.names, sides)
        if one.choices and one.source
    ]
    return 0 if any(_has(one, symbol) for one in seen) else len(seen)


def _has(one: Pass, symbol: int) -> bool:
    return any(e.ids is None or bool((e.ids == symbol).any()) for e in one.source)
