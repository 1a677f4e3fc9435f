"""Functions that plant faults: each takes a sound recipe and returns a faulty one.

A model is only changed by what `variants.contract.Model.parts` shows and what recurrent cells
offer. Where that is nothing, ValueError says so: a run whose fault changed nothing would be a
healthy run with a wrong label.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from bench.doctor.entropies import Entropy, as_loss
from bench.training.decoding import Decoding
from bench.training.evaluation import Collate, Evaluation
from bench.training.randomness import torch_generator
from bench.training.state import Loss, Recipe, TrainState
from tasks import EOS, Facts, Ragged, Split, Task
from variants import Batch, Encoded, Model, ModelParts, Step, Variant
from variants.cells import Cell, CellState
from variants.encoder import Read
from variants.seq2seq import Seq2Seq

Plant = Callable[[Recipe], Recipe]
"""Makes a faulty recipe of a sound one."""

# losses


def loss(entropy: Entropy) -> Plant:
    """Plant another entropy in the training loss."""
    return lambda recipe: replace(recipe, loss=as_loss(entropy))


# batches


def collated(change: Callable[[Batch], Batch]) -> Plant:
    """Plant a change of every batch, in training and in evaluation."""

    def plant(recipe: Recipe) -> Recipe:
        def collate(split: Split, facts: Facts, device: str) -> Batch:
            return change(recipe.collate(split, facts, device))

        return replace(recipe, collate=collate)

    return plant


def unshifted(batch: Batch) -> Batch:
    """Feed at each step the token that is to be given there, not the one before it."""
    return batch._replace(inputs_BT=batch.targets[0])


def attended_padding(batch: Batch) -> Batch:
    """Declare padding of the source real."""
    rows, steps = batch.source_BS.shape
    return batch._replace(
        source_mask_BS=torch.ones_like(batch.source_mask_BS),
        lengths_B=torch.full((rows,), steps, dtype=batch.lengths_B.dtype),
        even=True,
    )


def unsorted(batch: Batch) -> Batch:
    """Sort sources by length, as packing once asked for, and leave targets as they are."""
    # by first symbol too, so that sources of one length are moved as well
    order = np.lexsort((batch.source_BS[:, 0].cpu().numpy(), -batch.lengths_B.numpy()))
    rows = torch.from_numpy(order)
    return batch._replace(
        source_BS=batch.source_BS[rows],
        source_mask_BS=batch.source_mask_BS[rows],
        lengths_B=batch.lengths_B[rows],
    )


def other_vocabulary(recipe: Recipe) -> Recipe:
    """Number target symbols in another order than the one that they are read back in."""

    def collate(split: Split, facts: Facts, device: str) -> Batch:
        streams = []
        for target, size in zip(split.targets, facts.target_sizes, strict=True):
            first = 0 if facts.tagging else EOS + 1
            order = np.arange(size, dtype=target.ids.dtype)
            order[first:] = np.roll(order[first:], 1)
            streams.append(Ragged(order[target.ids], target.offsets))
        return recipe.collate(Split(split.source, tuple(streams)), facts, device)

    return replace(recipe, collate=collate)


# models


def built(change: Callable[[Model], None]) -> Plant:
    """Plant a change of the model before its first step."""

    def plant(recipe: Recipe) -> Recipe:
        def changed(model: Model) -> Model:
            model = recipe.built(model)
            change(model)
            return model

        return replace(recipe, built=changed)

    return plant


def _parts(model: nn.Module) -> ModelParts:
    """Return the parts of a model; ValueError if it shows none."""
    parts = model.parts() if isinstance(model, Model) else None
    if parts is None:
        raise ValueError(
            "this model shows no parts (see variants.contract.Model.parts), so the fault would "
            "change nothing; plant another"
        )
    return parts


def _present(part: nn.Module | None, name: str) -> nn.Module:
    """Return a part that is there; ValueError if the model has none."""
    if part is None:
        raise ValueError(
            f"this model has no {name}, so the fault would change nothing; plant another"
        )
    return part


@torch.no_grad()
def saturate(model: Model) -> None:
    """Scale the source embedding until its values spread by 20."""
    for parameter in _parts(model).source_embedding.parameters():
        parameter.mul_(20.0 / parameter.std())


def freeze_embeddings(model: Model) -> None:
    """Let every embedding keep its first values; ValueError if none of them is trained."""
    tables = [table for part in _parts(model).embeddings for table in part.parameters()]
    if not any(table.requires_grad for table in tables):
        raise ValueError("no embedding is trained, so freezing them would change nothing")
    for table in tables:
        table.requires_grad_(False)


def read_both_ways(model: Model) -> None:
    """Let scores be those of a decoder that reads the reference forward and backward.

    Logits are the means of both ways. Decoding, a step at a time, has no later step to read.
    """
    score = model.score

    def both(
        batch: Batch, fed_BT: Tensor | None = None, dropout: torch.Generator | None = None
    ) -> tuple[Tensor, ...]:
        order_BT = _turned(batch.mask_BT)
        turned = batch._replace(inputs_BT=batch.inputs_BT.gather(1, order_BT))
        fed_turned = None if fed_BT is None else fed_BT.gather(1, order_BT)
        # the places N of a row, in the order in which the way back comes to them
        steps = batch.mask_BT.shape[1]
        rows_N = batch.places_N // steps
        wanted_N = rows_N * steps + order_BT.flatten()[batch.places_N]
        at = torch.zeros(batch.mask_BT.numel(), dtype=torch.long, device=wanted_N.device)
        at[batch.places_N] = torch.arange(len(wanted_N), device=wanted_N.device)
        back = score(turned, fed_turned, dropout)
        ahead = score(batch, fed_BT, dropout)
        return tuple((a + b[at[wanted_N]]) / 2 for a, b in zip(ahead, back, strict=True))

    # in this one model alone, in front of its class's own methods
    vars(model)["score"] = both
    vars(model)["readouts"] = lambda *_, **__: None


def _turned(mask_BT: Tensor) -> Tensor:
    """Return the order_BT that turns each row's real positions and leaves padding in its place."""
    steps_T = torch.arange(mask_BT.shape[1], device=mask_BT.device)
    order_BT = mask_BT.sum(1, keepdim=True) - 1 - steps_T
    return torch.where(mask_BT, order_BT, steps_T.expand_as(order_BT))


