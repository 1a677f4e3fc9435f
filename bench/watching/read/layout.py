"""Tells along which axis of the embedded symbols the examples of a batch lie.

Two things say so: the symbols themselves (sequences begin alike and end in padding), and which
predictions move when some examples are changed. In a sound model both agree. Where they clearly
disagree, the model takes one axis for the other, and the symbols are believed.

Letters in shapes: N predictions, V symbols, B examples, J steps.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.watching.read.entries import Lookup
from bench.watching.read.predictions import Predictions
from bench.watching.record.tape import Tape

MOVED = 1e-5
"""Change of a logit, in standard deviations of all logits, above which it counts as moved."""
CLEAN = 0.99
"""Share of predictions that must belong to exactly one example each."""
MOST_EXAMPLES = 512
"""A longer axis is not tried: it would be that of a vocabulary or of a whole corpus."""
MOST_CHOICES = 8
"""Most combinations of axes that are tried for one number of examples: each costs replays."""

Members = Sequence[Lookup]
"""A group: the lookups that one line of code makes in an embedding."""
Axes = list[int | None]
"""The axis of examples of each group; None if it has none."""


@dataclass
class Owners:
    """The example that moves each prediction."""

    owner_N: Tensor
    """The example; -1 if several do, or none."""
    mixed_N: Tensor
    """Whether several examples move it."""
    still_N: Tensor
    """Whether none does."""
    telling_N: Tensor | None = None
    """Whether a prediction counts: it is not NaN, and it has weight in the loss or some example
    moves it, as outputs at padding may be constant. None if all count."""

    @property
    def separate(self) -> bool:
        """Return whether most predictions are moved by one example each, and none by several."""
        return not bool(self.mixed_N.any()) and bool((self.owner_N >= 0).double().mean() > 0.5)

    @property
    def clean(self) -> float:
        """Return the share of predictions that exactly one example moves, of those that tell."""
        known_N = self.owner_N >= 0
        if self.telling_N is not None:
            known_N = known_N[self.telling_N]
        return float(known_N.double().mean()) if len(known_N) else 0.0


@dataclass
class Layout:
    """The number of examples, the axis of examples of each group, and what moves what."""

    examples: int
    axes: Axes
    owners: Owners


def find_layout(tape: Tape, asked: Predictions, groups: Sequence[Members]) -> Layout:
    """Return the layout in which predictions belong to one example each, as far as there is one."""
    candidates = list(_candidates(groups, len(asked.asked_N)))
    scores = [_content(groups, axes) for _, axes in candidates]
    best: Layout | None = None
    # the candidate of one example has the score 0 and always ends the search, so axes that the
    # symbols speak against are not tried
    for (examples, axes), _ in sorted(
        zip(candidates, scores, strict=True), key=lambda pair: -pair[1]
    ):
        # a batch of several was found, if not as cleanly as it should be: it is not one example
        if examples == 1 and best is not None and best.owners.separate:
            break
        layout = Layout(examples, axes, owners(tape, asked, groups, examples, axes))
        if best is None or layout.owners.clean > best.owners.clean + 1e-9:
            best = layout
        if layout.owners.clean >= CLEAN:
            break
    assert best is not None
    # where a model takes one axis for the other, its predictions are clean along the wrong one; the
    # symbols are asked among candidates in which no fewer groups have an axis of examples
    found_axes = _count(best.axes)
    whole = [
        (score, c)
        for c, score in zip(candidates, scores, strict=True)
        if _count(c[1]) >= found_axes
    ]
    top = max(score for score, _ in whole)
    believed = [candidate for score, candidate in whole if score == top]
    if top > 0 and (best.examples, best.axes) not in believed and best.owners.clean >= CLEAN:
        examples, axes = believed[0]
        found = owners(tape, asked, groups, examples, axes)
        return Layout(examples, axes, found)
    return best


def _count(axes: Axes) -> int:
    """Return how many groups of inputs have an axis of examples."""
    return sum(axis is not None for axis in axes)


def _candidates(groups: Sequence[Members], predictions: int) -> Iterator[tuple[int, Axes]]:
    """Yield possible numbers of examples, each with the axis of examples of every group."""
    sizes: dict[int, int] = {}
    for members in groups:
        for size in set(members[0].shape):
            if all(size in entry.shape for entry in members):
                sizes[size] = sizes.get(size, 0) + 1
    several = sorted((s for s in sizes if 1 < s <= MOST_EXAMPLES), key=lambda s: (-sizes[s], -s))
    for size in several:
        choices: list[Axes] = []
        for members in groups:
            axes = [axis for axis, length in enumerate(members[0].shape) if length == size]
            flat = _is_flat(members, groups, predictions)
            choices.append([None] if flat else list(axes) or [None])
        for chosen in itertools.islice(itertools.product(*choices), MOST_CHOICES):
            yield size, list(chosen)
    yield 1, [None] * len(groups)


def _is_flat(members: Members, groups: Sequence[Members], predictions: int) -> bool:
    """Return whether a group has a row for each position of another one, as letters of words do.

    Such a group has no axis of examples, even if one of its axes happens to be as long. A single
    example has as many positions as predictions, if it is one that is tagged.
    """
    grids = (other[0].shape for other in groups if other is not members)
    positions = {
        math.prod(shape)
        for shape in grids
        if len(shape) == 2 and (min(shape) > 1 or math.prod(shape) == predictions)
    }
    shape = members[0].shape
    return len(shape) == 2 and shape[0] in positions


def _content(groups: Sequence[Members], axes: Axes) -> float:
    """Return a score of how much the symbols look like sequences along these axes.

    It is negative where they look more like sequences along the other axis.
    """
    score = 0.0
    for members, axis in zip(groups, axes, strict=True):
        ids_BJ = None if axis is None else _sequences(members, axis)
        if ids_BJ is not None:
            score += sequence_likeness(ids_BJ) - sequence_likeness(ids_BJ.T)
    return score


def _sequences(members: Members, axis: int) -> Tensor | None:
    """Return the symbols of a group, of shape (examples, steps); None if they are not known.

    A loop looks up the symbols of one step at a time: then the members are the steps.
    """
    first = members[0].ids
    if first is None:
        return None
    if first.dim() == 2 and min(first.shape) > 1:
        return first.movedim(axis, 0)
    steps = [e.ids.flatten() for e in members if e.ids is not None and e.ids.shape == first.shape]
    whole = first.numel() == first.shape[axis] and len(steps) == len(members)
    return torch.stack(steps, 1) if whole else None


def sequence_likeness(ids_BJ: Tensor) -> float:
    """Return how much rows look like sequences, from 0 to 2.

    A common first symbol counts 1; padding at one end counts 1, or 0.5 if all rows have as much of
    it, as then it may be an end symbol.
    """
    rows, steps = ids_BJ.shape
    if rows < 2 or steps < 2:
        return 0.0
    score = 0.0
    if bool((ids_BJ[:, 0] == ids_BJ[0, 0]).all()):
        score += 1
    for ids in (ids_BJ, ids_BJ.flip(1)):
        pad = ids[:, -1].mode().values
        is_pad = ids == pad
        lengths = is_pad.sum(1)
        suffix = torch.arange(steps) >= steps - lengths[:, None]
        least, most = int(lengths.min()), int(lengths.max())
        # a symbol that ends a few rows of a small batch may do so by chance
        telling = least >= 1 or (most >= 2 and int((lengths > 0).sum()) * 2 >= rows)
        if telling and bool((is_pad == suffix.to(is_pad.device)).all()):
            score += 1 if least != most else 0.5
            break
    return score


def owners(
    tape: Tape,
    asked: Predictions,
    groups: Sequence[Members],
    examples: int,
    axes: Axes,
    chosen: Sequence[int] | None = None,
) -> Owners:
    """Return the example that moves each prediction.

    Half of the examples are changed at a time: those whose number has a certain bit, then those
    that do not have it. So the number of runs grows with the logarithm of the examples.

    chosen: the indices of the groups whose symbols are changed; None for all.
    """
    base_NV = asked.rows(tape.replay())
    rows = len(base_NV)
    owner_N = torch.zeros(rows, dtype=torch.long)
    mixed_N, still_N = torch.zeros(rows, dtype=torch.bool), torch.zeros(rows, dtype=torch.bool)
    if examples == 1:
        return Owners(owner_N, mixed_N, still_N)
    pairs = [
        (members, axis)
        for index, (members, axis) in enumerate(zip(groups, axes, strict=True))
        if axis is not None and (chosen is None or index in chosen)
    ]
    number_B = torch.arange(examples)
    for bit in range((examples - 1).bit_length()):
        has_B = (number_B >> bit) % 2 == 1
        moved = [
            moved_rows(asked, base_NV, disturbed(tape, pairs, chosen_B))
            for chosen_B in (has_B, ~has_B)
        ]
        owner_N += moved[0].long() << bit
        mixed_N |= moved[0] & moved[1]
        still_N |= ~moved[0] & ~moved[1]
    owner_N[mixed_N | still_N | (owner_N >= examples)] = -1
    telling_N = ~base_NV.isnan().any(-1) & ~(still_N & (asked.weight_N == 0))
    return Owners(owner_N, mixed_N, still_N, None if bool(telling_N.all()) else telling_N)


def moved_rows(asked: Predictions, base_NV: Tensor, values: dict[int, Tensor]) -> Tensor:
    """Return which predictions differ from those of the unchanged tape."""
    scale = base_NV[base_NV.isfinite()].std().clamp_min(1e-30)
    difference = (asked.rows(values) - base_NV).abs()
    # what is not a number cannot be told apart: it counts as not moved
    return difference.nan_to_num(0).amax(-1) > MOVED * scale


def disturbed(
    tape: Tape, pairs: Sequence[tuple[Members, int | None]], chosen_B: Tensor
) -> dict[int, Tensor]:
    """Run the tape again with the embedded symbols of some examples changed.

    A group whose axis is None is changed as a whole. Returns the values of the tape by number.
    """
    changes = {entry.key: _noise(chosen_B, axis) for members, axis in pairs for entry in members}
    return tape.replay(changes)


def _noise(chosen_B: Tensor, axis: int | None) -> Callable[[Tensor], Tensor]:
    """Return a function that adds the same noise at each call to chosen examples of a tensor."""

    def change(value: Tensor) -> Tensor:
        shape = [1] * value.dim()
        if axis is not None:
            shape[axis] = -1
        spread = value.detach().float().std().clamp_min(0.1)
        noise = torch.randn(value.shape, generator=torch.Generator().manual_seed(0))
        chosen = chosen_B.view(shape).to(value.device)
        return value + torch.where(chosen, (noise * spread).to(value), torch.zeros_like(value))

    return change
