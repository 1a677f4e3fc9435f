"""Takes one more training step and compares what it did with what such a step should do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.doctor.patient import Patient
from bench.training.evaluation import GREEDY
from bench.training.losses import training_loss
from bench.training.state import Setting, TrainState
from results.doctor.health import EvaluationLosses, StepEffect
from variants import Batch

ALIGNED = 0.9999
"""Cosine of two gradients above which they count as equal."""
EVALUATION_TOLERANCE = 1e-4
"""Difference of two losses, as a share, up to which they count as equal."""
LOSS_FACTOR = 1e4
"""Factor on the loss of the second step, so that its gradient has to be clipped."""


def step_effect(patient: Patient, state: TrainState, setting: Setting) -> StepEffect:
    """Take two more training steps with the run's own functions and return what they did.

    The first feeds every other token of the reference; its gradient is compared with that of the
    same batch, computed alone. The second has a very large loss, so that its gradient is clipped
    if the run clips at all.
    """
    model, recipe = patient.model, setting.recipe
    batch = _with_other_inputs(patient)
    fed_BT = _every_other_step(patient, batch)
    named = dict(model.named_parameters())
    trained = {name: p for name, p in named.items() if p.requires_grad}
    before = {name: p.detach().clone() for name, p in named.items()}
    gradient = _gradient_of(patient, state, batch, list(trained.values()))

    drawn = state.dropout.get_state()
    fresh = gradient(fed_BT)
    state.dropout.set_state(drawn)
    _, norm = recipe.step(state, setting.variant, patient.facts, recipe.loss, batch, fed_BT)
    updates = {
        name: float((p.detach() - before[name]).norm() / (before[name].norm() + 1e-12))
        for name, p in named.items()
    }
    # the step leaves the gradient that it applied; the next backward pass would change it
    held = [None if p.grad is None else p.grad.clone() for p in trained.values()]
    effect = replace(compare_step(trained, held, fresh, updates), norm=float(norm))
    if fed_BT is not None and effect.alignment is not None and effect.alignment < ALIGNED:
        # perhaps other tokens were fed than asked for; compare at the weights before the step
        model.load_state_dict(before, strict=False)
        effect = replace(
            effect,
            alignment_everywhere=_alignment_of_moved(trained, held, gradient(None), updates),
            alignment_nowhere=_alignment_of_moved(
                trained, held, gradient(torch.zeros_like(fed_BT)), updates
            ),
        )
    return replace(effect, applied=_norm_after_clipping(patient, state, setting, batch, trained))


def _with_other_inputs(patient: Patient) -> Batch:
    """Return a batch of the examples; a decoder gets another row's inputs.

    With its own inputs a model that has learned outputs what it would be fed, and the gradient
    would not show which of the two was fed.
    """
    batch = patient.batch(patient.examples)
    if patient.facts.tagging:
        return batch
    inputs_BT = batch.inputs_BT.roll(1, 0)
    return batch._replace(inputs_BT=torch.where(batch.mask_BT, inputs_BT, batch.inputs_BT))


def _every_other_step(patient: Patient, batch: Batch) -> Tensor | None:
    """Return fed_BT, true at every other step; None for a tagger."""
    if patient.facts.tagging:
        return None
    even_T = torch.arange(batch.inputs_BT.shape[1], device=patient.device) % 2 == 0
    return even_T.expand_as(batch.mask_BT)


def _gradient_of(
    patient: Patient, state: TrainState, batch: Batch, trained: Sequence[nn.Parameter]
) -> Callable[[Tensor | None], list[Tensor]]:
    """Return a function from fed_BT to the gradient of the batch's loss, by parameter.

    Each call draws the same dropout, that which the state's generator draws next.
    """
    drawn = state.dropout.get_state()

    def gradient(fed_BT: Tensor | None) -> list[Tensor]:
        state.dropout.set_state(drawn)
        loss = patient.loss(
            patient.model, batch, fed_BT, state.dropout, patient.facts, patient.smoothing
        )
        return gradients_of(loss, trained)

    return gradient


def gradients_of(loss: Tensor, trained: Sequence[nn.Parameter]) -> list[Tensor]:
    """Return the gradient of a loss () by parameter; zeros where it does not depend on one."""
    gradients = torch.autograd.grad(loss, list(trained), allow_unused=True)
    return [
        torch.zeros_like(parameter) if gradient is None else gradient
        for parameter, gradient in zip(trained, gradients, strict=True)
    ]


def _norm_after_clipping(
    patient: Patient,
    state: TrainState,
    setting: Setting,
    batch: Batch,
    trained: Mapping[str, nn.Parameter],
) -> float:
    """Take a step with a very large loss and return the norm of the gradient it applied."""

    def large(*inputs: Any) -> Tensor:
        return LOSS_FACTOR * setting.recipe.loss(*inputs)

    # all tokens are fed, because that is fastest and clipping does not depend on it
    setting.recipe.step(state, setting.variant, patient.facts, large, batch, None)
    return float(_norm([p.grad for p in trained.values() if p.grad is not None]))


def compare_step(
    trained: Mapping[str, nn.Parameter],
    held: Sequence[Tensor | None],
    fresh: Sequence[Tensor],
    updates: Mapping[str, float],
) -> StepEffect:
    """Compare the gradients that a step left with those of its batch alone.

    Args:
        trained: parameters by name.
        held: gradients that the step left in them, in the same order; None where there is none.
        fresh: gradients of the step's batch, computed alone.
        updates: how far the step moved each parameter; 0 if not at all.
    """
    left = _left(held, fresh)
    moved = [updates[name] > 0 for name in trained]
    return StepEffect(
        # parameters that no optimizer has never have their gradients cleared: they do not count
        norm=float(_norm(_where(left, moved))),
        own_norm=float(_norm(fresh)),
        alignment=_alignment_of_moved(trained, held, fresh, updates),
        without_gradient=tuple(
            name for name, g in zip(trained, fresh, strict=True) if float(g.norm()) == 0.0
        ),
        without_update=tuple(name for name in trained if updates[name] == 0.0),
        updates=dict(updates),
        gradients={name: float(g.norm()) for name, g in zip(trained, fresh, strict=True)},
    )


def _left(held: Sequence[Tensor | None], fresh: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradients that a step left, zeros where it left none."""
    return [
        torch.zeros_like(own) if gradient is None else gradient
        for gradient, own in zip(held, fresh, strict=True)
    ]


