"""Reads a round of training: which example and step each prediction belongs to, what reaches it.

Examples are told apart by changing some and running the tape again: a prediction belongs to the
example that moves it. Steps are told apart by gradients: those of a prediction's logits with
respect to an embedded symbol are 0 exactly where the prediction does not depend on it. Gradients
pass here also where the script cuts them; what the script cuts is asked elsewhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from bench.watch.entries import Entry, entries
from bench.watch.flow import Flow
from bench.watch.places import Place
from bench.watch.predictions import Predictions, predictions
from bench.watch.tape import Tape

MOVED = 1e-5
"""Change of a logit, in standard deviations of all logits, above which it counts as moved."""
CLEAN = 0.99
"""Share of predictions that must belong to exactly one example each."""
MOST_STEPS = 24
"""Steps of one example that are followed."""
MOST_EXAMPLES = 256


@dataclass
class Group:
    """Entries made at one place of the code: one for a whole sequence, or one for each step."""

    entries: list[Entry]
    batch_axis: int | None
    """Axis of the ids along which examples lie; None if there is one example."""
    ids_BJ: Tensor
    """The symbols, by example and position; -1 where they are not known."""
    reach_JT: Tensor = field(default_factory=lambda: torch.zeros(0, 0))
    """How far each position moves each step of the followed example; 0 if it does not reach it."""
    role: str = "?"
    """source, decoder, or unreached."""

    @property
    def place(self) -> Place | None:
        """Return the line of the user's code."""
        return self.entries[0].place

    @property
    def first_steps(self) -> list[int]:
        """Return the first step that each position reaches; -1 if none."""
        return [int(row.nonzero()[0]) if bool(row.any()) else -1 for row in self.reach_JT > 0]


@dataclass
class Reading:
    """What was found about a round of training."""

    tape: Tape
    flow: Flow
    loss: int
    predictions: Predictions
    groups: list[Group]
    examples: int
    owner_N: Tensor
    """The example of each prediction; -1 if it belongs to none or several."""
    step_N: Tensor
    """The step of each prediction within its example; -1 if it has no owner."""
    mixed: float
    """Share of the predictions that several examples move."""
    still: float
    """Share of the predictions that no example moves."""
    followed: int
    """The example whose steps were followed."""

    def of_role(self, role: str) -> list[Group]:
        """Return the groups of a role."""
        return [group for group in self.groups if group.role == role]

    def table(self, values_N: Tensor, missing: float = -1) -> Tensor:
        """Return values of predictions by example and step, of shape (B, T)."""
        kept = self.owner_N >= 0
        steps = int(self.step_N.max()) + 1 if bool(kept.any()) else 0
        table_BT = torch.full((self.examples, steps), missing, dtype=values_N.dtype)
        table_BT[self.owner_N[kept], self.step_N[kept]] = values_N[kept]
        return table_BT


def read(tape: Tape, loss: int) -> Reading | None:
    """Return what can be found about a round, or None if its loss reads no predictions."""
    flow = Flow(tape)
    asked = predictions(tape, flow, loss)
    if asked is None:
        return None
    found = entries(tape, flow, loss)
    if not found:
        return None
    grouped = _grouped(found)
    base_NV = _rows(asked, tape.replay())
    best: tuple[float, int, list[int | None], Tensor, Tensor, Tensor] | None = None
    for examples, axes in _layouts(grouped):
        owner_N, mixed_N, still_N = _owners(tape, asked, base_NV, grouped, examples, axes)
        clean = float((owner_N >= 0).double().mean())
        if best is None or clean > best[0] + 1e-9:
            best = clean, examples, axes, owner_N, mixed_N, still_N
        if clean >= CLEAN:
            break
    assert best is not None
    _, examples, axes, owner_N, mixed_N, still_N = best
    step_N = _steps(owner_N)
    groups = [
        Group(members, axis, _ids(members, axis, examples))
        for members, axis in zip(grouped, axes, strict=True)
    ]
    result = Reading(
        tape,
        flow,
        loss,
        asked,
        groups,
        examples,
        owner_N,
        step_N,
        float(mixed_N.double().mean()),
        float(still_N.double().mean()),
        _longest(owner_N, asked.weight_N),
    )
    _follow(result)
    _assign_roles(result)
    return result


