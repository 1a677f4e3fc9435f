"""The joint-layer tagger of Zhang et al. 2016: keywords from the lower layer, phrases above."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from variants.contract import Batch, Model, ModelParts, real
from variants.dropout import apply, mask
from variants.embedding import Embedding, embeddings
from variants.encoder import Read
from variants.fast.matmul import Linear
from variants.stack import Padding


class SequenceLayer(Protocol):
    """A layer that reads a sequence, as a tagger uses it. width: size D of its outputs."""

    width: int

    def __call__(
        self, inputs_BSI: Tensor, padding: Padding | None, dropout: torch.Generator | None
    ) -> Read:
        """Return outputs_BSD; padding as variants.encoder.Encoder takes it."""


class JointTagger(Model):
    """Two recurrent layers with a head on each (Zhang et al. 2016, eq. 4 to 9).

    The lower layer reads a window of embedded words around each word, the upper reads the lower.
    `score` gives the logits (N, C) of both heads at the N real source positions.
    """

    def __init__(
        self,
        embedding: Embedding,
        window: int,
        lower: SequenceLayer,
        upper: SequenceLayer,
        classes: tuple[int, int],
        dropout: float,
    ) -> None:
        super().__init__()
        assert window % 2 == 1, window
        self.embedding = embedding
        self.window = window
        self.lower = lower
        self.upper = upper
        self.keyword = Linear(lower.width, classes[0])
        self.position = Linear(upper.width, classes[1])
        self.dropout = dropout

    def score(
        self, batch: Batch, fed_BT: Tensor | None = None, dropout: torch.Generator | None = None
    ) -> tuple[Tensor, ...]:
        """Return the logits_NC of both heads."""
        assert fed_BT is None, "a tagger feeds no target token"
        # zeros at padding, so that a window over a row's end is as one over the batch's end
        embedded = self.embedding(batch.source_BS) * batch.source_mask_BS[..., None]
        windows = windowed(embedded, self.window)
        drawn = mask(windows.shape, self.dropout, dropout, windows)
        lower = self._read(self.lower, apply(windows, drawn), batch, dropout)
        upper = self._read(self.upper, lower, batch, dropout)
        # the heads see real positions only
        return self.keyword(real(lower, batch)), self.position(real(upper, batch))

    def parts(self) -> ModelParts:
        """Return the embedding: a tagger's layers are no encoder that hands over to a decoder."""
        return ModelParts(self.embedding, embeddings(self), encoder=None, bridge=None)

    def _read(
        self,
        layer: SequenceLayer,
        values_BSI: Tensor,
        batch: Batch,
        dropout: torch.Generator | None,
    ) -> Tensor:
        """Return a layer's outputs_BSD, with dropout for the layer or head that reads them."""
        padding = None if batch.even else Padding(batch.source_mask_BS, batch.lengths_B)
        read: Read = layer(values_BSI, padding, dropout)
        outputs = read.outputs_BSD
        return apply(outputs, mask(outputs.shape, self.dropout, dropout, outputs))


def windowed(embedded_BSE: Tensor, window: int) -> Tensor:
    """Return each position with its neighbours, (B, S, window * E); zeros beyond the ends."""
    reach = window // 2
    # both ends of S; pad counts axes from the last, which keeps its size
    padded = nn.functional.pad(embedded_BSE, (0, 0, reach, reach))
    steps = embedded_BSE.shape[1]
    return torch.cat([padded[:, shift : shift + steps] for shift in range(window)], dim=-1)
