"""Measures steps that a script takes by a rule of its own, such as an Adam written out.

Their changes are no multiples of the gradients, so they have no learning rate to be read. Their
sizes stand for it: Adam and its kin change each weight by about the rate.
"""

from __future__ import annotations

from dataclasses import replace
from statistics import median

import torch

from bench.watching.read.recording import Recording
from bench.watching.record.gradients import HandMadeUpdate
from bench.watching.record.optimizers import BY_HAND, OptimizerSeen

DIRECTED = 0.05
"""Cosine from which on a change has a direction."""
MOST_UPHILL = 0.9
"""Share of the changes that must go up for the script to climb."""
FEWEST_DIRECTED = 6
"""Fewer changes may go up by chance."""


def update_sizes(recording: Recording) -> dict[int, float]:
    """Return the median size of the changes that a rule of the script's made, by recorded round.

    Empty where all steps are multiples of their gradients, or an optimizer's.
    """
    rates = recording.curve.rates
    found = {}
    for index, changes in _changes(recording).items():
        if index < len(rates) and rates[index] != rates[index]:  # nan: no multiple
            found[index] = median(change.size for change in changes)
    return found


def climbs(recording: Recording) -> bool:
    """Return whether such changes go up the gradient, nearly all of them."""
    rounds = update_sizes(recording).keys()
    changes = [c for index, found in _changes(recording).items() if index in rounds for c in found]
    directed = [change.uphill > 0 for change in changes if abs(change.uphill) > DIRECTED]
    return len(directed) >= FEWEST_DIRECTED and sum(directed) > MOST_UPHILL * len(directed)


def _changes(recording: Recording) -> dict[int, list[HandMadeUpdate]]:
    """Return the changes of each recorded round, by its index."""
    found = {
        one.index: [norms.by_hand for norms in one.norms.values() if norms.by_hand is not None]
        for one in recording.rounds
    }
    return {index: changes for index, changes in found.items() if changes}


def as_adam(seen: OptimizerSeen, sizes: dict[int, float]) -> OptimizerSeen:
    """Return a rule of the script's as Adam, with a rate by which its changes have these sizes."""
    if seen.kind != BY_HAND or seen.groups or not sizes:
        return seen
    group = {"params": seen.parameters, "lr": max(sizes.values())}
    return replace(seen, type=torch.optim.Adam, groups=[group])
