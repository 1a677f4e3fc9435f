"""Measures what attention looks at, for `results.doctor.watched.attention` to judge."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.watching.read.layout import CLEAN, disturbed
from bench.watching.read.padded import padding_of
from bench.watching.read.reading import Group, StepReading
from bench.watching.read.recording import Recording
from bench.watching.read.weighing import HIDDEN, Weighing, weighings
from bench.watching.record.replaying import Change
from results.doctor.watched.attention import AttentionSeen, WeightsSeen

EVEN = 1e-7
"""Difference of two weights up to which they are one and the same."""
SAME = 1e-6
TURNED = 1e-3
"""Difference of weights that must change predictions."""


def attention_seen(recording: Recording) -> AttentionSeen | None:
    """Return what was seen of all weights over source positions."""
    rounds = [_weights(reading) for _, reading in recording.readings]
    rounds = [found for found in rounds if found]
    if not rounds:
        return None
    steps = recording.readings[-1][0].index
    return AttentionSeen(tuple(rounds[0]), tuple(rounds[-1]), recording.accuracy, steps)


def attention_of(reading: StepReading, values: dict[int, Tensor]) -> list[Weighing]:
    """Return the calls by which scores become weights that predictions depend on."""
    asked = reading.predictions
    wanted = set().union(*(reading.flow.ancestors(head.number) for head in asked.heads))
    return weighings(reading.flow, values, wanted, asked.between)


def _weights(reading: StepReading) -> list[WeightsSeen]:
    values = reading.tape.replay()
    by_place: dict[object, list[Weighing]] = {}
    for one in attention_of(reading, values):
        by_place.setdefault(one.place, []).append(one)
    source = next((g for g in reading.of_role("source")), None)
    moved = _moved(reading)
    return [_of_place(reading, found, values, source, moved) for found in by_place.values()]


def _moved(reading: StepReading) -> dict[int, Tensor] | None:
    """Run the tape again with one example changed; None if there is one only."""
    if reading.examples < 2:
        return None
    chosen_B = torch.arange(reading.examples) == reading.followed
    # what has no axis of examples, such as embedded positions, belongs to none of them
    groups = [group for group in reading.groups if group.batch_axis is not None]
    pairs = [(group.entries, group.batch_axis) for group in groups]
    return disturbed(reading.tape, pairs, chosen_B)


def _of_place(
    reading: StepReading,
    found: list[Weighing],
    values: dict[int, Tensor],
    source: Group | None,
    moved: dict[int, Tensor] | None,
) -> WeightsSeen:
    axis = found[0].axis
    weights = [one.weights(values) for one in found]
    scores = found[0].scores(values)
    hidden = [one.hidden(values) for one in found]
    covered, symbols = _covered(reading, hidden, axis, source)
    positions = source.ids_BJ.shape[1] if source is not None else 0
    return WeightsSeen(
        place=str(found[0].place),
        shape=tuple(scores.shape),
        axis=axis,
        positions=positions,
        over=_over(reading, found[0], scores, positions, moved),
        even=all(_even(one, axis) for one in weights),
        hidden=float(hidden[0].all(axis).double().mean()),
        steps=len(found),
        same_each_step=len(weights) > 2 and _same(weights),
        padding=_on_padding(reading, weights, axis, source),
        covered=covered,
        covered_symbols=symbols,
        without_effect=_without_effect(reading, found, values),
    )


def _over(
    reading: StepReading,
    one: Weighing,
    scores: Tensor,
    positions: int,
    moved: dict[int, Tensor] | None,
) -> str:
    """Return along what the normalised axis lies: source, batch, one (a single value) or other."""
    axis = one.axis
    size = scores.shape[axis]
    if size == 1:
        return "one" if positions > 1 else "source"
    if moved is not None and size == reading.examples:
        before, after = (given.clamp_min(HIDDEN) for given in (scores, one.scores(moved)))
        scale = before.where(before > HIDDEN, 0).abs().max().clamp_min(1e-6)
        changed = ((after - before).abs() > SAME * scale).movedim(axis, 0)
        hit = changed.flatten(1).any(1) if changed.dim() > 1 else changed
        elsewhere = [a for a, n in enumerate(scores.shape) if n == positions and a != axis]
        if int(hit.sum()) == 1 and (size != positions or elsewhere):
            return "batch"
    if size == positions:
        return "source"
    return "other" if positions in scores.shape else "unknown"


def _even(weights: Tensor, axis: int) -> bool:
    """Return whether all weights that are not 0 are one and the same along an axis."""
    lines = weights.movedim(axis, -1).reshape(-1, weights.shape[axis])
    positive = lines > 0
    low = lines.masked_fill(~positive, 2).amin(1)
    return weights.shape[axis] > 1 and bool((lines.amax(1) - low <= EVEN).all())


def _without_effect(reading: StepReading, found: list[Weighing], values: dict[int, Tensor]) -> bool:
    """Return whether no prediction changes where weights are turned round along their axis."""
    keys = {}
    for one in found:
        maker = reading.flow.makers[one.weights_number][-1:] if one.weights_number >= 0 else []
        weights = one.weights(values)
        turned = (weights.flip(one.axis) - weights).abs() > TURNED
        if not maker or not bool(turned.any()):
            return False
        keys[maker[0], one.weights_number] = _turned(one.axis)
    before, after = (reading.predictions.rows(run) for run in (values, reading.tape.replay(keys)))
    return bool(((before - after).abs() <= SAME * before.std().clamp_min(1e-6)).all())


def _turned(axis: int) -> Change:
    return lambda weights: weights.flip(axis)


def _same(weights: list[Tensor]) -> bool:
    first = weights[0]
    return all(w.shape == first.shape and bool((w - first).abs().max() <= EVEN) for w in weights)


def _on_padding(
    reading: StepReading, weights: list[Tensor], axis: int, source: Group | None
) -> float | None:
    """Return the mean weight on source positions that are padding, in examples that have some."""
    if source is None or source.batch_axis is None or reading.layout.owners.clean < CLEAN:
        return None
    padded_BJ = padding_of(source.ids_BJ)
    return None if padded_BJ is None else on_padding(weights, axis, padded_BJ)


def on_padding(weights: list[Tensor], axis: int, padded_BJ: Tensor) -> float | None:
    """Return the mean weight on padding, in examples that have some.

    weights: what softmaxes along the same axis gave. None if they lack an axis of examples or of
    source positions.
    """
    found = []
    for one in weights:
        lines_BXJ = _by_example(one, axis, padded_BJ)
        if lines_BXJ is None:
            continue
        mean_BJ = lines_BXJ.mean(1)
        rows = padded_BJ.any(1) & mean_BJ.isfinite().all(1)
        if bool(rows.any()):
            found.append(float((mean_BJ * padded_BJ)[rows].sum(1).mean()))
    return sum(found) / len(found) if found else None


def _covered(
    reading: StepReading, hidden: list[Tensor], axis: int, source: Group | None
) -> tuple[float, int]:
    """Return the share of source symbols that a mask hides at every step, and how many there are.

    Padding is no symbol of the source.
    """
    if source is None or source.batch_axis is None or reading.layout.owners.clean < CLEAN:
        return 0.0, 0
    ids_BJ = source.ids_BJ
    padded_BJ = padding_of(ids_BJ)
    real_BJ = torch.ones_like(ids_BJ, dtype=torch.bool) if padded_BJ is None else ~padded_BJ
    hidden_BJ = real_BJ.clone()
    for one in hidden:
        lines_BXJ = _by_example(one, axis, ids_BJ)
        if lines_BXJ is None:
            return 0.0, 0
        hidden_BJ &= lines_BXJ.all(1)
    share = float(hidden_BJ.sum() / real_BJ.sum())
    return share, len(torch.unique(ids_BJ[hidden_BJ]))


def _by_example(values: Tensor, axis: int, like_BJ: Tensor) -> Tensor | None:
    """Return scores or weights with the axes (example, other axes, source position).

    None if they have no axis of examples or of source positions. axis: that of the softmax.
    """
    examples, positions = like_BJ.shape
    lines = values.movedim(axis, -1)
    batch_axes = [a for a, n in enumerate(lines.shape[:-1]) if n == examples]
    if lines.shape[-1] != positions or not batch_axes:
        return None
    return lines.movedim(batch_axes[0], 0).reshape(examples, -1, positions)