def _alignment_of_moved(
    trained: Mapping[str, nn.Parameter],
    held: Sequence[Tensor | None],
    fresh: Sequence[Tensor],
    updates: Mapping[str, float],
) -> float | None:
    """Return the cosine of the angle between two gradients, over the parameters that moved.

    None if one of them is not finite, so that it has no direction.
    """
    moved = [updates[name] > 0 for name in trained]
    first, second = _where(_left(held, fresh), moved), _where(fresh, moved)
    # in double precision, as products of many small numbers are summed
    product = sum(
        float((a.double() * b.double()).sum()) for a, b in zip(first, second, strict=True)
    )
    norms = float(_norm(first)) * float(_norm(second))
    return product / (norms + 1e-30) if math.isfinite(norms) else None


def _where(tensors: Sequence[Tensor], kept: Sequence[bool]) -> list[Tensor]:
    return [tensor for tensor, keep in zip(tensors, kept, strict=True) if keep]


def _norm(tensors: Sequence[Tensor]) -> Tensor:
    """Return the norm () of all tensors together, in double precision.

    The squares of large gradients would overflow in single precision.
    """
    if not tensors:
        return torch.zeros(())
    norms = [t.norm(dtype=torch.float64) for t in tensors]
    norm: Tensor = torch.linalg.vector_norm(torch.stack(norms))
    return norm


def evaluation_losses(patient: Patient, setting: Setting) -> EvaluationLosses:
    """Compare the loss that the run's evaluation reports with that of a plain pass.

    If they differ, evaluation is repeated: two different values mean that it draws at random.
    """
    examples = patient.examples.take(np.arange(0, len(patient.examples), 3))
    inputs = (patient.model, setting.task, examples, patient.device, patient.collate, GREEDY)
    loss = setting.recipe.evaluate(*inputs).loss
    batch = patient.batch(examples)
    proper = float(training_loss(patient.model, batch, None, None, patient.facts, 0.0).detach())
    again = None
    if abs(loss - proper) > EVALUATION_TOLERANCE * max(proper, 0.01):
        again = setting.recipe.evaluate(*inputs).loss
    return EvaluationLosses(loss=loss, again=again, proper=proper)
