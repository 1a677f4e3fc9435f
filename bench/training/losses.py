"""What training minimises: cross-entropy per real token.

Over many symbols the logits of a batch are the largest thing that training would hold, and their
gradient as large again. So where a model tells its last layer apart (`Model.readouts`), loss and
gradients are made together, some rows at a time, and no more than those rows' logits ever exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from tasks import Facts
from variants import Batch, Model, Readout, real
from variants.fast.matmul import product

ROWS = 64
"""Positions whose logits are there at once, at the least: fewer make slow matrix products."""
LOGITS = {"cpu": 2**21, "cuda": 2**26}
"""Logits that are there at once, if ROWS allows: on the CPU what its nearer caches hold."""


def training_loss(
    model: Model,
    batch: Batch,
    fed_BT: Tensor | None,
    dropout: torch.Generator | None,
    facts: Facts,
    smoothing: float,
) -> Tensor:
    """`mean_loss` of what the model scores. fed_BT and dropout as in `Model.score`."""
    readouts = last_layer(model, batch, fed_BT, dropout)
    if readouts is None:
        return mean_loss(model.score(batch, fed_BT, dropout), batch, facts, smoothing)
    parts = [
        weight * readout_loss(readout, real(target_BT, batch), smoothing)
        for readout, target_BT, weight in zip(
            readouts, batch.targets, facts.head_weights, strict=True
        )
    ]
    return parts[0] if len(parts) == 1 else torch.stack(parts).sum()


def last_layer(
    model: Model,
    batch: Batch,
    fed_BT: Tensor | None = None,
    dropout: torch.Generator | None = None,
) -> tuple[Readout, ...] | None:
    """`Model.readouts`, which a model from outside need not offer."""
    return model.readouts(batch, fed_BT, dropout) if isinstance(model, Model) else None


def mean_loss(
    logits: tuple[Tensor, ...], batch: Batch, facts: Facts, smoothing: float = 0.0
) -> Tensor:
    """Cross-entropy per real token, heads mixed by weight; padding is not among the logits.

    smoothing: share of the target's probability that all symbols get alike.
    """
    parts = [
        weight
        * nn.functional.cross_entropy(head_NV, real(target_BT, batch), label_smoothing=smoothing)
        for head_NV, target_BT, weight in zip(
            logits, batch.targets, facts.head_weights, strict=True
        )
    ]
    return torch.stack(parts).sum()


def readout_loss(readout: Readout, target_N: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy of a readout's logits, which never exist all at once."""
    loss: Tensor = _ReadoutLoss.apply(*readout, target_N, smoothing, torch.is_grad_enabled())  # type: ignore[no-untyped-call]
    return loss


def some_rows(count: int, symbols: int, device: str) -> Iterator[slice]:
    """Rows to make logits of at once."""
    size = max(ROWS, LOGITS.get(device, LOGITS["cuda"]) // symbols)
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


class _ReadoutLoss(torch.autograd.Function):
    """The gradients are made on the way forward, while the logits are there."""

    @staticmethod
    def forward(
        ctx: Any,
        values_NH: Tensor,
        weight_VH: Tensor,
        bias_V: Tensor,
        target_N: Tensor,
        smoothing: float,
        gradients: bool,
    ) -> Tensor:
        count, symbols = len(values_NH), len(weight_VH)
        # products in the values' number format, all else in the weights'
        kind = values_NH.dtype
        small_VH, small_V = weight_VH.to(kind), bias_V.to(kind)
        losses = []
        dvalues_NH = torch.empty_like(values_NH, dtype=weight_VH.dtype)
        dweight_VH, dbias_V = torch.zeros_like(weight_VH), torch.zeros_like(bias_V)
        for rows in some_rows(count, symbols, values_NH.device.type):
            values, target = values_NH[rows], target_N[rows, None]
            logits = product(values, small_VH, small_V).to(weight_VH.dtype)
            top, place = logits.max(1, keepdim=True)
            p = torch.softmax(logits, dim=1)
            # the likeliest symbol's share is at least 1 / V, so its logarithm is safe
            total = top - p.gather(1, place).log()
            loss = total - (1.0 - smoothing) * logits.gather(1, target)
            if smoothing:
                loss -= smoothing * logits.mean(1, keepdim=True)
            losses.append(loss)
            if not gradients:
                continue
            # p now becomes the gradient of the logits
            p.scatter_add_(1, target, p.new_full(target.shape, smoothing - 1.0))
            if smoothing:
                p -= smoothing / symbols
            small = p.to(kind)
            dvalues_NH[rows] = product(small, small_VH.t()).to(weight_VH.dtype)
            dweight_VH += product(small.t(), values.t())
            dbias_V += p.sum(0)
        ctx.kind = kind
        ctx.save_for_backward(dvalues_NH, dweight_VH, dbias_V)
        return torch.cat(losses).mean()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        dvalues_NH, dweight_VH, dbias_V = ctx.saved_tensors
        share = gradient / len(dvalues_NH)
        dvalues_NH = (dvalues_NH * share).to(ctx.kind)
        return dvalues_NH, dweight_VH * share, dbias_V * share, None, None, None