SHUT = 12.0
"""Size of a bias that shuts a gate for good: its sigmoid is 6e-6."""


@torch.no_grad()
def forget(model: Model) -> None:
    """Shut the gates that keep what was, and make what h adds to gates next to nothing."""
    touched = 0
    for cell in model.modules():
        if isinstance(cell, Cell):
            gains, gates = cell.recurrent_gains(), cell.memory_gates()
            touched += len(gains) + len(gates)
            for gain in gains:
                gain.mul_(0.02)
            for gate in gates:
                gate.bias_H.fill_(gate.forgetting * SHUT)
    if not touched:
        raise ValueError(
            "this model has no recurrent weights or gates that it could forget by, so the fault "
            "would change nothing; plant another"
        )


def cut_source(model: Model) -> None:
    """Replace what the encoder gives by zeros."""

    def zeros(_: nn.Module, __: Any, read: Read) -> Read:
        states = (type(state)(*map(torch.zeros_like, state)) for state in read.states)
        return Read(torch.zeros_like(read.outputs_BSD), tuple(states))

    _present(_parts(model).encoder, "encoder").register_forward_hook(zeros)


def carry_state(model: Model) -> None:
    """Start the decoder from the first state that the batch before, of as many rows, had."""
    kept: dict[int, tuple[CellState, ...]] = {}

    def carried(_: nn.Module, __: Any, states: tuple[CellState, ...]) -> Any:
        rows = len(states[0].h_BH)
        before = kept.get(rows)
        kept[rows] = tuple(type(s)(*(part.detach() for part in s)) for s in states)
        return before  # None leaves the states as they are

    _present(_parts(model).bridge, "state that is handed over").register_forward_hook(carried)


def swap_axes(model: Model) -> None:
    """Let the encoder take the rows of a batch for the steps of a sequence."""
    encoder = _present(_parts(model).encoder, "encoder")

    def before(_: nn.Module, args: tuple[Tensor, Any, Any]) -> tuple[Tensor, None, Any]:
        embedded_BSE, _padding, dropout = args
        return embedded_BSE.transpose(0, 1), None, dropout

    def after(_: nn.Module, __: Any, read: Read) -> Read:
        outputs_BSD = read.outputs_BSD.transpose(0, 1)
        # nothing says which row a last state belongs to; each row takes its own last output
        last_BD = outputs_BSD[:, -1]
        states = (type(s)(*(last_BD[:, : part.shape[1]] for part in s)) for s in read.states)
        return Read(outputs_BSD, tuple(states))

    encoder.register_forward_pre_hook(before)
    encoder.register_forward_hook(after)


# optimizers


def source_embedding(parts: ModelParts) -> nn.Module | None:
    """Return the source embedding."""
    return parts.source_embedding


def encoder(parts: ModelParts) -> nn.Module | None:
    """Return the encoder, if there is one."""
    return parts.encoder


