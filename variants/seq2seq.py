"""Joins encoder and decoder behind the contract of a model: `encode`, `step` and `score`."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from variants.contract import Batch, Encoded, Model, ModelParts, Readout, Step, real
from variants.dropout import apply, mask, of_targets
from variants.embedding import Embedding, embeddings
from variants.encoder import Read
from variants.stack import Padding


class Output(Protocol):
    """The last layer of a decoder, whose logits are values W' + bias."""

    @property
    def weight(self) -> Tensor:
        """The weights (V, H)."""

    @property
    def bias(self) -> Tensor:
        """The bias (V)."""

    def __call__(self, values: Tensor) -> Tensor:
        """Return logits, (..., H) -> (..., V)."""


class Decodes(Protocol):
    """The contract of a decoder with the model around it.

    loops: whether it can only go step by step. bridge: as in variants.contract.ModelParts.
    """

    @property
    def output(self) -> Output: ...

    @property
    def loops(self) -> bool: ...

    @property
    def bridge(self) -> nn.Module | None: ...

    def remember(self, read: Read, mask_BS: Tensor) -> tuple[Any, Any]:
        """Return the memory, which has outputs_BSD, and the first state."""

    def masks(self, batch: int, steps: int, dropout: torch.Generator | None, like: Tensor) -> Any:
        """Return the dropout masks (B, T, X) of a pass; their `at(t)` returns those of a step."""

    def __call__(
        self, tokens_BT: Tensor, state: Any, memory: Any, masks: Any
    ) -> tuple[Tensor, Any, Tensor | None]:
        """Return readout_BTH, the state after, and attention weights_BTS."""

    def unfold(
        self, tokens_BT: Tensor, fed_BT: Tensor | None, state: Any, memory: Any, masks: Any
    ) -> Tensor:
        """Return readout_BTH of a whole pass that goes step by step."""


class Seq2Seq(Model):
    """A model of encoder and decoder; its contract is variants.contract.Model."""

    def __init__(
        self, embedding: Embedding, encoder: nn.Module, decoder: Decodes, dropout: float
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.embedding = embedding
        self.encoder = encoder
        self.decoder = decoder

    def encode(self, batch: Batch, dropout: torch.Generator | None = None) -> Encoded:
        """Read the sources, by default without dropout."""
        return Encoded(*self.decoder.remember(self._read(batch, dropout), batch.source_mask_BS))

    def step(
        self, tokens_B: Tensor, state: Any, memory: Any, dropout: torch.Generator | None = None
    ) -> Step:
        """Feed one token to each row, by default without dropout."""
        masks = self.decoder.masks(len(tokens_B), 1, dropout, memory.outputs_BSD)
        readout, state, weights = self.decoder(tokens_B[:, None], state, memory, masks)
        logits_BV = self.decoder.output(readout[:, 0])
        return Step(logits_BV, state, None if weights is None else weights[:, 0])

    def score(
        self, batch: Batch, fed_BT: Tensor | None = None, dropout: torch.Generator | None = None
    ) -> tuple[Tensor, ...]:
        """Return the logits_NV of the one target stream."""
        return (self._readout(batch, fed_BT, dropout).logits(),)

    def readouts(
        self, batch: Batch, fed_BT: Tensor | None = None, dropout: torch.Generator | None = None
    ) -> tuple[Readout, ...] | None:
        """Return what the output layer reads at the N real positions, and its weights."""
        return (self._readout(batch, fed_BT, dropout),)

    def parts(self) -> ModelParts:
        """Return the embeddings, the encoder, and the bridge if the decoder has one."""
        return ModelParts(self.embedding, embeddings(self), self.encoder, self.decoder.bridge)

    def _readout(
        self, batch: Batch, fed_BT: Tensor | None, dropout: torch.Generator | None
    ) -> Readout:
        read = self._read(batch, dropout)
        memory, state = self.decoder.remember(read, batch.source_mask_BS)
        rows, length = batch.inputs_BT.shape
        masks = self.decoder.masks(rows, length, of_targets(dropout), memory.outputs_BSD)
        # all steps at once where none has to wait for the result of the one before
        if fed_BT is None and not self.decoder.loops:
            readout_BTH, _, _ = self.decoder(batch.inputs_BT, state, memory, masks)
        else:
            readout_BTH = self.decoder.unfold(batch.inputs_BT, fed_BT, state, memory, masks)
        # the output layer sees real positions only
        output = self.decoder.output
        return Readout(real(readout_BTH, batch), output.weight, output.bias)

    def _read(self, batch: Batch, dropout: torch.Generator | None) -> Read:
        """Return the encoder's outputs_BSD and last states."""
        embedded = self.embedding(batch.source_BS)
        drawn = mask(embedded.shape, self.dropout, dropout, embedded)
        padding = None if batch.even else Padding(batch.source_mask_BS, batch.lengths_B)
        read: Read = self.encoder(apply(embedded, drawn), padding, dropout)
        return read