def _rows(asked: Predictions, values: dict[int, Tensor]) -> Tensor:
    """Return the logits of all predictions as (N, V); narrower ones are filled with 0."""
    parts = [read.by_row(values[read.number]).detach().double() for read in asked.reads]
    width = max(part.shape[-1] for part in parts)
    return torch.cat([torch.nn.functional.pad(part, (0, width - part.shape[-1])) for part in parts])


def _grouped(found: list[Entry]) -> list[list[Entry]]:
    """Group entries by the line of the code and the embedding, and the kind of their use."""
    groups: dict[tuple[object, ...], list[Entry]] = {}
    for entry in found:
        key = (entry.place, entry.weight if entry.weight >= 0 else "data")
        groups.setdefault(key, []).append(entry)
    return [list(members) for members in groups.values()]


def _layouts(groups: list[list[Entry]]) -> Iterator[tuple[int, list[int | None]]]:
    """Yield possible numbers of examples, each with the axis of examples of every group."""
    sizes: dict[int, int] = {}
    for members in groups:
        for size in set(members[0].shape):
            if all(size in entry.shape for entry in members):
                sizes[size] = sizes.get(size, 0) + 1
    several = sorted((s for s in sizes if 1 < s <= MOST_EXAMPLES), key=lambda s: (-sizes[s], -s))
    for size in several:
        choices = []
        for members in groups:
            shape = members[0].shape
            axes: list[int | None] = [axis for axis, length in enumerate(shape) if length == size]
            choices.append(axes or [None])
        for axes_of_all in itertools.islice(itertools.product(*choices), 8):
            yield size, list(axes_of_all)
    yield 1, [None] * len(groups)


