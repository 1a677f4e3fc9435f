"""The patient of an examination: a trained model with its functions and a few examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from bench.training.evaluation import Collate
from bench.training.state import Setting, TrainState
from tasks import Facts, Indices, Split
from variants import Batch, Model

EXAMINED_ROWS = 8
"""Number of training examples that an examination uses."""
CANDIDATES = 65_536
"""Number of examples that those are chosen from, if the corpus is not in memory."""


@dataclass(frozen=True)
class Patient:
    """A model with the functions and examples that it is trained by.

    examples: EXAMINED_ROWS training examples over all source lengths. plain: examples whose
    sources have the same length, so that their batch has no source padding.
    """

    model: Model
    facts: Facts
    device: str
    collate: Collate
    loss: Callable[..., Tensor]
    smoothing: float
    examples: Split
    plain: Split

    def batch(self, split: Split) -> Batch:
        """Return the examples as one batch, made by the run's own collate."""
        return self.collate(split, self.facts, self.device)


def patient_of(state: TrainState, setting: Setting) -> Patient:
    """Return the model of a run that has ended, with examples from its training split."""
    train = setting.task.splits["train"]
    if len(train) > CANDIDATES:  # too many to look at all of them
        train = train.take(np.arange(CANDIDATES, dtype=np.int64))
    return Patient(
        state.model,
        setting.task.facts,
        setting.device,
        setting.recipe.collate,
        setting.recipe.loss,
        setting.variant.label_smoothing,
        train.take(over_all_lengths(train)),
        train.take(of_commonest_length(train)),
    )


def over_all_lengths(split: Split) -> Indices:
    """Return the indices of EXAMINED_ROWS examples, from the shortest source to the longest."""
    # stable, so that the same examples are chosen on every machine
    order = np.argsort(split.source.lengths, kind="stable")
    count = min(EXAMINED_ROWS, len(order))
    chosen: Indices = order[np.linspace(0, len(order) - 1, count).astype(np.int64)]
    return chosen


def of_commonest_length(split: Split) -> Indices:
    """Return the indices of up to EXAMINED_ROWS examples of the commonest source length."""
    lengths, counts = np.unique(split.source.lengths, return_counts=True)
    commonest = lengths[counts.argmax()]
    chosen: Indices = np.flatnonzero(split.source.lengths == commonest)[:EXAMINED_ROWS]
    return chosen
