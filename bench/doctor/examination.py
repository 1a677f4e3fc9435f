"""Examines a trained run: asks every question once, in order, and returns typed answers.

Everything is measured on a few training examples after training. `results.doctor.rules` reads the
answers and names what is wrong. An examination leaves scores, curves and samples of the run as
they are.
"""

from __future__ import annotations

import math
from dataclasses import replace

from bench.doctor.inside import attention_weights, cell_activity, source_gradient
from bench.doctor.patient import Patient, patient_of
from bench.doctor.probes import (
    batch_contents,
    output_statistics,
    repetition,
    row_independence,
    score,
    source_use,
    target_leak,
)
from bench.doctor.step import evaluation_losses, step_effect
from bench.doctor.wrong_evaluations import probe_decoding
from bench.doctor.wrong_losses import losses, probabilities
from bench.training.schedules import reference_probability
from bench.training.state import Setting, TrainState, weight_norm
from results.doctor.health import Health, WeightNorms

EXAMINATION_STEPS = 15
"""Training steps that take as long as an examination at most, for nine models in ten."""
EXAMINATION_SHARE = 0.03
"""Largest share of training time that examinations may take, over all seeds."""


def sampled(seed: int, steps: int) -> bool:
    """Return whether a run of this seed and number of training steps is examined.

    Every long run is. Of shorter ones only every second, third, ... seed is, so that over all
    seeds examinations take no more than EXAMINATION_SHARE of the training time.
    """
    return seed % math.ceil(EXAMINATION_STEPS / (EXAMINATION_SHARE * max(steps, 1))) == 0


def of_run(state: TrainState, setting: Setting, stepped: bool = True) -> Health:
    """Examine a run that has ended; its model is trained for two more steps.

    Args:
        state: the run at its end.
        setting: what it was trained with.
        stepped: whether its own optimizer took its steps; replicas that are trained together share
            another one, and then no step is examined.
    """
    patient, variant = patient_of(state, setting), setting.variant
    health = of_model(patient)
    decays = [group.get("weight_decay", 0.0) for group in state.optimizer.param_groups]
    health = replace(
        health,
        weights=WeightNorms(
            first=state.first_size, last=weight_norm(state.model), decay=float(max(decays))
        ),
        evaluation=evaluation_losses(patient, setting),
        decoding=probe_decoding(patient, setting),
        fed=reference_probability(variant, max(state.step - 1, 0)),
    )
    if stepped and variant.precision in ("fp32", "tf32"):
        # last, because it changes the weights
        health = replace(health, step=step_effect(patient, state, setting))
    return health


def of_model(patient: Patient) -> Health:
    """Ask all questions that need no optimizer."""
    batch, tagging = patient.batch(patient.examples), patient.facts.tagging
    logits = score(patient, batch)
    health = Health(
        data=batch_contents(patient, batch),
        loss=losses(patient, batch),
        probabilities=probabilities(logits),
        alone=row_independence(patient),
        again=repetition(patient, batch, logits),
        leak=None if tagging else target_leak(patient),
        source=source_use(patient, batch, logits),
        attention=None if tagging else attention_weights(patient, batch),
        outputs=output_statistics(patient, batch, logits),
        hidden=cell_activity(patient, batch),
        frozen=tuple(name for name, p in patient.model.named_parameters() if not p.requires_grad),
    )
    gradient = source_gradient(patient, batch)
    return replace(health, profile=gradient.profile, embedded=gradient.embedded)
