"""The doctor for a plain PyTorch encoder-decoder, in a notebook.

    import bench
    bench.examine(model, [(source, inputs, targets)], loss=loss, step=step)

source_BS, inputs_BT and targets_BT are ids as the model is trained on, padded with `pad`: inputs
are what the decoder is fed, targets what it should output. The model is called as
model(source, inputs) and returns logits_BTV; `forward` says how to call it otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.doctor import probes, wrong_losses
from bench.doctor.patient import EXAMINED_ROWS, Patient, of_commonest_length
from bench.doctor.step import compare_step, gradients_of
from bench.training import batching
from results.doctor.examined import ExaminedRun, Finding
from results.doctor.health import BatchContents, Health, Losses, StepEffect
from results.doctor.rules import findings
from tasks import BOS, EOS, Facts, Ragged, Split
from variants import Batch, Model

Triple = tuple[Tensor, Tensor, Tensor]
"""A batch: source_BS, inputs_BT and targets_BT."""
Forward = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""Calls a model with source_BS and inputs_BT and returns logits_BTV."""
TripleLoss = Callable[[Tensor, Tensor], Tensor]
"""Returns the loss of logits_BTV and targets_BT."""
TripleStep = Callable[[Tensor, Tensor, Tensor], object]
"""Takes one training step on a batch."""


@dataclass(frozen=True)
class SpecialIds:
    """The ids that stand for no content."""

    pad: int
    bos: int
    eos: int


class _Wrapped(Model):
    """Wraps a foreign model so that it offers `score`, the only method that is needed here."""

    def __init__(self, model: nn.Module, call: Forward) -> None:
        super().__init__()
        self.model, self.call = model, call

    def score(
        self, batch: Batch, fed_BT: Tensor | None = None, dropout: torch.Generator | None = None
    ) -> tuple[Tensor, ...]:
        logits_BTV = self.call(self.model, batch.source_BS, batch.inputs_BT)
        return (logits_BTV.flatten(0, 1)[batch.places_N],)


@dataclass(frozen=True)
class _Case:
    """Holds what the caller of `examine` gave, with the first of the batches."""

    model: nn.Module
    triple: Triple
    loss: TripleLoss | None
    call: Forward
    ids: SpecialIds


def examine(
    model: nn.Module,
    batches: Sequence[Triple],
    loss: TripleLoss | None = None,
    step: TripleStep | None = None,
    forward: Forward | None = None,
    pad: int = 0,
    bos: int = BOS,
    eos: int = EOS,
) -> list[Finding]:
    """Return what is wrong with a model, as far as the first batch shows it; causes first.

    The model is examined in eval mode and left in the mode that it was in.

    Args:
        model: an encoder-decoder.
        batches: each (source, inputs, targets), ids of shapes (B, S), (B, T) and (B, T).
        loss: the loss that the model is trained by, of logits (B, T, V) and targets (B, T).
        step: takes a training step on one batch. It is called once, so the model learns a little.
        forward: calls the model, if not as model(source, inputs), and returns logits (B, T, V).
        pad: id of padding.
        bos: id that the decoder is fed first.
        eos: id that ends a target.

    Raises:
        ValueError: a batch cannot be read, or the logits have another shape.
    """
    ids = SpecialIds(pad, bos, eos)
    for triple in batches:
        _check(triple, ids)
    if not batches:
        raise ValueError("there is no batch to examine; give [(source, inputs, targets)]")
    call = forward or (lambda model, source, inputs: model(source, inputs))
    case = _Case(model, batches[0], loss, call, ids)
    training = model.training
    try:
        model.eval()
        health = _health(case)
        if step is not None:
            model.train(training)
            health = replace(health, step=_step_effect(case, step))
    finally:
        model.train(training)
    # rules read numbers as they would be stored, rounded
    rounded = Health.from_plain(health.plain())
    return findings(ExaminedRun(rounded, [], {}, "finished", tagging=False))


def _check(triple: Triple, ids: SpecialIds) -> None:
    """Raise ValueError for a batch that cannot be read."""
    if len(triple) != 3 or any(part.ndim != 2 or part.is_floating_point() for part in triple):
        raise ValueError(
            "a batch is (source, inputs, targets), each whole numbers of shape (rows, steps)"
        )
    source, inputs, targets = triple
    if inputs.shape != targets.shape or len(source) != len(targets):
        raise ValueError(
            f"source {tuple(source.shape)}, inputs {tuple(inputs.shape)} and targets "
            f"{tuple(targets.shape)} do not go together; inputs and targets are of one shape, and "
            "all three have as many rows"
        )
    if bool((targets == ids.pad).all(1).any()) or bool((source == ids.pad).all(1).any()):
        raise ValueError(f"a row contains nothing but padding ({ids.pad}); leave it out")


