"""The loss that training minimises: cross-entropy per real token.

Over many symbols the logits of a batch are the largest thing that training would hold, and their
gradient as large again. So where a model offers its last layer separately (`Model.readouts`), loss
and gradients are made together, some rows at a time, and only those rows' logits ever exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from tasks import Facts
from variants import Batch, Model, Readout, real
from variants.fast.matmul import product
from variants.fast.stacked import by_replica

FEWEST_LOGIT_ROWS = 64
"""Fewest positions whose logits are made at once: fewer make slow matrix products."""
LOGITS_AT_ONCE = {"cpu": 2**21, "cuda": 2**26}
"""Number of logits that exist at once, if FEWEST_LOGIT_ROWS allows; the CPU's caches hold that."""


def training_loss(
    model: Model,
    batch: Batch,
    fed_BT: Tensor | None,
    dropout: torch.Generator | None,
    facts: Facts,
    smoothing: float,
) -> Tensor:
    """Return the loss () of a model on a batch.

    fed_BT, dropout: as in `Model.score`. smoothing: as in `mean_loss`.
    """
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
    """Return `Model.readouts`, or None: a model from outside need not offer them."""
    return model.readouts(batch, fed_BT, dropout) if isinstance(model, Model) else None


def mean_loss(
    logits: tuple[Tensor, ...], batch: Batch, facts: Facts, smoothing: float = 0.0
) -> Tensor:
    """Return the cross-entropy () per real token, with heads mixed by weight.

    logits: (N, V) for each head, at the N real positions alone. smoothing: share of the target's
    probability that is spread evenly over all symbols.
    """
    parts = [
        weight
        * nn.functional.cross_entropy(head_NV, real(target_BT, batch), label_smoothing=smoothing)
        for head_NV, target_BT, weight in zip(
            logits, batch.targets, facts.head_weights, strict=True
        )
    ]
    return torch.stack(parts).sum()


def stacked_loss(
    model: Model,
    batch: Batch,
    fed_BT: Tensor | None,
    dropout: torch.Generator | None,
    count: int,
    facts: Facts,
    smoothing: float,
) -> Tensor:
    """Return the losses_R of a stack of models, each as `training_loss` has it.

    batch: rows of all replicas, B = R x B, at whose padding the mask is False while `places_N` has
    all positions. fed_BT, dropout: as in `Model.score`. count: R.
    """
    mask_RM = batch.mask_BT.view(count, -1)
    # the share of each position in its model's mean loss
    share_RM = mask_RM / mask_RM.sum(1, keepdim=True, dtype=_weights_type(model))
    offered = last_layer(model, batch, fed_BT, dropout)
    heads = model.score(batch, fed_BT, dropout) if offered is None else offered
    parts = []
    for head, target_BT, weight in zip(heads, batch.targets, facts.head_weights, strict=True):
        if isinstance(head, Tensor):
            entropy_N = nn.functional.cross_entropy(
                head, target_BT.flatten(), reduction="none", label_smoothing=smoothing
            )
            losses_R = (entropy_N.view(count, -1) * share_RM).sum(1)
        else:
            given = (target_BT.view(count, -1), share_RM, smoothing)
            losses_R = _StackedReadoutLoss.apply(*head, *given)  # type: ignore[no-untyped-call,misc]
        parts.append(weight * losses_R)
    return torch.stack(parts).sum(0)


def _weights_type(model: Model) -> torch.dtype:
    return next(model.parameters()).dtype


