"""Asks whether an evaluation uses the weights that were trained."""

from __future__ import annotations

from bench.watching.read.passes import Pass, PassesOfEvaluation
from bench.watching.read.reading import StepReading
from bench.watching.read.recording import Recording
from bench.watching.record.tape import Tape
from results.doctor.watched.evaluation_facts import OtherWeights

MOSTLY_KNOWN = 2 / 3
"""Share of the parameters of training that an evaluation must be known to use."""


def other_weights(seen: PassesOfEvaluation, recording: Recording) -> OtherWeights | None:
    """Return what a training step predicts with the weights of an evaluation that came after it.

    None where they are the same tensors, or do not belong to each other one by one.
    """
    evaluation, found = seen
    earlier = [pair for pair in recording.readings if 2 < pair[0].index <= evaluation.after]
    if not earlier or not found:
        return None
    one, reading = earlier[-1]
    pairs = _pairs(reading, found[-1])
    if not pairs:
        return None
    values = {mine: evaluation.tape.parameter_value(theirs) for mine, theirs in pairs.items()}
    if all(values[number].equal(reading.tape.parameter_value(number)) for number in values):
        return None
    asked = reading.predictions
    counted_N = asked.weight_N != 0
    if not bool(counted_N.any()):
        return None
    best_N = asked.rows(reading.tape.replay(roots=values)).argmax(-1)
    right_N = best_N == asked.asked_N
    same = sum(
        reading.tape.parameters[m] is evaluation.tape.parameters[t] for m, t in pairs.items()
    )
    return OtherWeights(
        evaluation.after - one.index,
        float(asked.right_N[counted_N].double().mean()),
        float(right_N[counted_N].double().mean()),
        same / len(pairs),
        str(evaluation.tape.calls[found[-1].choices[0].call].place or ""),
    )


def _pairs(reading: StepReading, one: Pass) -> dict[int, int]:
    """Return which parameter of a training step stands where which one of a pass does.

    Those that both use are the same; others belong together in the order of their first use,
    among those of one shape, if both have as many. Empty if most are left over.
    """
    tape = one.tape
    scores = [tape.calls[choice.call].inputs[0] for choice in one.choices]
    mine = _used(reading.tape, reading.flow.ancestors(reading.loss))
    theirs = _used(tape, set().union(*map(one.flow.ancestors, scores)))
    by_tensor = {id(tape.parameters[number]): number for number in theirs}
    tensors = reading.tape.parameters
    pairs = {n: by_tensor[id(tensors[n])] for n in mine if id(tensors[n]) in by_tensor}
    shapes = {reading.tape.roots[number].size for number in mine if number not in pairs}
    for shape in shapes:
        left = [n for n in mine if n not in pairs and reading.tape.roots[n].size == shape]
        others = [n for n in theirs if n not in pairs.values() and tape.roots[n].size == shape]
        if len(left) == len(others):
            pairs.update(zip(left, others, strict=True))
    return pairs if len(pairs) > MOSTLY_KNOWN * len(mine) else {}


def _used(tape: Tape, wanted: set[int]) -> list[int]:
    """Return the parameters among some tensors in the order of their first use."""
    numbers = dict.fromkeys(number for call in tape.calls for number in call.inputs)
    return [number for number in numbers if number in tape.parameters and number in wanted]
