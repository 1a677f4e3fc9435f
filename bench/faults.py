"""Faults to plant: each replaces one function of a run's recipe, so that a healthy run fails as
somebody's did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bench.training import Recipe
from tasks import Facts, Split
from variants import Batch, Model


class Fault(NamedTuple):
    """about: what is wrong, in a sentence. plant: makes the recipe of the run that has it."""

    about: str
    plant: Callable[[Recipe], Recipe]


def _softmax_over_time(
    model: Model,
    batch: Batch,
    fed_BT: Tensor | None,
    dropout: torch.Generator | None,
    facts: Facts,
    smoothing: float,
) -> Tensor:
    count = batch.mask_BT.numel()
    places_N = torch.arange(count, device=batch.mask_BT.device)
    (logits_NV,) = model.score(batch._replace(places_N=places_N, tokens=count), fed_BT, dropout)
    logarithms_BTV = logits_NV.view(*batch.mask_BT.shape, -1).log_softmax(dim=1)
    # padding counts, as there
    return nn.functional.nll_loss(logarithms_BTV.flatten(0, 1), batch.targets[0].flatten())


def _unshifted(recipe: Recipe) -> Recipe:
    def collate(split: Split, facts: Facts, device: str) -> Batch:
        batch = recipe.collate(split, facts, device)
        return batch._replace(inputs_BT=batch.targets[0])

    return replace(recipe, collate=collate)


FAULTS: dict[str, Fault] = {
    "softmax-over-time": Fault(
        "the softmax runs over the time axis, padding included, as in source 003's code, where a "
        "tensor with time first and no axis named has it so",
        lambda recipe: replace(recipe, loss=_softmax_over_time),
    ),
    "unshifted-targets": Fault(
        "the decoder reads at each step the very token that it is to give, as in source 000's code",
        _unshifted,
    ),
}


def planted(name: str, recipe: Recipe) -> Recipe:
    """The recipe with a fault; as it is for no name. ValueError for an unknown one."""
    if not name:
        return recipe
    if name not in FAULTS:
        raise ValueError(f"fault={name!r} is not one of {', '.join(FAULTS)}; give one")
    return FAULTS[name].plant(recipe)
