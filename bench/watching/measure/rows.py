"""Finds where examples of a batch affect each other, for `results.doctor.watched.rows`."""

from __future__ import annotations

import itertools
from dataclasses import replace

import torch
from torch import Tensor

from bench.watching.measure.pairing import order_of
from bench.watching.measure.renumbered import renumbered_seen
from bench.watching.read.layout import CLEAN, Owners, disturbed, owners
from bench.watching.read.reading import StepReading
from bench.watching.read.recording import Recording
from results.doctor.watched.rows import RowsSeen

UNMOVED = 1e-6
"""Relative difference below which two values count as equal."""
DIFFERENT = 0.1
"""Share of predictions with another owner above which examples have been exchanged."""


def rows_seen(recording: Recording) -> RowsSeen | None:
    """Return whether predictions depend on several examples, and what first mixes them."""
    found, torn = _mixed(recording), renumbered_seen(recording)
    return found if torn is None else replace(found or RowsSeen(0, 0.0), renumbered=torn)


def _mixed(recording: Recording) -> RowsSeen | None:
    found = None
    for _, reading in recording.readings:
        if reading.examples > 1:
            seen = _seen(reading)
            if seen.call or seen.exchanged is not None:
                return seen
            found = found or seen
    return found


def _seen(reading: StepReading) -> RowsSeen:
    found = reading.layout.owners
    mixed = float(found.mixed_N.double().mean())
    if found.clean >= CLEAN:
        return RowsSeen(reading.examples, mixed)
    exchanged = _exchanged(reading)
    if exchanged is not None and exchanged[0] == 0:  # sorted, and put back
        return RowsSeen(reading.examples, 0.0)
    if exchanged is not None:
        return RowsSeen(reading.examples, mixed, exchanged=exchanged)
    for example in (0, reading.examples - 1):
        where = _first_mixing(reading, example)
        if where is not None:
            call = reading.tape.calls[where[0]]
            shapes = tuple(tuple(t.shape) for t in where[1])
            return RowsSeen(reading.examples, mixed, call.name, str(call.place), shapes, where[2])
    return RowsSeen(reading.examples, mixed)


def _exchanged(reading: StepReading) -> tuple[float, str] | None:
    """Return the share of predictions that belong to one example by what is fed and to another by
    the source, and the line of the source; None if examples are not merely exchanged.

    The share is 0 where sources were put in another order before they are looked up, and what is
    made of them was put back.
    """
    members = [group.entries for group in reading.groups]
    axes = [group.batch_axis for group in reading.groups]
    if len(members) < 2:
        return None
    each = [
        owners(reading.tape, reading.predictions, members, reading.examples, axes, [index])
        for index in range(len(members))
    ]
    clean = [(index, found) for index, found in enumerate(each) if found.clean >= CLEAN / 2]
    for (first, a), (second, b) in itertools.pairwise(clean):
        both = (a.owner_N >= 0) & (b.owner_N >= 0)
        if not bool(both.any()) or bool(a.mixed_N.any()) or bool(b.mixed_N.any()):
            continue
        share = float((a.owner_N != b.owner_N)[both].double().mean())
        place = str(reading.groups[first].place)
        if share > DIFFERENT:
            before = [
                _before(reading, index, found)[both] for index, found in ((first, a), (second, b))
            ]
            return 0.0 if bool((before[0] == before[1]).all()) else share, place
    return None


def _before(reading: StepReading, index: int, found: Owners) -> Tensor:
    """Return the owners of predictions by where they stood before the script changed the order."""
    order = order_of(reading, reading.groups[index])
    return found.owner_N if order is None else torch.tensor(order)[found.owner_N]


def _first_mixing(reading: StepReading, example: int) -> tuple[int, list[Tensor], int] | None:
    """Return the first call whose result mixes an example with others.

    Returns:
        its index, its tensors before and after, and how many examples it moves.
    """
    tape, examples = reading.tape, reading.examples
    chosen_B = torch.arange(examples) == example
    base = tape.replay()
    # what has no axis of examples, such as embedded positions, belongs to none of them
    groups = [group for group in reading.groups if group.batch_axis is not None]
    pairs = [(group.entries, group.batch_axis) for group in groups]
    values = disturbed(tape, pairs, chosen_B)
    wanted = set().union(
        *(reading.flow.ancestors(head.number) for head in reading.predictions.heads)
    )
    for index, call in enumerate(tape.calls):
        for number in call.results:
            if number not in wanted or number not in base or call.name == "batch_norm":
                continue
            moved = _moved_examples(base[number], values[number], examples)
            if moved is not None and moved > 1:
                if index in reading.predictions.between:
                    return None  # a softmax of the predictions: losses have a rule for it
                inputs = [base[n] for n in call.inputs[:1]]
                return index, [*inputs, base[number]], moved
    return None


def _moved_examples(before: Tensor, after: Tensor, examples: int) -> int | None:
    """Return how many examples of a tensor moved; None if it has no axis of examples."""
    if before.shape != after.shape or not before.is_floating_point():
        return None
    scale = float(before.abs().max()) if before.numel() else 0.0
    moved = (before - after).abs() > UNMOVED * max(scale, 1e-6)
    counts = [
        int(moved.movedim(axis, 0).flatten(1).any(1).sum()) if moved.dim() > 1 else int(moved.sum())
        for axis, size in enumerate(before.shape)
        if size == examples and not _are_features(before, axis)
    ]
    return min(counts) if counts else None


def _are_features(value: Tensor, axis: int) -> bool:
    """Return whether an axis, as long as there are examples, is the last of flattened examples."""
    return value.dim() == 2 and axis == 1 and value.shape[0] > value.shape[1]