def left_out(choose: Callable[[ModelParts], nn.Module | None]) -> Plant:
    """Plant an optimizer that is not given the parameters of one part."""

    def plant(recipe: Recipe) -> Recipe:
        def optimizer(variant: Variant, model: nn.Module) -> torch.optim.Optimizer:
            part = _present(choose(_parts(model)), choose.__name__)
            trained = [parameter for parameter in part.parameters() if parameter.requires_grad]
            if not trained:
                raise ValueError("the part to leave out is not trained; plant another fault")
            for parameter in trained:
                parameter.requires_grad_(False)
            made = recipe.optimizer(variant, model)
            for parameter in trained:
                parameter.requires_grad_()
            return made

        return replace(recipe, optimizer=optimizer)

    return plant


def optimized(change: Callable[[Variant], Variant]) -> Plant:
    """Plant the optimizer of another variant."""

    def plant(recipe: Recipe) -> Recipe:
        def optimizer(variant: Variant, model: nn.Module) -> torch.optim.Optimizer:
            return recipe.optimizer(change(variant), model)

        return replace(recipe, optimizer=optimizer)

    return plant


def uncleared(recipe: Recipe) -> Recipe:
    """Plant an optimizer whose gradients are never cleared."""

    def optimizer(variant: Variant, model: nn.Module) -> torch.optim.Optimizer:
        made = recipe.optimizer(variant, model)
        # in this one optimizer alone, in front of its class's own method
        vars(made)["zero_grad"] = lambda *_, **__: None
        return made

    return replace(recipe, optimizer=optimizer)


# steps


class Change(Protocol):
    """Changes the variant and the feeding that a step is given."""

    def __call__(
        self, variant: Variant, batch: Batch, fed_BT: Tensor | None
    ) -> tuple[Variant, Tensor | None]: ...


def stepped(change: Change) -> Plant:
    """Plant a change of the variant and the feeding of every training step."""

    def plant(recipe: Recipe) -> Recipe:
        def step(
            state: TrainState,
            variant: Variant,
            facts: Facts,
            loss_of: Loss,
            batch: Batch,
            fed_BT: Tensor | None,
        ) -> tuple[Tensor, Tensor]:
            variant, fed_BT = change(variant, batch, fed_BT)
            return recipe.step(state, variant, facts, loss_of, batch, fed_BT)

        return replace(recipe, step=step)

    return plant


def fed_everywhere(
    variant: Variant, batch: Batch, fed_BT: Tensor | None
) -> tuple[Variant, Tensor | None]:
    """Feed the reference at every step."""
    return variant, None


def fed_nowhere(
    variant: Variant, batch: Batch, fed_BT: Tensor | None
) -> tuple[Variant, Tensor | None]:
    """Feed the model's own last token at every step."""
    return variant, torch.zeros_like(batch.mask_BT)


def unclipped(
    variant: Variant, batch: Batch, fed_BT: Tensor | None
) -> tuple[Variant, Tensor | None]:
    """Clip no gradient at any step."""
    return replace(variant, clip=0.0), fed_BT


# evaluation


class AlwaysDropping(Model):
    """A model whose dropout never ends, as one left in its training mode."""

    def __init__(self, model: Seq2Seq, generator: torch.Generator) -> None:
        super().__init__()
        self.model = model
        self.generator = generator

    def score(
        self, batch: Batch, fed_BT: Tensor | None = None, dropout: torch.Generator | None = None
    ) -> tuple[Tensor, ...]:
        """Return the logits_NV of each stream, with dropout in any case."""
        return self.model.score(batch, fed_BT, dropout or self.generator)

    def encode(self, batch: Batch) -> Encoded:
        """Read the sources, with dropout."""
        return self.model.encode(batch, self.generator)

    def step(self, tokens_B: Tensor, state: Any, memory: Any) -> Step:
        """Feed one token to each row, with dropout."""
        return self.model.step(tokens_B, state, memory, self.generator)


def dropout_stays(recipe: Recipe) -> Recipe:
    """Plant an evaluation that leaves dropout on."""
    generators: dict[str, torch.Generator] = {}

    def evaluate(
        model: Model, task: Task, split: Split, device: str, collate: Collate, decoding: Decoding
    ) -> Evaluation:
        if not isinstance(model, Seq2Seq):
            raise ValueError(
                "this model takes no dropout while it decodes, so the fault would change nothing; "
                "plant another"
            )
        if device not in generators:
            generators[device] = torch_generator(0, "dropout", device=device)
        dropping = AlwaysDropping(model, generators[device])
        return recipe.evaluate(dropping, task, split, device, collate, decoding)

    return replace(recipe, evaluate=evaluate)
