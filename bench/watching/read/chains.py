"""Follows state from step to step: recurrent calls in a loop, and slots that are written in one."""

from __future__ import annotations

import itertools

from torch import Tensor

from bench.watching.read.reading import StepReading
from bench.watching.record.replaying import Call
from results.doctor.watched.feeding import ChainSeen, OverwrittenSeen

STATES = {
    "gru": 1,
    "rnn_tanh": 1,
    "rnn_relu": 1,
    "lstm": 2,
    "gru_cell": 1,
    "rnn_tanh_cell": 1,
    "rnn_relu_cell": 1,
    "lstm_cell": 2,
}
"""Recurrent calls with the number of states that they are given after their input."""
FEWEST_LINKS = 2
"""A loop of fewer pairs of steps shows nothing."""


def loops(reading: StepReading) -> list[list[Call]]:
    """Return the recurrent calls that a loop makes over steps, loop by loop.

    In a loop that loses its state only the last call reaches the predictions; the others belong
    to it all the same.
    """
    chains: dict[tuple[object, ...], list[Call]] = {}
    values = reading.tape.replay()
    wanted = set().union(
        *(reading.flow.ancestors(head.number) for head in reading.predictions.heads)
    )
    for call in reading.tape.calls:
        count = STATES.get(call.name)
        if count is None or not call.results:
            continue
        if call.name.endswith("_cell") or _one_step(values[call.inputs[0]], reading.examples):
            chains.setdefault((call.name, *call.inputs[1 + count :]), []).append(call)
    found = (_reaching(calls, wanted) for calls in chains.values())
    return [calls for calls in found if len(calls) > FEWEST_LINKS]


def _reaching(calls: list[Call], wanted: set[int]) -> list[Call]:
    """Return the calls that predictions come from, and those of the same line beside them."""
    places = {str(call.place) for call in calls if wanted.intersection(call.results)}
    return [call for call in calls if str(call.place) in places]


def broken_chains(reading: StepReading) -> tuple[ChainSeen, ...]:
    """Return the loops over steps whose states do not come from the step before."""
    found = (_chain(reading, calls) for calls in loops(reading))
    return tuple(chain for chain in found if chain is not None)


def _one_step(value: Tensor, examples: int) -> bool:
    """Return whether a layer is given one step: (1, B, E), (B, 1, E) or (1, E)."""
    sizes = value.shape[:-1]
    return value.dim() >= 2 and sorted(sizes) in ([1], [1, 1], sorted((1, examples)))


def _chain(reading: StepReading, calls: list[Call]) -> ChainSeen | None:
    count = STATES[calls[0].name]
    linked = [
        [
            bool(set(before.results) & reading.flow.ancestors(number))
            for number in after.inputs[1 : 1 + count]
        ]
        for before, after in itertools.pairwise(calls)
    ]
    linked = [pair for pair in linked if len(pair) == count]
    if len(linked) < FEWEST_LINKS:
        return None
    kept = [any(pair[k] for pair in linked) for k in range(count)]
    # a layer whose second call takes nothing may be one that is given no state at all
    if all(kept):
        return None
    fed = {entry.number for group in reading.of_role("decoder") for entry in group.entries}
    return ChainSeen(
        calls[0].name,
        str(calls[1].place),
        len(calls),
        state=kept[0],
        memory=kept[-1],
        decoder=bool(fed & reading.flow.ancestors(calls[1].inputs[0])),
    )


def overwritten(reading: StepReading) -> OverwrittenSeen | None:
    """Return where a loop writes into one and the same slot, so that only the last is left."""
    tape = reading.tape
    wanted = reading.flow.ancestors(reading.loss)
    runs: dict[tuple[object, ...], int] = {}
    for call in tape.calls:
        if call.name != "__setitem__" or not call.inputs:
            for number in call.inputs:
                runs = {key: n for key, n in runs.items() if key[0] != number}
            continue
        target = call.inputs[0]
        args, _ = call.arguments()
        if target not in wanted or len(call.inputs) != 2:
            continue
        key = (target, repr(args[1]), str(call.place))
        runs[key] = runs.get(key, 0) + 1
        if runs[key] > FEWEST_LINKS:
            return OverwrittenSeen(str(call.place), repr(args[1]), runs[key])
    return None
