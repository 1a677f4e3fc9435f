"""Reads a round of training: which example and step each prediction belongs to, what reaches it.

Examples are told apart by changing some and running the tape again: a prediction belongs to the
example that moves it. Steps are told apart by gradients: those of a prediction's logits with
respect to an embedded symbol are 0 exactly where the prediction does not depend on it. Gradients
pass here also where the script cuts them; what the script cuts is asked elsewhere.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from bench.watching.read.entries import Lookup, entries
from bench.watching.read.flow import Flow
from bench.watching.read.layout import Layout, disturbed, find_layout, moved_rows
from bench.watching.read.microbatches import one_batch
from bench.watching.read.norms import with_pinned_norms
from bench.watching.read.predictions import Predictions, UnreadableError, predictions
from bench.watching.record.places import CodeLine
from bench.watching.record.tape import Tape

MOST_STEPS = 24
"""Steps of one example that are followed."""


ByKey = dict[tuple[int, int], Tensor]
"""Values by the keys of lookups."""


@dataclass
class Group:
    """Entries made at one place of the code: one for a whole sequence, or one for each step."""

    entries: list[Lookup]
    batch_axis: int | None
    """Axis of the ids along which examples lie; None if there is one example."""
    ids_BJ: Tensor
    """The symbols, by example and position; -1 where they are not known."""
    reach_JT: Tensor = field(default_factory=lambda: torch.zeros(0, 0))
    """How far each position moves each step of the followed example; 0 if it does not reach it."""
    role: str = "?"
    """source, decoder, start (one symbol for all steps), or unreached."""

    @property
    def place(self) -> CodeLine | None:
        """Return the line of the user's code."""
        return self.entries[0].place

    @property
    def first_steps(self) -> list[int]:
        """Return the first step that each position reaches; -1 if none."""
        return [int(row.nonzero()[0]) if bool(row.any()) else -1 for row in self.reach_JT > 0]


@dataclass
class StepReading:
    """Everything that was found about one round of training."""

    tape: Tape
    flow: Flow
    loss: int
    predictions: Predictions
    groups: list[Group]
    """Where the symbols enter that the loss is computed from."""
    aside: list[Group]
    """Where symbols enter that reach no loss."""
    layout: Layout
    owner_N: Tensor
    """The example of each prediction; -1 if it belongs to none or several."""
    step_N: Tensor
    """The step of each prediction within its example; -1 if it has no owner."""
    followed: int
    """The example whose steps were followed."""
    since: int = 0
    """Number of calls before those of its batch."""

    @property
    def examples(self) -> int:
        """Return the number of examples of the batch."""
        return self.layout.examples

    def of_role(self, role: str) -> list[Group]:
        """Return the groups of a role."""
        return [group for group in self.groups if group.role == role]

    @property
    def repeated(self) -> list[Group]:
        """Return what holds one symbol that a loop feeds to every step, if it feeds no others."""
        starts = [
            group
            for group in self.of_role("start")
            if group.entries[0].times >= self.steps or group.ids_BJ.shape[1] > 1
        ]
        return [] if self.of_role("decoder") else starts

    def fed(self) -> Tensor:
        """Return the symbols fed to the decoder, of shape (B, T); -1 where none is known.

        A symbol belongs to the first step that it reaches.
        """
        steps = self.steps
        fed_BT = torch.full((self.examples, steps), -1)
        for group in self.repeated:
            fed_BT[:] = group.ids_BJ[:, :1]
        for group in self.of_role("decoder"):
            for position, step in enumerate(group.first_steps):
                if 0 <= step < steps and position < group.ids_BJ.shape[1]:
                    fed_BT[:, step] = group.ids_BJ[:, position]
        return fed_BT

    @property
    def steps(self) -> int:
        """Return the number of predictions of the example that has the most."""
        return int(self.step_N.max()) + 1 if len(self.step_N) else 0

    def table(self, values_N: Tensor, missing: float = -1) -> Tensor:
        """Return values of predictions by example and step, of shape (B, T)."""
        kept = self.owner_N >= 0
        table_BT = torch.full((self.examples, self.steps), missing, dtype=values_N.dtype)
        table_BT[self.owner_N[kept], self.step_N[kept]] = values_N[kept]
        return table_BT


