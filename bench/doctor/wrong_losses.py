"""Compares the loss that a run trains by with the losses that common mistakes would give."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from bench.doctor import entropies
from bench.doctor.patient import Patient
from bench.training.losses import training_loss
from results.doctor.health import Losses
from variants import Batch

SUM_TOLERANCE = 1e-3
"""How far the sum of a position's outputs may be from 1 to pass for probabilities."""


@torch.no_grad()
def losses(patient: Patient, batch: Batch) -> Losses:
    """Measure the run's own loss on a batch, and what the right one and the wrong ones give."""
    facts, smoothing = patient.facts, patient.smoothing
    inputs = (patient.model, batch, None, None, facts, smoothing)
    given = float(patient.loss(*inputs))
    even = sum(
        weight * math.log(size)
        for weight, size in zip(facts.head_weights, facts.target_sizes, strict=True)
    )
    if smoothing:
        # the wrong losses are computed without label smoothing, so they could not be compared
        return Losses(given=given, even=even, proper=float(training_loss(*inputs)))

    logits = entropies.padded_logits(patient.model, batch, None, None)

    def with_entropy(entropy: entropies.Entropy) -> float:
        return float(entropies.mixed(entropy, logits, batch, facts))

    return Losses(
        given=given,
        even=even,
        # a second log-softmax changes nothing: this is the right loss, from the same logits
        proper=with_entropy(entropies.twice_log_softmax),
        over_time=with_entropy(entropies.over_time),
        over_batch=with_entropy(entropies.over_batch),
        with_padding=with_entropy(entropies.with_padding),
        of_probabilities=with_entropy(entropies.of_probabilities),
        transposed=with_entropy(entropies.transposed),
        without_eos=None if facts.tagging else with_entropy(entropies.without_eos),
        first_zero=None if facts.tagging else with_entropy(entropies.first_zero),
    )


def probabilities(logits: Sequence[Tensor]) -> float:
    """Return the share of positions where the model gives probabilities instead of logits.

    Probabilities are never below 0 and sum to 1.

    Args:
        logits: logits_NV of each head; the head with the largest share counts.
    """
    shares = [
        ((head_NV >= 0).all(1) & ((head_NV.sum(1) - 1).abs() < SUM_TOLERANCE)).double().mean()
        for head_NV in logits
    ]
    return float(max(shares))
