"""What a model offers to training, decoding and probes, and the batch that it is given."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from variants.fast.matmul import linear as linear_map


class Batch(NamedTuple):
    """Padded examples. Padding has id 0 and is marked False in the masks.

    source_BS, source_mask_BS. lengths_B: source lengths, int64, on the CPU. even: every source
    fills its row, so that nothing needs masking (known on the host, no synchronisation).
    inputs_BT: bos and the target without eos, what is fed when the reference is fed; for a
    tagger the source. targets: per stream, target and eos; for a tagger the labels of each head.
    mask_BT: real target positions. places_N: the same as indices into rows laid end to end,
    made on the host, so that picking the real ones waits for no device. tokens: N.
    """

    source_BS: Tensor
    source_mask_BS: Tensor
    lengths_B: Tensor
    even: bool
    inputs_BT: Tensor
    targets: tuple[Tensor, ...]
    mask_BT: Tensor
    places_N: Tensor
    tokens: int


def real(values_BTX: Tensor, batch: Batch) -> Tensor:
    """What stands at a batch's real target positions, (B, T, ...) -> (N, ...), row-major."""
    return values_BTX.flatten(0, 1).index_select(0, batch.places_N)


class Step(NamedTuple):
    """One decoded step. attention_BS: weights over the source, None without attention."""

    logits_BV: Tensor
    state: Any
    attention_BS: Tensor | None


class Readout(NamedTuple):
    """What a model's last layer reads at the N real positions, and that layer's weights: its
    logits_NV are values W' + bias. The values may be of a smaller number format, in which the
    product is then made."""

    values_NH: Tensor
    weight_VH: Tensor
    bias_V: Tensor

    def logits(self) -> Tensor:
        """All of them, in the weights' format."""
        kind = self.values_NH.dtype
        logits_NV = linear_map(self.values_NH, self.weight_VH.to(kind), self.bias_V.to(kind))
        return logits_NV.to(self.weight_VH.dtype)


class Encoded(NamedTuple):
    """memory: what the decoder reads at every step and never changes. state: where it starts.

    Both are tensors whose first axis is B, or tuples (nested, named) of such and of plain values,
    so that beam search can pick rows.
    """

    memory: Any
    state: Any


class Model(nn.Module):
    """A trainable model. Nothing else of one is ever called.

    dropout is the generator that masks are drawn from; None means no dropout, so there is no
    mode that could be left on by mistake. A tagger offers `score` alone.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # scores of its own are not what inherited readouts make
        if "score" in vars(cls) and "readouts" not in vars(cls):
            cls.readouts = Model.readouts  # type: ignore[method-assign]

    def encode(self, batch: Batch) -> Encoded:
        """Read the sources, without dropout."""
        raise NotImplementedError

    def step(self, tokens_B: Tensor, state: Any, memory: Any) -> Step:
        """Feed one token a row, without dropout."""
        raise NotImplementedError

    def score(
        self, batch: Batch, fed_BT: Tensor | None = None, dropout: torch.Generator | None = None
    ) -> tuple[Tensor, ...]:
        """Logits_NV of each target stream at the N real positions, in row-major order.

        fed_BT: True where the reference token is the input, else the model's own most likely
        last token is; None feeds the reference everywhere. The first input is always bos.
        """
        raise NotImplementedError

    def readouts(
        self, batch: Batch, fed_BT: Tensor | None = None, dropout: torch.Generator | None = None
    ) -> tuple[Readout, ...] | None:
        """What `score` makes its logits of, for losses that never hold them all; None if they are
        made otherwise."""
        return None
