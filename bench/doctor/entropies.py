"""Wrong ways to make a loss of logits, as planted faults train by and the doctor compares with.

An entropy takes the logits_BTV and the target_BT of one target stream with their batch, and
returns a scalar.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from bench.training.state import Loss
from tasks import EOS, Facts
from variants import Batch, Model, real

Entropy = Callable[[Tensor, Tensor, Batch], Tensor]
"""Makes a scalar of the logits_BTV and the target_BT of one stream, and their batch."""


def padded_logits(
    model: Model, batch: Batch, fed_BT: Tensor | None, dropout: torch.Generator | None
) -> list[Tensor]:
    """Return the logits_BTV of each target stream at every position, padding included."""
    count = batch.mask_BT.numel()
    # `score` gives logits at the real positions, so all positions are declared real
    places_N = torch.arange(count, device=batch.mask_BT.device)
    unpadded = batch._replace(places_N=places_N, tokens=count)
    return [
        logits_NV.view(*batch.mask_BT.shape, -1)
        for logits_NV in model.score(unpadded, fed_BT, dropout)
    ]


def mixed(entropy: Entropy, logits: Sequence[Tensor], batch: Batch, facts: Facts) -> Tensor:
    """Return the sum of an entropy over all heads by their weights, a scalar.

    logits: logits_BTV of each head, as `padded_logits` returns them.
    """
    parts = [
        weight * entropy(logits_BTV, target_BT, batch)
        for logits_BTV, target_BT, weight in zip(
            logits, batch.targets, facts.head_weights, strict=True
        )
    ]
    return torch.stack(parts).sum()


def as_loss(entropy: Entropy) -> Loss:
    """Return a training loss that mixes heads as the healthy one does."""

    def loss(
        model: Model,
        batch: Batch,
        fed_BT: Tensor | None,
        dropout: torch.Generator | None,
        facts: Facts,
        smoothing: float,
    ) -> Tensor:
        return mixed(entropy, padded_logits(model, batch, fed_BT, dropout), batch, facts)

    return loss


def over_time(logits_BTV: Tensor, target_BT: Tensor, batch: Batch) -> Tensor:
    """Normalise over the time axis, and count padding."""
    logarithms_BTV = logits_BTV.log_softmax(dim=1)
    return nn.functional.nll_loss(logarithms_BTV.flatten(0, 1), target_BT.flatten())


def over_batch(logits_BTV: Tensor, target_BT: Tensor, batch: Batch) -> Tensor:
    """Normalise over the rows of the batch."""
    logarithms_BTV = logits_BTV.log_softmax(dim=0)
    return nn.functional.nll_loss(real(logarithms_BTV, batch), real(target_BT, batch))


def with_padding(logits_BTV: Tensor, target_BT: Tensor, batch: Batch) -> Tensor:
    """Count padding like any other symbol."""
    return nn.functional.cross_entropy(logits_BTV.flatten(0, 1), target_BT.flatten())


def without_eos(logits_BTV: Tensor, target_BT: Tensor, batch: Batch) -> Tensor:
    """Leave out the end of each output."""
    target_N = real(target_BT, batch)
    kept = target_N != EOS
    return nn.functional.cross_entropy(real(logits_BTV, batch)[kept], target_N[kept])


def first_zero(logits_BTV: Tensor, target_BT: Tensor, batch: Batch) -> Tensor:
    """Take zeros for the logits of the first step, as of an array that is filled from step 1 on.

    That step costs ln V whatever the weights are, so the loss cannot fall below ln V over the
    targets' mean length.
    """
    first_B = torch.zeros_like(logits_BTV[:, :1])
    return nn.functional.cross_entropy(
        real(torch.cat([first_B, logits_BTV[:, 1:]], dim=1), batch), real(target_BT, batch)
    )


def of_probabilities(logits_BTV: Tensor, target_BT: Tensor, batch: Batch) -> Tensor:
    """Give cross-entropy probabilities where it takes logits."""
    return nn.functional.cross_entropy(real(logits_BTV, batch).softmax(-1), real(target_BT, batch))


def twice_log_softmax(logits_BTV: Tensor, target_BT: Tensor, batch: Batch) -> Tensor:
    """Give cross-entropy the log-softmax of logits, which is harmless: the result is the same."""
    logarithms_NV = real(logits_BTV, batch).log_softmax(-1)
    return nn.functional.cross_entropy(logarithms_NV, real(target_BT, batch))


def transposed(logits_BTV: Tensor, target_BT: Tensor, batch: Batch) -> Tensor:
    """Compare logits laid out row by row with targets laid out step by step."""
    return nn.functional.cross_entropy(logits_BTV.flatten(0, 1), target_BT.t().flatten())


def one_label(logits_BTV: Tensor, target_BT: Tensor, batch: Batch) -> Tensor:
    """Weigh the commonest label a hundred times as much as any other."""
    target_N = real(target_BT, batch)
    weights_V = logits_BTV.new_ones(logits_BTV.shape[-1])
    weights_V[torch.bincount(target_N).argmax()] = 100.0
    return nn.functional.cross_entropy(real(logits_BTV, batch), target_N, weight=weights_V)