def readout_loss(readout: Readout, target_N: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the mean cross-entropy () of a readout's logits_NV, which never exist all at once."""
    loss: Tensor = _ReadoutLoss.apply(*readout, target_N, smoothing, torch.is_grad_enabled())  # type: ignore[no-untyped-call]
    return loss


def logit_rows(count: int, symbols: int, device: str) -> Iterator[slice]:
    """Return slices of `count` positions, of each of which logits are made at once.

    symbols: V, so that the slices are shorter for a larger vocabulary.
    """
    size = max(FEWEST_LOGIT_ROWS, LOGITS_AT_ONCE.get(device, LOGITS_AT_ONCE["cuda"]) // symbols)
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


class _ReadoutLoss(torch.autograd.Function):
    """Computes a loss whose gradients are made on the way forward, while the logits exist."""

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
        """Return the mean loss () of the logits values_NH weight_VH^T + bias_V for target_N.

        gradients: whether any will be asked for.
        """
        count, symbols = len(values_NH), len(weight_VH)
        # products are done in the values' number format, which may be half, all else in the
        # weights', as autocast would
        kind = values_NH.dtype
        small_VH, small_V = weight_VH.to(kind), bias_V.to(kind)
        losses = []
        dvalues_NH = torch.empty_like(values_NH, dtype=weight_VH.dtype)
        dweight_VH, dbias_V = torch.zeros_like(weight_VH), torch.zeros_like(bias_V)
        for rows in logit_rows(count, symbols, values_NH.device.type):
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
            # p becomes the gradient of the logits, p - target, without memory for another (N, V)
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
        """Return gradients of `forward`'s inputs, in its order, given that of the loss ()."""
        dvalues_NH, dweight_VH, dbias_V = ctx.saved_tensors
        # what was saved is the gradient of the sum
        share = gradient / len(dvalues_NH)
        dvalues_NH = (dvalues_NH * share).to(ctx.kind)
        return dvalues_NH, dweight_VH * share, dbias_V * share, None, None, None


class _StackedReadoutLoss(torch.autograd.Function):
    """Computes the losses of R models as `_ReadoutLoss` does one, M positions each."""

    @staticmethod
    def forward(
        ctx: Any,
        values_NH: Tensor,
        weight_RVH: Tensor,
        bias_RV: Tensor,
        target_RM: Tensor,
        share_RM: Tensor,
        smoothing: float,
    ) -> Tensor:
        """Return the losses_R, N = R x M. share_RM: of each position in its model's loss."""
        count, symbols, _ = weight_RVH.shape
        values_RMH = by_replica(values_NH, count)
        losses_R = share_RM.new_zeros(count)
        dvalues_RMH = torch.empty_like(values_RMH)
        dweight_RVH, dbias_RV = torch.zeros_like(weight_RVH), torch.zeros_like(bias_RV)
        device = values_NH.device.type
        for rows in logit_rows(target_RM.shape[1], count * symbols, device):
            values, target, share = values_RMH[:, rows], target_RM[:, rows, None], share_RM[:, rows]
            logits = torch.baddbmm(bias_RV[:, None], values, weight_RVH.mT)
            p = torch.softmax(logits, dim=2)
            # as in _ReadoutLoss, by the likeliest symbol's share
            top, place = logits.max(2, keepdim=True)
            loss = top - p.gather(2, place).log() - (1.0 - smoothing) * logits.gather(2, target)
            if smoothing:
                loss -= smoothing * logits.mean(2, keepdim=True)
            losses_R += (loss.squeeze(2) * share).sum(1)
            p.scatter_add_(2, target, p.new_full((), smoothing - 1.0).expand(target.shape))
            if smoothing:
                p -= smoothing / symbols
            p *= share[..., None]
            dvalues_RMH[:, rows] = torch.bmm(p, weight_RVH)
            dweight_RVH.baddbmm_(p.mT, values)
            dbias_RV += p.sum(1)
        ctx.save_for_backward(dvalues_RMH, dweight_RVH, dbias_RV)
        return losses_R

    @staticmethod
    def backward(ctx: Any, gradient_R: Tensor) -> tuple[Tensor | None, ...]:
        """Return gradients of `forward`'s inputs, in its order, given those of the losses_R."""
        of_vectors = gradient_R[:, None, None]
        dvalues_RMH, dweight_RVH, dbias_RV = ctx.saved_tensors
        dvalues_NH = (dvalues_RMH * of_vectors).flatten(0, 1)
        return dvalues_NH, dweight_RVH * of_vectors, dbias_RV * of_vectors[..., 0], None, None, None