def read(tape: Tape, loss: int, since: int = 0, climbed: bool = False) -> StepReading:
    """Return what can be found about a round.

    Args:
        tape: the calls of the round.
        loss: number of the loss of its last batch.
        since: number of calls before those of that batch.
        climbed: whether the optimizers make the loss larger.

    Raises:
        UnreadableError: Its loss reads no predictions, or no symbols were seen to enter the model.
    """
    tape, loss = one_batch(with_pinned_norms(tape), loss)
    flow = Flow(tape)
    asked = predictions(tape, flow, loss, climbed)
    ancestors = flow.ancestors(loss)
    found = [e for e in entries(tape, flow) if not _is_asked(e, ancestors, asked, flow)]
    grouped = _grouped([entry for entry in found if entry.number in ancestors])
    if not grouped:
        raise UnreadableError(_no_symbols(tape, flow, loss))
    layout = find_layout(tape, asked, grouped)
    groups = [
        Group(members, axis, _ids(members, axis, layout.examples))
        for members, axis in zip(grouped, layout.axes, strict=True)
    ]
    aside = _grouped([entry for entry in found if entry.number not in ancestors])
    owners = layout.owners
    result = StepReading(
        tape,
        flow,
        loss,
        asked,
        groups,
        [Group(members, None, torch.zeros(0, 0), role="unreached") for members in aside],
        layout,
        owners.owner_N,
        _steps(owners.owner_N),
        _longest(owners.owner_N, asked.weight_N),
        since,
    )
    _follow(result)
    _assign_roles(result)
    return result


def _no_symbols(tape: Tape, flow: Flow, loss: int) -> str:
    values, ancestors = tape.replay(), flow.ancestors(loss)
    shapes = [
        f"{tuple(values[number].shape)} at {call.place}"
        for call in tape.calls
        if flow.differentiable.intersection(call.inputs)
        for number in call.inputs
        if number in ancestors - flow.differentiable and values[number].dim() > 1
    ]
    given = (
        f" (it is given tensors of shape {', '.join(list(dict.fromkeys(shapes))[:2])})"
        if shapes
        else ""
    )
    return (
        "no symbols were seen to enter the model: nothing is looked up in an embedding, and no "
        f"data is one-hot{given}"
    )


def _is_asked(entry: Lookup, ancestors: set[int], asked: Predictions, flow: Flow) -> bool:
    """Return whether one-hot data are what the loss asks for, not what a model is given."""
    if entry.weight >= 0 or entry.number not in ancestors:
        return False
    return not any(entry.number in flow.ancestors(head.number) for head in asked.heads)


def _grouped(found: list[Lookup]) -> list[list[Lookup]]:
    """Group entries by the line of the code and the embedding, and the kind of their use."""
    groups: dict[tuple[object, ...], list[Lookup]] = {}
    for entry in found:
        key = (entry.place, entry.weight >= 0, entry.parameter)
        groups.setdefault(key, []).append(entry)
    return [list(members) for members in groups.values()]


def _steps(owner_N: Tensor) -> Tensor:
    """Count the predictions of each example in their order."""
    step_N = torch.full_like(owner_N, -1)
    for owner in torch.unique(owner_N).tolist():
        if owner >= 0:
            rows = (owner_N == owner).nonzero()[:, 0]
            step_N[rows] = torch.arange(len(rows))
    return step_N


def _ids(members: list[Lookup], axis: int | None, examples: int) -> Tensor:
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


def _follow(reading: StepReading) -> None:
    """Fill in how far each position of each group moves each step of the followed example."""
    rows = (reading.owner_N == reading.followed).nonzero()[:, 0].tolist()[:MOST_STEPS]
    columns: list[ByKey] = []
    # where a script writes into tensors, gradients past its cuts cannot always be computed
    for uncut in (True, False):
        with contextlib.suppress(RuntimeError):
            columns = _columns(reading, rows, uncut)
            break
    for group in reading.groups:
        reaches = [_reach(group, column, reading.followed) for column in columns]
        positions = group.ids_BJ.shape[1]
        group.reach_JT = torch.stack(reaches, 1) if reaches else torch.zeros(positions, 0)


def _columns(
    reading: StepReading, rows: list[int], uncut: bool
) -> list[dict[tuple[int, int], Tensor]]:
    """Return for each prediction its gradients with respect to the embedded symbols."""
    tape, asked = reading.tape, reading.predictions
    leaves: ByKey = {}

    def leaf(key: tuple[int, int]) -> Callable[[Tensor], Tensor]:
        def change(value: Tensor) -> Tensor:
            leaves[key] = value.detach().clone().requires_grad_()
            return leaves[key] * 1

        return change

    keys = [entry.key for group in reading.groups for entry in group.entries]
    values = tape.replay({key: leaf(key) for key in keys}, gradients=True, uncut=uncut)
    flat = [head.by_row(values[head.number]) for head in asked.heads]
    starts = list(itertools.accumulate([len(part) for part in flat], initial=0))
    columns = []
    for row in rows:
        part = max(k for k, start in enumerate(starts[:-1]) if start <= row)
        columns.append(_gradients(flat[part][row - starts[part]], row, leaves))
    return columns


