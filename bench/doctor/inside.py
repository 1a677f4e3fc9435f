"""Looks inside a trained model: attention weights, recurrent cells, gradients along the source."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import fmean
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from bench.doctor.patient import Patient
from bench.training import batching
from bench.training.evaluation import SATURATED_BEYOND
from bench.training.layers import LayerFigures, rounded
from bench.training.losses import mean_loss
from results.doctor.health import AttentionWeights, CellActivity
from variants import Batch, Model
from variants.cells import Cell
from variants.fast.forms import plain_forms

ATTENTION_STEPS = 6
"""Number of decoder steps whose attention weights are examined."""
PROFILE_PLACES = 6
"""Number of places along the source where the size of the gradient is measured."""
GATE_AT_ITS_END = math.log(99)
"""Absolute gate input beyond which a sigmoid is within 0.01 of 0 or 1."""


@torch.no_grad()
def attention_weights(patient: Patient, batch: Batch) -> AttentionWeights | None:
    """Measure attention in the first steps of the reference; None without attention."""
    # the true mask: the run's own collate may be what is wrong
    proper = batching.collate(patient.examples, patient.facts, patient.device)
    memory, state = patient.model.encode(batch)
    masses, entropies = [], []
    for t in range(min(ATTENTION_STEPS, batch.inputs_BT.shape[1])):
        _, state, weights_BS = patient.model.step(batch.inputs_BT[:, t], state, memory)
        if weights_BS is None or weights_BS.shape != proper.source_mask_BS.shape:
            return None
        masses.append((weights_BS * ~proper.source_mask_BS).sum(1).mean())
        # a source of one symbol has no choice; its entropy is 0 whatever it is divided by
        even_B = proper.source_mask_BS.sum(1).clamp(min=2).log()
        entropies.append((torch.special.entr(weights_BS).sum(1) / even_B).mean())
    return AttentionWeights(
        padding=float(torch.stack(masses).max()),
        entropy=float(torch.stack(entropies).mean()),
    )


class _CellSteps(NamedTuple):
    """All steps of one cell, step by step: gates_BG, outputs h_BH and memory, (B, H) or (B, X)."""

    gates: list[Tensor]
    outputs: list[Tensor]
    memories: list[Tensor]

    def saturated(self) -> list[float]:
        """Return the share of outputs beyond SATURATED_BEYOND at each step."""
        return _means(torch.stack(self.outputs).abs() > SATURATED_BEYOND)

    def gates_at_their_ends(self) -> list[float]:
        """Return the share of gates near 0 or 1 at each step."""
        return _means(torch.stack(self.gates).abs() > GATE_AT_ITS_END)

    def memory(self) -> tuple[float, float]:
        """Return the mean and the largest absolute value in memory at any step."""
        sizes = torch.stack(self.memories).abs()
        return float(sizes.mean()), float(sizes.max())


def _means(values: Tensor) -> list[float]:
    """Return the mean of values (T, ...) over all axes but the first."""
    means: list[float] = values.double().flatten(1).mean(1).tolist()
    return means


@torch.no_grad()
def cell_activity(patient: Patient, batch: Batch) -> dict[str, CellActivity]:
    """Measure each recurrent cell while the model scores a batch, by the cell's name."""
    found = {}
    for name, steps in _cell_steps(patient.model, batch).items():
        saturated, gates = steps.saturated(), steps.gates_at_their_ends()
        mean, largest = steps.memory()
        found[name] = CellActivity(
            saturated=(saturated[0], saturated[-1]),
            gates=(gates[0], gates[-1]),
            memory=largest,
            memory_mean=mean,
        )
    return found


@torch.no_grad()
def layer_figures(model: Model, batch: Batch) -> dict[str, LayerFigures]:
    """Measure each recurrent cell at all steps of a batch, by its name.

    saturation: share of outputs beyond +-0.99. gates: share of gates within 0.01 of 0 or 1.
    memory, memory_largest: mean and largest absolute value of the cell's memory, c of an LSTM.
    """
    found: dict[str, LayerFigures] = {}
    for name, steps in _cell_steps(model, batch).items():
        mean, largest = steps.memory()
        found[name] = {
            "saturation": rounded(fmean(steps.saturated())),
            "gates": rounded(fmean(steps.gates_at_their_ends())),
            "memory": rounded(mean),
            "memory_largest": rounded(largest),
        }
    return found


