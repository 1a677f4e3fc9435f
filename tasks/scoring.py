"""Computes the scores that several tasks share; each is a share between 0 and 1.

Every score of the suite is computed from counts that are summed over examples, so the counts of
each example (its statistics) say all that a score, a test over examples or another sample needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from tasks.ragged import Ids, Ragged

Statistics = npt.NDArray[np.int64]
"""Counts of N examples (N, K), whose sums over examples a score is computed from.

K = 2: right ones, and of how many (an error rate: edits, and symbols). K = 3: right ones, given
ones and wanted ones, of an F1. BLEU and chrF2: as sacrebleu has them.
"""


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


def statistics_of(rows: Iterable[Sequence[int]], columns: int) -> Statistics:
    """Return rows of counts as an array (N, K); columns: K, which no rows would not say."""
    return np.array([*rows], dtype=np.int64).reshape(-1, columns)


def exact_statistics(right: Iterable[bool]) -> Statistics:
    """Return the statistics of exact match: 1 of 1 for an example that is right, else 0 of 1."""
    return statistics_of(((int(one), 1) for one in right), 2)


def token_statistics(outputs: Sequence[Ids], references: Ragged) -> Statistics:
    """Return the statistics of `token_accuracy`: right tokens, and tokens of the reference."""
    rows = []
    for output, reference in zip(outputs, references, strict=True):
        shared = min(len(output), len(reference))
        right = int(np.count_nonzero(output[:shared] == reference[:shared]))
        rows.append((right, len(reference)))
    return statistics_of(rows, 2)


def sequence_statistics(outputs: Sequence[Ids], references: Ragged) -> dict[str, Statistics]:
    """Return the statistics of both scores of `sequence_scores`."""
    right = (np.array_equal(o, r) for o, r in zip(outputs, references, strict=True))
    return {
        "exact_match": exact_statistics(right),
        "token_accuracy": token_statistics(outputs, references),
    }


def sequence_scores(outputs: Sequence[Ids], references: Ragged) -> dict[str, float]:
    """Return exact match and free-running token accuracy."""
    return {
        "exact_match": exact_match(outputs, references),
        "token_accuracy": token_accuracy(outputs, references),
    }
