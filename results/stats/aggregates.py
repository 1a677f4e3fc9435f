"""Computes scores from counts that were summed over examples, for many sums at once.

Counts are those that a run keeps of each example (`results/outputs.py`): two columns, right ones
and of how many; three, right, given and wanted ones of an F1; BLEU, chrF2, chrF2++ and TER as
sacrebleu has them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from results.stats.inference import Values

ORDERS_OF_BLEU = 4
"""Longest n-grams that BLEU counts (Papineni et al. 2002)."""
RECALL_WEIGHT = 4.0
"""Square of chrF2's beta (Popović 2015)."""
FEW_COLUMNS = (2, 3)
"""Numbers of columns of the counts of scores that have no rule of their own."""
COLUMNS_OF_TEXT = {"bleu": 2 + 2 * ORDERS_OF_BLEU, "chrf": 18, "chrf++": 24, "ter": 2}
"""Numbers of columns of the counts of sacrebleu's scores."""


def is_known(name: str, columns: int) -> bool:
    """Return whether a score can be computed from so many columns of counts."""
    if name in COLUMNS_OF_TEXT:
        return columns == COLUMNS_OF_TEXT[name]
    return columns in FEW_COLUMNS


def scores(name: str, sums_RK: npt.ArrayLike) -> Values:
    """Return the score (R,) of each of R sums of counts; ValueError for unknown counts."""
    sums = np.asarray(sums_RK, dtype=float)
    if not is_known(name, sums.shape[1]):
        raise ValueError(f"{name} cannot be computed from {sums.shape[1]} columns of counts")
    if name == "bleu":
        return _bleu(sums)
    if name in ("chrf", "chrf++"):
        return _chrf(sums)
    if name == "ter":
        return _ter(sums)
    if sums.shape[1] == 3:
        right, given, wanted = sums.T
        return _divided(2 * right, given + wanted)
    return _divided(sums[:, 0], sums[:, 1])


def _divided(above: Values, below: Values) -> Values:
    """Return quotients; 0 where nothing was counted."""
    quotients: Values = above / np.where(below == 0, 1, below) * (below != 0)
    return quotients


def _bleu(sums_RK: Values) -> Values:
    """Return BLEU with exponential smoothing, as sacrebleu computes it by default.

    Columns: length of the outputs, of the references, right n-grams of orders 1 to 4, all n-grams.
    """
    given, wanted = sums_RK[:, 0], sums_RK[:, 1]
    right = sums_RK[:, 2 : 2 + ORDERS_OF_BLEU]
    every = sums_RK[:, 2 + ORDERS_OF_BLEU :]
    missed = (right == 0) & (every > 0)
    # the n-th order without a right n-gram counts as 1 / 2^n right ones
    smoothed = np.where(missed, 0.5 ** np.cumsum(missed, axis=1), right)
    precisions = _divided(smoothed, every)
    # an order without any n-gram ends sacrebleu's loop, which leaves the precision at 0
    possible = np.asarray((every > 0).all(axis=1) & (right > 0).any(axis=1))
    with np.errstate(divide="ignore"):
        mean = np.exp(np.log(np.where(possible[:, None], precisions, 1)).mean(axis=1))
    short = given < wanted
    penalty = np.where(short, np.exp(1 - wanted / np.maximum(given, 1)), 1.0)
    found: Values = np.where(possible, 100 * penalty * mean, 0.0)
    return found


def _chrf(sums_RK: Values) -> Values:
    """Return chrF2, or chrF2++, as sacrebleu computes it by default.

    Columns: n-grams of the outputs, of the references, and in both, for each order.
    """
    given, wanted, right = (sums_RK[:, place::3] for place in range(3))
    counted = (given > 0) & (wanted > 0)
    orders = counted.sum(axis=1)
    precision, recall = (
        _divided((_divided(right, every) * counted).sum(axis=1), orders.astype(float))
        for every in (given, wanted)
    )
    found = _divided((1 + RECALL_WEIGHT) * precision * recall, RECALL_WEIGHT * precision + recall)
    return 100 * found


def _ter(sums_RK: Values) -> Values:
    """Return TER as sacrebleu computes it. Columns: edits, and words of the references."""
    edits, wanted = sums_RK.T
    found: Values = 100 * np.where(wanted > 0, _divided(edits, wanted), edits > 0)
    return found


def right_examples(
    statistics: Mapping[str, npt.NDArray[np.int64]], metric: str
) -> npt.NDArray[np.bool_] | None:
    """Return which examples are right in full; None if their counts do not say it.

    An example is right by exact match, else by the metric: all that is wanted, and nothing else.
    """
    for name in ("exact_match", metric):
        counts = statistics.get(name)
        if counts is not None and counts.shape[1] in FEW_COLUMNS:
            return np.asarray((counts == counts[:, :1]).all(axis=1))
    return None