def _gradients(logits_V: Tensor, row: int, leaves: ByKey) -> ByKey:
    """Return the gradients of one prediction's logits, weighed at random."""
    weights_V = torch.randn(len(logits_V), generator=torch.Generator().manual_seed(row))
    target = (logits_V * weights_V.to(logits_V)).sum()
    if not target.requires_grad:
        return {}
    found = torch.autograd.grad(target, list(leaves.values()), retain_graph=True, allow_unused=True)
    return {key: g.detach() for key, g in zip(leaves, found, strict=True) if g is not None}


def _reach(group: Group, gradients: ByKey, example: int) -> Tensor:
    """Return how far each position of a group moves one step of an example, of shape (J,)."""
    parts = []
    for entry in group.entries:
        gradient = gradients.get(entry.key, torch.zeros(entry.shape))
        norms = gradient.float().reshape(*entry.shape, -1).norm(dim=-1)
        if group.batch_axis is not None:
            norms = norms.select(group.batch_axis, example)
        parts.append(norms.reshape(-1).cpu())
    return torch.cat(parts)


def _assign_roles(reading: StepReading) -> None:
    """Tell the source from what the decoder is fed.

    The source reaches the first step from beyond its first position; a decoder's position reaches
    only its own step and later ones.
    """
    for group in reading.groups:
        group.role = _role(reading, group)
    _tell_concatenated(reading.of_role("decoder"))
    _tell_unread(reading)
    if [group.role for group in reading.groups] == ["decoder"] and not reading.aside:
        # one input whose positions line up with the outputs: a tagger
        reading.groups[0].role = "source"


def _role(reading: StepReading, group: Group) -> str:
    reach_JT = group.reach_JT > 0
    if not bool(reach_JT.any()):
        return "source" if _moves(reading, group) else "unreached"
    if _for_all_steps(group, reach_JT):
        return "start"
    several = reach_JT.shape[0] > 1 and reach_JT.shape[1] > 1
    return "decoder" if several and _causal(reach_JT) else "source"


def _tell_concatenated(decoders: list[Group]) -> None:
    """Give groups of sequences that lie one behind the other their roles.

    There the source of an example comes before that of the next, as what the decoder is fed does.
    """
    several = [group for group in decoders if group.first_steps.count(0) > 1]
    flat = all(len(group.entries[0].shape) == 1 for group in decoders)
    if flat and len(several) < len(decoders):
        for group in several:
            group.role = "source"


def _tell_unread(reading: StepReading) -> None:
    """Tell what the decoder is fed from a source where the decoder reads only its first symbol.

    A decoder that is fed its own probabilities reads no other symbol of a sequence either; there
    later predictions are computed from earlier ones.
    """
    heads = reading.predictions.heads
    if reading.of_role("decoder") or len(reading.of_role("source")) < 2:
        return
    if any(head.number in reading.flow.ancestors(heads[-1].number) for head in heads[:-1]):
        return
    for group in reading.of_role("source"):
        reach_JT = group.reach_JT > 0
        several = min(reach_JT.shape) > 1 and len(group.entries) == 1
        only_first = several and bool(reach_JT[0].all()) and not bool(reach_JT[1:].any())
        if only_first and len(torch.unique(group.ids_BJ[:, 0])) == 1:
            group.role = "start"


def _for_all_steps(group: Group, reach_JT: Tensor) -> bool:
    """Return whether all steps are fed one symbol: the only one, or the first of a sequence."""
    if reach_JT.shape[0] == 1 < reach_JT.shape[1] and len(torch.unique(group.ids_BJ)) == 1:
        return True
    others = bool(reach_JT[1:].any()) or len(torch.unique(group.ids_BJ[:, 0])) > 1
    each = len(group.entries) == 1 and 1 < reach_JT.shape[1] <= group.entries[0].times
    return each and not others and bool(reach_JT[0].all())


def _moves(reading: StepReading, group: Group) -> bool:
    """Return whether predictions move when all embedded symbols of a group are changed."""
    asked = reading.predictions
    everything = torch.ones(1, dtype=torch.bool)
    values = disturbed(reading.tape, [(group.entries, None)], everything)
    return bool(moved_rows(asked, asked.rows(reading.tape.replay()), values).any())


def _causal(reach_JT: Tensor) -> bool:
    """Return whether later positions reach only later steps."""
    first = [int(row.nonzero()[0]) for row in reach_JT if bool(row.any())]
    return first == sorted(first) and first[-1] > first[0]
