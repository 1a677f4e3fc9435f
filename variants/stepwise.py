"""Runs a whole pass one token at a time, the plain form that faster ones are tested against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor


class Steps(Protocol):
    """A decoder as this module calls it."""

    @property
    def output(self) -> Callable[[Tensor], Tensor]:
        """Return the layer that makes logits (B, V) of a readout (B, H)."""

    def __call__(
        self, tokens_BT: Tensor, state: Any, memory: Any, masks: Any
    ) -> tuple[Tensor, Any, Tensor | None]:
        """Return readout_BTH, the state after, and attention weights_BTS."""


def stepwise(
    decoder: Steps, tokens_BT: Tensor, fed_BT: Tensor | None, state: Any, memory: Any, masks: Any
) -> Tensor:
    """Return the readouts_BTH of a whole pass. fed_BT is as in `Model.score`."""
    steps: list[Tensor] = []
    for t in range(tokens_BT.shape[1]):
        tokens_B = tokens_BT[:, t]
        if t and fed_BT is not None:
            tokens_B = next_tokens(decoder, tokens_B, fed_BT[:, t], steps[-1][:, 0])
        readout_B1H, state, _ = decoder(tokens_B[:, None], state, memory, masks.at(t))
        steps.append(readout_B1H)
    return torch.cat(steps, dim=1)


@torch.no_grad()
def next_tokens(decoder: Steps, reference_B: Tensor, fed_B: Tensor, readout_BH: Tensor) -> Tensor:
    """Return the reference where it is fed, else the likeliest token of the last readout, (B).

    No gradient flows through the choice.
    """
    return torch.where(fed_B, reference_B, decoder.output(readout_BH).argmax(-1))
