"""Computes the scores that several tasks share; each is a share between 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.ragged import Ids, Ragged


def exact_match(outputs: Sequence[Ids], references: Ragged) -> float:
    """Return the share of outputs that equal their reference in full."""
    return sum(
        np.array_equal(output, reference)
        for output, reference in zip(outputs, references, strict=True)
    ) / max(len(references), 1)


def token_accuracy(outputs: Sequence[Ids], references: Ragged) -> float:
    """Return the share of reference tokens that the output has at the same position.

    Tokens beyond the end of the reference are not counted; exact_match notices them.
    """
    right = 0
    for output, reference in zip(outputs, references, strict=True):
        shared = min(len(output), len(reference))
        right += int(np.count_nonzero(output[:shared] == reference[:shared]))
    return right / max(int(references.lengths.sum()), 1)


def sequence_scores(outputs: Sequence[Ids], references: Ragged) -> dict[str, float]:
    """Return exact match and free-running token accuracy."""
    return {
        "exact_match": exact_match(outputs, references),
        "token_accuracy": token_accuracy(outputs, references),
    }
