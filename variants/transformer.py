"""A Transformer as a reference outside the recurrent family, of torch's own layers.

Vaswani et al. 2017, section 3, post-norm, sinusoidal positions (section 3.5), feed-forward
layers of 4 H. Deviations: embeddings keep their size E and scale, and go through a linear layer
to H before positions are added; dropout is on embeddings, between layers and before the output,
as everywhere in this suite, not within a layer.

`step` keeps what each layer has read so far, so that one token costs one position; torch's layer
has no such form, so it is written here with that layer's own weights and tested against it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from variants.dropout import apply, mask
from variants.embedding import Embedding
from variants.encoder import Read
from variants.fast.matmul import Linear
from variants.stack import Padding
from variants.stepwise import stepwise

FEED_FORWARD = 4
"""Size of the feed-forward layers over H; section 3.3 has 2048 for 512."""


def positions(start: int, steps: int, hidden: int, like: Tensor) -> Tensor:
    """Return the sinusoids of positions start, start + 1, ..., (T, H).

    Vaswani et al. 2017, section 3.5. like: a tensor of their device and number format.
    """
    # in float64, as angles of late positions lose digits in smaller formats
    place = torch.arange(start, start + steps, device=like.device, dtype=torch.float64)[:, None]
    pair = torch.arange((hidden + 1) // 2, device=like.device, dtype=torch.float64)
    angles = place * torch.exp(pair * (-2.0 * math.log(10_000.0) / hidden))
    both = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
    return both[:, :hidden].to(like.dtype)


class TransformerEncoder(nn.Module):
    """An encoder that reads all positions at once, (B, S, I) -> (B, S, H), without states."""

    def __init__(
        self, input_size: int, hidden: int, depth: int, heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.width = hidden
        self.dropout = dropout
        self.enter = Linear(input_size, hidden)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                hidden, heads, FEED_FORWARD * hidden, dropout=0.0, batch_first=True
            )
            for _ in range(depth)
        )

    def forward(
        self, inputs_BSI: Tensor, padding: Padding | None, dropout: torch.Generator | None
    ) -> Read:
        """Read sources (B, S, I), and return outputs_BSD, D = H, without states."""
        values: Tensor = self.enter(inputs_BSI)
        values = values + positions(0, values.shape[1], self.width, values)
        hidden = None if padding is None else ~padding.mask_BS
        for number, layer in enumerate(self.layers):
            if number:
                values = apply(values, mask(values.shape, self.dropout, dropout, values))
            values = layer(values, src_key_padding_mask=hidden)
        return Read(values, ())


class Remembered(NamedTuple):
    """The source as the decoder reads it at every step."""

    outputs_BSD: Tensor
    mask_BS: Tensor


Prefix = tuple[Tensor, ...]
"""What each layer has read so far, (B, t, H): the state of a decoder after t steps."""


class TransformerMasks(NamedTuple):
    """The dropout masks of a whole pass; between: (B, T, H) on each layer's inputs."""

    embedded_BTE: Tensor | None
    between: tuple[Tensor | None, ...]
    readout_BTH: Tensor | None

    def at(self, t: int) -> TransformerMasks:
        """Return the masks of step t, with a time axis of one step."""
        embedded, *between, readout = (
            None if m is None else m[:, t : t + 1]
            for m in (self.embedded_BTE, *self.between, self.readout_BTH)
        )
        return TransformerMasks(embedded, tuple(between), readout)


class TransformerDecoder(nn.Module):
    """A decoder of tokens (B, T) to readouts (B, T, H), where no position sees a later one.

    The attention weights it returns are those of the top layer over the source, mean over heads.
    """

    loops = False
    bridge = None  # it starts from an empty prefix, and nothing but the memory is handed over

    def __init__(
        self,
        symbols: int,
        embedding: Embedding,
        hidden: int,
        depth: int,
        heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.hidden = hidden
        self.dropout = dropout
        self.embedding = embedding
        self.enter = Linear(embedding.size, hidden)
        self.layers = nn.ModuleList(
            nn.TransformerDecoderLayer(
                hidden, heads, FEED_FORWARD * hidden, dropout=0.0, batch_first=True
            )
            for _ in range(depth)
        )
        self.output = Linear(hidden, symbols)

    def remember(self, read: Read, mask_BS: Tensor) -> tuple[Remembered, Prefix]:
        """Return what is read at every step, and the empty prefix."""
        empty = read.outputs_BSD.new_zeros(len(mask_BS), 0, self.hidden)
        return Remembered(read.outputs_BSD, mask_BS), (empty,) * len(self.layers)

    def masks(
        self, batch: int, steps: int, dropout: torch.Generator | None, like: Tensor
    ) -> TransformerMasks:
        """Return the masks of a pass, (B, T, X) each, T = steps. like: gives device and format."""
        shape = (batch, steps, self.hidden)
        return TransformerMasks(
            mask((batch, steps, self.embedding.size), self.dropout, dropout, like),
            (None, *(mask(shape, self.dropout, dropout, like) for _ in self.layers[1:])),
            mask(shape, self.dropout, dropout, like),
        )

    def forward(
        self, tokens_BT: Tensor, state: Prefix, memory: Remembered, masks: TransformerMasks
    ) -> tuple[Tensor, Prefix, Tensor | None]:
        """Feed T more tokens; return readout_BTH, the longer prefix, attention weights_BTS."""
        done, steps = state[0].shape[1], tokens_BT.shape[1]
        values: Tensor = self.enter(apply(self.embedding(tokens_BT), masks.embedded_BTE))
        values = values + positions(done, steps, self.hidden, values)
        # True marks the positions that must not be seen; all of the prefix is before the new tokens
        later = torch.ones(steps, done + steps, dtype=torch.bool, device=values.device)
        later = later.triu(done + 1)
        prefix, weights = [], None
        for layer, before, below in zip(self.layers, state, masks.between, strict=True):
            assert isinstance(layer, nn.TransformerDecoderLayer)
            values = apply(values, below)
            so_far = torch.cat([before, values], dim=1)
            prefix.append(so_far)
            # the layer's own forward would compute the whole prefix again at every step
            own, _ = layer.self_attn(values, so_far, so_far, attn_mask=later, need_weights=False)
            values = layer.norm1(values + own)
            source, weights = layer.multihead_attn(
                values,
                memory.outputs_BSD,
                memory.outputs_BSD,
                key_padding_mask=~memory.mask_BS,
            )
            values = layer.norm2(values + source)
            inner = nn.functional.relu(layer.linear1(values))
            values = layer.norm3(values + layer.linear2(inner))
        return apply(values, masks.readout_BTH), tuple(prefix), weights

    def unfold(
        self,
        tokens_BT: Tensor,
        fed_BT: Tensor | None,
        state: Prefix,
        memory: Remembered,
        masks: TransformerMasks,
    ) -> Tensor:
        """Return the readouts_BTH of a whole pass, one token at a time."""
        return stepwise(self, tokens_BT, fed_BT, state, memory, masks)
