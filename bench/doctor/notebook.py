"""The doctor for a plain PyTorch encoder-decoder, in a notebook.

    import bench
    bench.examine(model, [(source, inputs, targets)], loss=loss, step=step)

source (B, S), inputs (B, T) and targets (B, T) are ids as the model is trained on, filled up with
`pad`; inputs are what the decoder is fed, targets what it is to give. The model is called as
model(source, inputs) and gives logits (B, T, V), or as `forward` says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.doctor import examination
from bench.doctor.examination import Patient
from bench.training import batching
from results.doctor.rules import Chart, Finding, findings
from tasks import BOS, EOS, Facts, Ragged, Split
from variants import Batch, Model

Triple = tuple[Tensor, Tensor, Tensor]
Forward = Callable[[nn.Module, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Symbols:
    """Ids of what is no content."""

    pad: int
    bos: int
    eos: int


class _Plain(Model):
    """A model of somebody else's behind `score`, which is all that is asked of it here."""

    def __init__(self, model: nn.Module, forward: Forward) -> None:
        super().__init__()
        self.model, self.call = model, forward

    def score(
        self, batch: Batch, fed_BT: Tensor | None = None, dropout: torch.Generator | None = None
    ) -> tuple[Tensor, ...]:
        logits_BTV = self.call(self.model, batch.source_BS, batch.inputs_BT)
        return (logits_BTV.flatten(0, 1)[batch.places_N],)


def examine(
    model: nn.Module,
    batches: Sequence[Triple],
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
    step: Callable[[Tensor, Tensor, Tensor], object] | None = None,
    forward: Forward | None = None,
    pad: int = 0,
    bos: int = BOS,
    eos: int = EOS,
) -> list[Finding]:
    """What is wrong with a model, as far as these batches show it; causes first.

    loss: of logits (B, T, V) and targets (B, T), as it is trained by. step: takes a training step
    on one batch; it is called once, so that the model learns a little. The model is looked at as
    model.eval() leaves it, and given back in the mode that it came in.
    ValueError for batches that cannot be read, and for logits of another shape.
    """
    call = forward or (lambda model, source, inputs: model(source, inputs))
    symbols = Symbols(pad, bos, eos)
    for triple in batches:
        _check(triple, symbols)
    if not batches:
        raise ValueError("there is no batch to look at; give [(source, inputs, targets)]")
    training = model.training
    try:
        model.eval()
        health = _health(model, batches, loss, call, symbols)
        if step is not None:
            model.train(training)
            health["step"] = _step(model, batches[0], loss, step, call, symbols)
    finally:
        model.train(training)
    chart = Chart(examination.plain(health), [], {}, "finished", tagging=False)
    return findings(chart)


def _check(triple: Triple, symbols: Symbols) -> None:
    if len(triple) != 3 or any(part.ndim != 2 or part.is_floating_point() for part in triple):
        raise ValueError(
            "a batch is (source, inputs, targets), each whole numbers of shape (rows, steps)"
        )
    source, inputs, targets = triple
    if inputs.shape != targets.shape or len(source) != len(targets):
        raise ValueError(
            f"source {tuple(source.shape)}, inputs {tuple(inputs.shape)} and targets "
            f"{tuple(targets.shape)} do not go together; inputs and targets are of one shape"
        )
    if bool((targets == symbols.pad).all(1).any()) or bool((source == symbols.pad).all(1).any()):
        raise ValueError(f"a row holds nothing but padding ({symbols.pad}); leave it out")


def _health(
    model: nn.Module,
    batches: Sequence[Triple],
    loss: Callable[[Tensor, Tensor], Tensor] | None,
    call: Forward,
    symbols: Symbols,
) -> dict[str, Any]:
    source, inputs, targets = batches[0]
    with torch.no_grad():
        logits_BTV = call(model, source, inputs)
    if logits_BTV.shape[:2] != targets.shape or logits_BTV.ndim != 3:
        raise ValueError(
            f"the model gives {tuple(logits_BTV.shape)} where (rows, steps, symbols) of "
            f"{tuple(targets.shape)} is wanted; say how to call it with forward="
        )
    patient = _patient(model, batches[0], loss, call, symbols, logits_BTV.shape[-1])
    batch = _given(batches[0], symbols)
    logits = patient.model.score(batch)
    return {
        "data": _data(batch),
        "loss": {} if loss is None else examination.losses(patient, batch),
        "probabilities": examination.probabilities(logits),
        "alone": {
            "mixed": examination.alone(patient, patient.examples),
            "alike": examination.alone(patient, patient.plain),
        },
        "again": examination.again(patient, batch, logits),
        "leak": examination.leak(patient),
        # it may know padding by its id, so that nothing else can be put there
        "source": {**examination.source(patient, batch, logits), "under_padding": None},
        "frozen": [name for name, p in model.named_parameters() if not p.requires_grad],
    }


