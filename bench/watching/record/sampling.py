"""Says which rounds and evaluations are recorded, and how much of them."""

from __future__ import annotations

FIRST_ROUNDS = 3
MOST_CALLS = 20_000
MOST_EVALUATION_CALLS = 6_000
FEW_EVALUATION_CALLS = 1_200
"""Calls recorded of an evaluation that is not sampled."""
MOST_EVALUATIONS = 6
MOST_ROUNDS = 9
"""Rounds kept: the first ones, and the latest of those sampled."""


def sampled(index: int) -> bool:
    """Return whether a round is recorded: the first, then pairs at growing distances."""
    if index < FIRST_ROUNDS:
        return True
    power = 1 << (index.bit_length() - 1)
    return index >= 8 and (index - power in (0, 1) or index - power - power // 2 in (0, 1))


def sampled_evaluation(index: int) -> bool:
    """Return whether an evaluation is recorded, also if one by the same code was before."""
    power = 1 << (max(index, 1).bit_length() - 1)
    return index < FIRST_ROUNDS or index in (power, power + power // 2)
