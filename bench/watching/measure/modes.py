"""Measures what dropout and batch norm do in training, by runs of a round without them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable

from torch import Tensor

from bench.watching.measure.evaluation.switched import (
    DROPOUTS,
    active_dropout,
    argument,
    uses_batch_statistics,
    with_running_statistics,
    without_dropout,
)
from bench.watching.read.chains import STATES, loops
from bench.watching.read.reading import StepReading
from bench.watching.read.recording import Recording
from bench.watching.record.replaying import Call
from bench.watching.record.rounds import Round
from bench.watching.record.tape import Tape
from results.doctor.watched.modes import ModesSeen, StoppedDropout, SwitchedInTraining

PRODUCTS = ("mul", "__mul__", "mul_", "__imul__", "__rmul__")
FEWEST_FEATURES = 8
"""A mask of fewer features is not taken for dropout."""


def modes_seen(recording: Recording) -> ModesSeen | None:
    """Return what dropout and batch norm do in the last round that could be read."""
    if not recording.readings:
        return None
    one, reading = recording.readings[-1]
    dropped = _on_state(reading)
    norms = [call for call in one.tape.calls if uses_batch_statistics(call)]
    return ModesSeen(
        recording.accuracy,
        _switched(reading, reading.tape, dropped, without_dropout),
        _switched(reading, one.tape, norms, with_running_statistics),
        _stopped(recording.rounds),
        _strong(one, reading),
    )


def _strong(one: Round, reading: StepReading) -> SwitchedInTraining | None:
    """Return what the dropout with the largest probability does."""
    drops = [call for call in one.tape.calls if call.name in DROPOUTS and call.inputs]
    largest = max(map(active_dropout, drops), default=0.0)
    strong = [call for call in drops if largest > 0 and active_dropout(call) == largest]
    return _switched(reading, reading.tape, strong, without_dropout) or _by_mask(reading)


def _by_mask(reading: StepReading) -> SwitchedInTraining | None:
    """Return what dropout does that the script writes out as a product with a random mask."""
    values = reading.tape.replay()
    asked = reading.predictions
    before: set[int] = set().union(*(reading.flow.ancestors(head.number) for head in asked.heads))
    found: dict[int, float] = {}
    for index, call in reading.flow.calls(*PRODUCTS):
        if len(call.inputs) == 2 and call.inputs[0] in reading.flow.differentiable & before:
            dropped = _dropped(values[call.inputs[0]], values[call.inputs[1]])
            if dropped and _is_drawn(reading, call.inputs[1]):
                found[index] = dropped
    if not found:
        return None
    largest = max(found.values())
    strong = frozenset(index for index, dropped in found.items() if dropped > largest / 2)
    counted_N = asked.weight_N != 0
    rows = [values, reading.tape.replay(passed=strong)]
    right = [
        float((asked.rows(one).argmax(-1) == asked.asked_N)[counted_N].double().mean())
        for one in rows
    ]
    place = str(reading.tape.calls[min(strong)].place or "")
    return SwitchedInTraining(right[0], right[1], largest, reading.examples, place)


def _is_drawn(reading: StepReading, mask: int) -> bool:
    """Return whether a mask is made of random numbers, and of nothing that the model computed."""
    made_of = reading.flow.ancestors(mask)
    if made_of & reading.flow.computed:
        return False
    makers = (reading.tape.calls[i] for number in made_of for i in reading.flow.makers[number])
    return any(call.random is not None for call in makers)


def _dropped(value: Tensor, mask: Tensor) -> float:
    """Return the share of zeros in a random mask of single features; 0 if it is no such mask.

    A mask of padding is the same for all features of a position, and one-hot data has one number
    that is not 0 in each row.
    """
    if mask.shape != value.shape or mask.dim() < 2 or mask.shape[-1] < FEWEST_FEATURES:
        return 0.0
    rows = mask.reshape(-1, mask.shape[-1]).float()
    kept = rows[rows != 0]
    counts = (rows != 0).sum(1)
    same_rows = (rows == rows[:, :1]).all(1)
    if not len(kept) or bool((kept != kept[0]).any()) or float(same_rows.double().mean()) > 0.5:
        return 0.0
    if int(counts.min()) == int(counts.max()):
        return 0.0
    return 1 - len(kept) / rows.numel()


def _on_state(reading: StepReading) -> list[Call]:
    """Return the dropout that a state goes through on its way to the next step of a loop."""
    dropping = [call for call in reading.tape.calls if call.name in DROPOUTS and call.inputs]
    dropping = [call for call in dropping if active_dropout(call) > 0]
    if not dropping:
        return []
    found: dict[int, Call] = {}
    for calls in loops(reading):
        for before, after in itertools.pairwise(calls):
            for number in after.inputs[1 : 1 + STATES[after.name]]:
                made_of = reading.flow.ancestors(number)
                earlier = reading.flow.ancestors(before.inputs[1]) | set(before.inputs)
                for call in dropping:
                    given = reading.flow.ancestors(call.inputs[0])
                    between = call.results[0] in made_of and call.results[0] not in earlier
                    if between and given.intersection(before.results):
                        found[id(call)] = call
    return list(found.values())


def _switched(
    reading: StepReading, own: Tape, calls: list[Call], changed: Callable[[Call], Call]
) -> SwitchedInTraining | None:
    """Return the share of right predictions with some calls as they are, and changed."""
    if not calls:
        return None
    chosen = {id(call) for call in calls}
    others = [changed(call) if id(call) in chosen else call for call in own.calls]
    asked = reading.predictions
    counted_N = asked.weight_N != 0
    shares = [
        float((asked.rows(tape.replay()).argmax(-1) == asked.asked_N)[counted_N].double().mean())
        for tape in (own, dataclasses.replace(own, calls=others))
    ]
    return SwitchedInTraining(
        shares[0],
        shares[1],
        max(map(active_dropout, calls)),
        reading.examples,
        str(calls[0].place or ""),
    )


def _stopped(rounds: list[Round]) -> StoppedDropout | None:
    """Return the dropout that is switched off in training, from a round on to the last."""
    off_from: Round | None = None
    place, rate = "", 0.0
    for one in rounds:
        drops = [call for call in one.tape.calls if call.name in DROPOUTS]
        rates = [p for call in drops if isinstance(p := argument(call, "p", 1), float) and p > 0]
        if not rates or any(active_dropout(call) for call in drops):
            off_from = None
        elif off_from is None:
            off_from, place, rate = one, str(drops[0].place or ""), max(rates)
    if off_from is None or not rounds or off_from is rounds[-1]:
        return None
    return StoppedDropout(off_from.index, rounds[-1].index, rate, place)
