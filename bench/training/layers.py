"""Records what every parameter and every layer is like at evaluations, for runs that ask for it.

All of it is read: nothing is changed and nothing is drawn, so a run learns the same with and
without. The figures of a parameter are those of the last step before an evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from variants import Batch, Model

LayerFigures = dict[str, float | None]
"""Figures of one parameter or one layer by the name of what is measured."""
LayerProbe = Callable[[Model, Batch], Mapping[str, LayerFigures]]
"""Measures every layer of a model while it scores a batch, by the layer's name."""
RECORDED_ROWS = 16
"""Number of validation examples that layers are measured on."""
RECORDED_APART = 20
"""Steps between two recordings at least; evaluations nearer to each other are not all recorded. One
costs less than a step, so all of them take less than a twentieth of the training time."""
LAYER_DIGITS = 5
"""Significant digits of a recorded figure."""


def parameter_figures(
    names: Sequence[str],
    weights: Sequence[Tensor],
    before: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    norm: Tensor,
) -> dict[str, LayerFigures]:
    """Return the figures of every trained parameter after a step, by its name.

    They are the norms of its gradient (before clipping) and of its value, its change over its
    value as norms, and the share of its gradient that is exactly 0.

    Args:
        names: of the parameters.
        weights: their values after the step, of any shapes.
        before: the same before it.
        gradients: as the step left them, clipped; None for a parameter that has none.
        norm: the norm () of all gradients before they were clipped.
    """
    held = [
        torch.zeros_like(weight) if gradient is None else gradient
        for weight, gradient in zip(weights, gradients, strict=True)
    ]
    norms = torch.stack([gradient.double().norm() for gradient in held])
    clipped = torch.linalg.vector_norm(norms)
    # clipping scales all gradients by one factor; without any gradient there is nothing to undo
    norms = norms * torch.where(clipped > 0, norm.double() / clipped, torch.ones_like(clipped))
    sizes = torch.stack([weight.double().norm() for weight in weights])
    moved = [(new - old).double().norm() for new, old in zip(weights, before, strict=True)]
    zero = torch.stack([(gradient == 0).double().mean() for gradient in held])
    rows = torch.stack([norms, sizes, torch.stack(moved) / sizes, zero], dim=1)
    keys = ("gradient_norm", "weight_norm", "update_ratio", "zero_gradients")
    return {
        name: {key: rounded(value) for key, value in zip(keys, row, strict=True)}
        for name, row in zip(names, rows.tolist(), strict=True)  # one wait for the device
    }


def first_rows(batch: Batch, count: int) -> Batch:
    """Return the first rows of a batch, of which a model scores every position, padding too."""
    rows = slice(count)
    mask_BT = batch.mask_BT[rows]
    places_N = torch.arange(mask_BT.numel(), device=mask_BT.device)
    return Batch(
        source_BS=batch.source_BS[rows],
        source_mask_BS=batch.source_mask_BS[rows],
        lengths_B=batch.lengths_B[rows],
        even=batch.even,
        inputs_BT=batch.inputs_BT[rows],
        targets=tuple(target[rows] for target in batch.targets),
        mask_BT=mask_BT,
        places_N=places_N,
        tokens=len(places_N),
    )


def layer_point(
    step: int, parameters: Mapping[str, LayerFigures], layers: Mapping[str, LayerFigures]
) -> dict[str, Any]:
    """Return what a record keeps of one evaluation: figures by parameter and by layer."""
    return {"step": step, "parameters": dict(parameters), "layers": dict(layers)}


def rounded(value: float) -> float | None:
    """Return a figure with LAYER_DIGITS; None for infinity and NaN, which JSON does not have."""
    return float(f"{value:.{LAYER_DIGITS}g}") if math.isfinite(value) else None