def _owners(
    tape: Tape,
    asked: Predictions,
    base_NV: Tensor,
    groups: list[list[Entry]],
    examples: int,
    axes: list[int | None],
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the example that moves each prediction, which move with several, and with none.

    Half of the examples are changed at a time: those whose number has a certain bit, then those
    that do not have it. So the number of runs grows with the logarithm of the examples.
    """
    rows = len(base_NV)
    if examples == 1:
        none_N = torch.zeros(rows, dtype=torch.bool)
        return torch.zeros(rows, dtype=torch.long), none_N, none_N
    owner_N = torch.zeros(rows, dtype=torch.long)
    mixed_N, still_N = torch.zeros(rows, dtype=torch.bool), torch.zeros(rows, dtype=torch.bool)
    number_B = torch.arange(examples)
    scale = float(base_NV.std().clamp_min(1e-30))
    for bit in range(max(examples - 1, 1).bit_length()):
        has_B = (number_B >> bit) % 2 == 1
        moved = [
            _moved(tape, asked, base_NV, groups, axes, chosen_B, scale)
            for chosen_B in (has_B, ~has_B)
        ]
        owner_N += moved[0].long() << bit
        mixed_N |= moved[0] & moved[1]
        still_N |= ~moved[0] & ~moved[1]
    owner_N[mixed_N | still_N | (owner_N >= examples)] = -1
    return owner_N, mixed_N, still_N


def _moved(
    tape: Tape,
    asked: Predictions,
    base_NV: Tensor,
    groups: list[list[Entry]],
    axes: list[int | None],
    chosen_B: Tensor,
    scale: float,
) -> Tensor:
    """Return which predictions move when the embedded symbols of some examples are changed."""
    changes, roots = {}, {}
    for members, axis in zip(groups, axes, strict=True):
        if axis is None:
            continue
        for entry in members:
            change = _changed(chosen_B, axis)
            if entry.weight >= 0:
                changes[entry.call, entry.number] = change
            else:
                roots[entry.number] = change(tape.root_values()[entry.number])
    values = tape.replay(changes, roots=roots)
    return (_rows(asked, values) - base_NV).abs().amax(-1) > MOVED * scale


def _changed(chosen_B: Tensor, axis: int) -> Callable[[Tensor], Tensor]:
    def change(value: Tensor) -> Tensor:
        shape = [1] * value.dim()
        shape[axis] = -1
        spread = value.detach().float().std().clamp_min(0.1)
        noise = torch.randn(value.shape, generator=torch.Generator().manual_seed(0))
        chosen = chosen_B.view(shape).to(value.device)
        return value + torch.where(chosen, noise * spread, 0.0).to(value)

    return change


def _steps(owner_N: Tensor) -> Tensor:
    """Count the predictions of each example in their order."""
    step_N = torch.full_like(owner_N, -1)
    for owner in torch.unique(owner_N).tolist():
        if owner >= 0:
            rows = (owner_N == owner).nonzero()[:, 0]
            step_N[rows] = torch.arange(len(rows))
    return step_N


def _ids(members: list[Entry], axis: int | None, examples: int) -> Tensor:
    parts = []
    for entry in members:
        if entry.ids is None:
            parts.append(torch.full((examples, 1), -1))
        elif axis is None:
            parts.append(entry.ids.reshape(1, -1).expand(examples, -1))
        else:
            parts.append(entry.ids.movedim(axis, 0).reshape(examples, -1))
    return torch.cat([part.cpu().long() for part in parts], 1)


def _longest(owner_N: Tensor, weight_N: Tensor) -> int:
    """Return the example with the most predictions that count."""
    counted = owner_N[(owner_N >= 0) & (weight_N != 0)]
    return int(counted.bincount().argmax()) if len(counted) else 0


def _follow(reading: Reading) -> None:
    """Fill in how far each position of each group moves each step of the followed example."""
    tape, asked = reading.tape, reading.predictions
    leaves: dict[int, Tensor] = {}

    def leaf(number: int) -> Callable[[Tensor], Tensor]:
        def change(value: Tensor) -> Tensor:
            leaves[number] = value.detach().clone().requires_grad_()
            return leaves[number] * 1

        return change

    changes, roots = {}, {}
    data = tape.root_values()
    for group in reading.groups:
        for entry in group.entries:
            if entry.weight >= 0:
                changes[entry.call, entry.number] = leaf(entry.number)
            else:
                roots[entry.number] = leaf(entry.number)(data[entry.number])
    values = tape.replay(changes, gradients=True, uncut=True, roots=roots)
    numbers = list(leaves)
    rows = (reading.owner_N == reading.followed).nonzero()[:, 0].tolist()[:MOST_STEPS]
    columns: list[dict[int, Tensor]] = []
    flat = [read.by_row(values[read.number]) for read in asked.reads]
    starts = list(itertools.accumulate([len(part) for part in flat], initial=0))
    for row in rows:
        part = max(k for k, start in enumerate(starts[:-1]) if start <= row)
        logits_V = flat[part][row - starts[part]]
        weights_V = torch.randn(len(logits_V), generator=torch.Generator().manual_seed(row)).to(
            logits_V
        )
        target = (logits_V * weights_V).sum()
        if not target.requires_grad:
            columns.append({})
            continue
        gradients = torch.autograd.grad(
            target, [leaves[n] for n in numbers], retain_graph=True, allow_unused=True
        )
        columns.append(
            {n: g.detach() for n, g in zip(numbers, gradients, strict=True) if g is not None}
        )
    for group in reading.groups:
        group.reach_JT = (
            torch.stack([_reach(group, column, reading.followed) for column in columns], 1)
            if columns
            else torch.zeros(group.ids_BJ.shape[1], 0)
        )


def _reach(group: Group, gradients: dict[int, Tensor], example: int) -> Tensor:
    """Return how far each position of a group moves one step of an example, of shape (J,)."""
    parts = []
    for entry in group.entries:
        gradient = gradients.get(entry.number, torch.zeros(entry.shape))
        norms = gradient.float().reshape(*entry.shape, -1).norm(dim=-1)
        if group.batch_axis is not None:
            norms = norms.select(group.batch_axis, example)
        parts.append(norms.reshape(-1).cpu())
    return torch.cat(parts)


def _assign_roles(reading: Reading) -> None:
    """Tell the source from what the decoder is fed.

    The source reaches the first step from beyond its first position; a decoder's position reaches
    only its own step and later ones.
    """
    for group in reading.groups:
        reach = group.reach_JT > 0
        if not bool(reach.any()):
            group.role = "unreached"
        elif reach.shape[0] > 1 and reach.shape[1] > 1 and _causal(reach):
            group.role = "decoder"
        else:
            group.role = "source"
    if [group.role for group in reading.groups] == ["decoder"]:
        # one input whose positions line up with the outputs: a tagger
        reading.groups[0].role = "source"


def _causal(reach_JT: Tensor) -> bool:
    """Return whether later positions reach only later steps."""
    first = [int(row.nonzero()[0]) if bool(row.any()) else reach_JT.shape[1] for row in reach_JT]
    return first == sorted(first) and first[-1] > first[0]