def _data(batch: Batch) -> dict[str, float]:
    """Shares of rows."""
    (targets_BT,) = batch.targets
    same = ((batch.inputs_BT == targets_BT) | ~batch.mask_BT).all(1)
    return {"inputs_are_targets": float(same.double().mean())}


def _given(triple: Triple, symbols: Symbols) -> Batch:
    """As it was given, with what is known of it."""
    source, inputs, targets = triple
    mask, real = source != symbols.pad, targets != symbols.pad
    return Batch(
        source_BS=source,
        source_mask_BS=mask,
        lengths_B=mask.sum(1).cpu(),
        even=bool(mask.all()),
        inputs_BT=inputs,
        targets=(targets,),
        mask_BT=real,
        places_N=real.flatten().nonzero()[:, 0],
        tokens=int(real.sum()),
    )


def _patient(
    model: nn.Module,
    triple: Triple,
    loss: Callable[[Tensor, Tensor], Tensor] | None,
    call: Forward,
    symbols: Symbols,
    size: int,
) -> Patient:
    source, _, targets = (part.cpu().numpy() for part in triple)
    contents = [row[row != symbols.pad] for row in source]
    wanted = [row[(row != symbols.pad) & (row != symbols.eos)] for row in targets]
    split = Split(Ragged.of(contents), (Ragged.of(wanted),))
    facts = Facts(int(max(source.max() + 1, size)), (size,), targets.shape[1])

    def collate(some: Split, facts: Facts, device: str) -> Batch:
        batch = batching.collate(some, facts, device)
        (ids_BT,) = batch.targets
        ends = batch.mask_BT.sum(1) - 1
        ids_BT = ids_BT.masked_fill(~batch.mask_BT, symbols.pad)
        ids_BT[torch.arange(len(ends)), ends] = symbols.eos
        inputs_BT = batch.inputs_BT.masked_fill(~batch.mask_BT, symbols.pad)
        inputs_BT[:, 0] = symbols.bos
        return batch._replace(
            source_BS=batch.source_BS.masked_fill(~batch.source_mask_BS, symbols.pad),
            targets=(ids_BT,),
            inputs_BT=inputs_BT,
        )

    def own_loss(
        model: Model, batch: Batch, fed_BT: Tensor | None, dropout: Any, *_: Any
    ) -> Tensor:
        assert loss is not None
        assert isinstance(model, _Plain)
        return loss(model.call(model.model, batch.source_BS, batch.inputs_BT), batch.targets[0])

    rows = np.arange(min(examination.ROWS, len(split)))
    lengths, counts = np.unique(split.source.lengths, return_counts=True)
    alike = np.flatnonzero(split.source.lengths == lengths[counts.argmax()])[: examination.ROWS]
    return Patient(
        _Plain(model, call),
        facts,
        str(triple[0].device),
        collate,
        own_loss,
        0.0,
        split.take(rows),
        split.take(alike),
    )


def _step(
    model: nn.Module,
    triple: Triple,
    loss: Callable[[Tensor, Tensor], Tensor] | None,
    step: Callable[[Tensor, Tensor, Tensor], object],
    call: Forward,
    symbols: Symbols,
) -> dict[str, Any]:
    """One step of the caller's, and whether its gradient is that of its batch."""
    source, inputs, targets = triple
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    before = {name: p.detach().clone() for name, p in trained.items()}
    with torch.random.fork_rng(devices=[]):
        logits_BTV = call(model, source, inputs)
        given = nn.functional.cross_entropy(
            logits_BTV.flatten(0, 1), targets.flatten(), ignore_index=symbols.pad
        )
        given = given if loss is None else loss(logits_BTV, targets)
    found = torch.autograd.grad(given, list(trained.values()), allow_unused=True)
    fresh = [
        torch.zeros_like(p) if g is None else g
        for p, g in zip(trained.values(), found, strict=True)
    ]
    step(source, inputs, targets)
    held = [None if p.grad is None else p.grad.clone() for p in trained.values()]
    updates = {name: float((p.detach() - before[name]).norm()) for name, p in trained.items()}
    return examination.stepped(trained, held, fresh, updates)