def _health(case: _Case) -> Health:
    """Ask the questions that can be asked of any model."""
    source, inputs, targets = case.triple
    with torch.no_grad():
        logits_BTV = case.call(case.model, source, inputs)
    if logits_BTV.shape[:2] != targets.shape or logits_BTV.ndim != 3:
        raise ValueError(
            f"the model gives {tuple(logits_BTV.shape)} where (rows, steps, symbols) of "
            f"{tuple(targets.shape)} is wanted; say how to call it with forward="
        )
    patient = _patient(case, logits_BTV.shape[-1])
    batch = _as_given(case)
    logits = patient.model.score(batch)
    return Health(
        data=_contents(batch),
        loss=Losses() if case.loss is None else wrong_losses.losses(patient, batch),
        probabilities=wrong_losses.probabilities(logits),
        alone=probes.row_independence(patient),
        again=probes.repetition(patient, batch, logits),
        leak=probes.target_leak(patient),
        # the model may know padding by its id, so other ids there would not be padding to it
        source=replace(probes.source_use(patient, batch, logits), under_padding=None),
        frozen=tuple(name for name, p in case.model.named_parameters() if not p.requires_grad),
    )


def _contents(batch: Batch) -> BatchContents:
    """Measure what can be known of a batch without the examples that it was made of."""
    (targets_BT,) = batch.targets
    equal = ((batch.inputs_BT == targets_BT) | ~batch.mask_BT).all(1)
    return BatchContents(inputs_are_targets=float(equal.double().mean()))


def _as_given(case: _Case) -> Batch:
    """Return the caller's batch as it is, with masks and lengths added."""
    source, inputs, targets = case.triple
    source_mask, target_mask = source != case.ids.pad, targets != case.ids.pad
    return Batch(
        source_BS=source,
        source_mask_BS=source_mask,
        lengths_B=source_mask.sum(1).cpu(),
        even=bool(source_mask.all()),
        inputs_BT=inputs,
        targets=(targets,),
        mask_BT=target_mask,
        places_N=target_mask.flatten().nonzero()[:, 0],
        tokens=int(target_mask.sum()),
    )


def _patient(case: _Case, size: int) -> Patient:
    """Return the model with the batch's examples, and with functions that batch them as it was.

    Args:
        case: what the caller gave.
        size: number of target symbols.
    """
    pad, eos = case.ids.pad, case.ids.eos
    source, _, targets = (part.cpu().numpy() for part in case.triple)
    split = Split(
        Ragged.of([row[row != pad] for row in source]),
        (Ragged.of([row[(row != pad) & (row != eos)] for row in targets]),),
    )
    facts = Facts(int(max(source.max() + 1, size)), (size,), targets.shape[1])

    def collate(examples: Split, facts: Facts, device: str) -> Batch:
        return _with_special_ids(batching.collate(examples, facts, device), case.ids)

    def own_loss(
        model: Model, batch: Batch, fed_BT: Tensor | None, dropout: Any, *_: Any
    ) -> Tensor:
        assert case.loss is not None
        logits_BTV = case.call(case.model, batch.source_BS, batch.inputs_BT)
        return case.loss(logits_BTV, batch.targets[0])

    return Patient(
        _Wrapped(case.model, case.call),
        facts,
        str(case.triple[0].device),
        collate,
        own_loss,
        0.0,
        split.take(np.arange(min(EXAMINED_ROWS, len(split)))),
        split.take(of_commonest_length(split)),
    )


def _with_special_ids(batch: Batch, ids: SpecialIds) -> Batch:
    """Return the batch with the caller's special ids in place of the suite's."""
    (targets_BT,) = batch.targets
    last_B = batch.mask_BT.sum(1) - 1
    targets_BT = targets_BT.masked_fill(~batch.mask_BT, ids.pad)
    targets_BT[torch.arange(len(last_B)), last_B] = ids.eos
    inputs_BT = batch.inputs_BT.masked_fill(~batch.mask_BT, ids.pad)
    inputs_BT[:, 0] = ids.bos
    return batch._replace(
        source_BS=batch.source_BS.masked_fill(~batch.source_mask_BS, ids.pad),
        targets=(targets_BT,),
        inputs_BT=inputs_BT,
    )


def _step_effect(case: _Case, step: TripleStep) -> StepEffect:
    """Take one step of the caller's and compare its gradient with that of its batch alone."""
    source, inputs, targets = case.triple
    trained = {name: p for name, p in case.model.named_parameters() if p.requires_grad}
    before = {name: p.detach().clone() for name, p in trained.items()}
    # so that dropout draws in the step what it would draw without this extra pass
    with torch.random.fork_rng(devices=[]):
        logits_BTV = case.call(case.model, source, inputs)
        if case.loss is None:
            loss = nn.functional.cross_entropy(
                logits_BTV.flatten(0, 1), targets.flatten(), ignore_index=case.ids.pad
            )
        else:
            loss = case.loss(logits_BTV, targets)
    fresh = gradients_of(loss, list(trained.values()))
    step(source, inputs, targets)
    held = [None if p.grad is None else p.grad.clone() for p in trained.values()]
    updates = {name: float((p.detach() - before[name]).norm()) for name, p in trained.items()}
    return compare_step(trained, held, fresh, updates)
