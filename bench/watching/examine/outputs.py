"""Finds the predictions in what a model returns, and how they go with the symbols asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

FIRST_NAMES = ("logits", "log_probs", "scores", "predictions", "prediction", "outputs", "output")
"""Names of predictions, where a model returns several things by name."""
AXES = ((0, 1, 2), (1, 0, 2), (0, 2, 1), (1, 2, 0), (2, 0, 1), (2, 1, 0))
"""Axes of examples, steps and symbols: (B, T, V), (T, B, V), (B, V, T), and rarer ones."""


@dataclass(frozen=True)
class Asked:
    """The symbols of a batch from which those that are asked for are taken."""

    ids_BT: Tensor
    """Of shape (B, T), or (B,) where one symbol is asked for of each example."""
    time_first: bool
    whole: bool
    """Whether they may begin with a start symbol, which is fed and not asked for."""

    @property
    def most(self) -> int:
        """Return the largest id."""
        return int(self.ids_BT.max())


@dataclass(frozen=True)
class Predicted:
    """The place of the predictions in what a model returns, and their axes."""

    at: int
    """Their number among the tensors returned."""
    axes: tuple[int, ...]
    """Axes of examples, steps and symbols; of (N, V) only (0, 1)."""
    steps: int

    def logits(self, outputs: Any) -> Tensor:
        """Return the predictions as the model gives them."""
        return list(tensors_in(outputs))[self.at]

    def by_axes(self, outputs: Any) -> Tensor:
        """Return the predictions by example, step and symbol; (N, V) stays as it is."""
        logits = self.logits(outputs)
        return logits.permute(self.axes) if logits.dim() == 3 else logits


def tensors_in(outputs: Any) -> Iterator[Tensor]:
    """Yield what may be predictions: floating tensors of 2 or 3 axes, the likeliest first.

    A list of tensors of one shape, one for each step, is stacked.
    """
    if isinstance(outputs, Tensor):
        if outputs.is_floating_point() and outputs.dim() in (2, 3):
            yield outputs
        return
    if isinstance(outputs, list | tuple):
        if _is_steps(outputs):
            yield torch.stack(list(outputs))
        for part in outputs:
            yield from tensors_in(part)
        return
    fields = _fields(outputs)
    for name in [*FIRST_NAMES, *(name for name in fields if name not in FIRST_NAMES)]:
        if name in fields:
            yield from tensors_in(fields[name])


def own_loss(outputs: Any) -> Tensor | None:
    """Return the loss that a model returns by the name `loss`, if it does."""
    loss = _fields(outputs).get("loss")
    return loss if isinstance(loss, Tensor) and loss.numel() == 1 else None


def _fields(outputs: Any) -> Mapping[str, Any]:
    if isinstance(outputs, Mapping):
        return outputs
    if dataclasses.is_dataclass(outputs):
        return {f.name: getattr(outputs, f.name) for f in dataclasses.fields(outputs)}
    if hasattr(outputs, "_asdict"):
        return dict(outputs._asdict())
    return getattr(outputs, "__dict__", {})


def _is_steps(outputs: Any) -> bool:
    return len(outputs) > 1 and all(
        isinstance(part, Tensor) and part.dim() == 2 and part.shape == outputs[0].shape
        for part in outputs
    )


def find_predictions(outputs: Any, asked: Asked, symbols: set[int]) -> Predicted | None:
    """Return where the predictions are, or None if nothing has the right size.

    symbols: sizes of the model's last layers, one of which is the number of symbols.
    """
    for at, tensor in enumerate(tensors_in(outputs)):
        found = _fitting(at, tensor, asked, symbols)
        if found is not None:
            return found
    return None


def _fitting(at: int, tensor: Tensor, asked: Asked, symbols: set[int]) -> Predicted | None:
    if asked.ids_BT.dim() == 1:
        fits = tensor.dim() == 2 and len(tensor) == len(asked.ids_BT)
        return Predicted(at, (0, 1), 1) if fits and tensor.shape[1] > asked.most else None
    rows, steps = asked.ids_BT.shape
    lengths = (steps, steps - 1) if asked.whole else (steps,)
    if tensor.dim() == 2:
        for length in lengths:
            if len(tensor) == rows * length and tensor.shape[1] > asked.most:
                return Predicted(at, (0, 1), length)
        return None
    order = (AXES[1], AXES[0], *AXES[2:]) if asked.time_first else AXES
    fitting = [
        axes
        for axes in order
        if tensor.shape[axes[0]] == rows
        and tensor.shape[axes[1]] in lengths
        and tensor.shape[axes[2]] > asked.most
    ]
    # where sizes leave a choice, a layer that gives so many symbols decides
    fitting.sort(key=lambda axes: tensor.shape[axes[2]] not in symbols)
    return Predicted(at, fitting[0], tensor.shape[fitting[0][1]]) if fitting else None