def _cell_steps(model: Model, batch: Batch) -> dict[str, _CellSteps]:
    """Return what every step of every cell is like while the model scores a batch."""
    with _observed(model) as seen, plain_forms():
        model.score(batch)
    return seen


@contextmanager
def _observed(model: nn.Module) -> Iterator[dict[str, _CellSteps]]:
    """Yield a dict that gains an entry for every cell that runs within the context.

    `advance` of each cell is replaced in the instance, as steps are no calls of a module that a
    hook could observe; the plain forms of the model call it at every step.
    """
    seen: dict[str, _CellSteps] = {}
    cells = [(name, module) for name, module in model.named_modules() if isinstance(module, Cell)]
    for name, cell in cells:
        vars(cell)["advance"] = _observing(cell, name, seen)
    try:
        yield seen
    finally:
        for _, cell in cells:
            del vars(cell)["advance"]


def _observing(cell: Cell, name: str, seen: dict[str, _CellSteps]) -> Any:
    """Return the cell's `advance` with a note of each step added to seen[name]."""
    advance = cell.advance

    def observed(gates_BG: Tensor, state: Any, dropped_BH: Tensor | None = None) -> Any:
        after = advance(gates_BG, state, dropped_BH)
        # only a cell that runs gets an entry, so entries are in the order in which cells run
        steps = seen.setdefault(name, _CellSteps([], [], []))
        steps.gates.append(gates_BG)
        steps.outputs.append(after.h_BH)
        steps.memories.append(getattr(after, "c_BH", after.h_BH))
        return after

    return observed


class SourceGradient(NamedTuple):
    """The gradient of the loss along the source, and the size of the embedded source.

    profile: norms as shares of the largest. embedded: root mean square. None if not measured.
    """

    profile: tuple[float, ...] | None
    embedded: float | None


def source_gradient(patient: Patient, batch: Batch) -> SourceGradient:
    """Measure the gradient of the loss with respect to the embedded source symbols.

    Averaged over rows at PROFILE_PLACES places, from each source's first symbol to its last. Not
    measured for a model that shows no parts.
    """
    # a plugin's model need not be a Model, and then it shows no parts
    parts = patient.model.parts() if isinstance(patient.model, Model) else None
    if parts is None:
        return SourceGradient(None, None)
    kept: list[Tensor] = []

    def keep(_: nn.Module, __: Any, embedded_BSE: Tensor) -> Tensor:
        # a leaf of its own, so that its gradient is known even if the embedding is frozen
        leaf_BSE = embedded_BSE.detach().requires_grad_()
        kept.append(leaf_BSE)
        return leaf_BSE

    handle = parts.source_embedding.register_forward_hook(keep)
    try:
        loss = mean_loss(patient.model.score(batch), batch, patient.facts)
        gradient = torch.autograd.grad(loss, kept[0], allow_unused=True)[0] if kept else None
    except RuntimeError:  # the loss has no gradient at all: it does not depend on the embedding
        return SourceGradient(None, None)
    finally:
        handle.remove()
    embedded = None
    if kept:
        embedded = float(kept[0].detach()[batch.source_mask_BS].square().mean().sqrt())
    if gradient is None:
        return SourceGradient((0.0,) * PROFILE_PLACES, embedded)
    return SourceGradient(_profile(gradient, batch.lengths_B), embedded)


def _profile(gradient_BSE: Tensor, lengths_B: Tensor) -> tuple[float, ...]:
    """Return the mean norm of the gradient at each place, over the largest."""
    by_place_BS, lengths_B1 = gradient_BSE.norm(dim=-1).cpu(), lengths_B[:, None]
    places = (torch.linspace(0, 1, PROFILE_PLACES) * (lengths_B1 - 1)).round().long()
    means = by_place_BS.gather(1, places).mean(0)
    # where no gradient arrives at all, all shares are 0
    return tuple(float(value) for value in means / (float(means.max()) + 1e-30))
