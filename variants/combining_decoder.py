"""The decoder of PyTorch's tutorial on translation, which many first models are copied from.

AttnDecoderRNN in "NLP From Scratch: Translation with a Sequence to Sequence Network and Attention"
(Robertson, as it stood until 2023). With the token's embedding e, the state before the step s and
the encoder's outputs h_i at fixed positions i:

    weights = softmax(W [e ; s] + b)                  one row of W for each position
    x = relu(V [e ; sum_i weights_i h_i] + c)         what enters the GRU
    s' = GRU(x, s)                                    the output layer reads s'

Deviation: positions beyond the end of a source get no weight. There, the tutorial weighs zeros.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from variants.attention import Sizes
from variants.attention.contract import masked_softmax
from variants.attention.position import Location
from variants.bridge import Bridge
from variants.dropout import apply, mask
from variants.embedding import Embedding
from variants.encoder import Read
from variants.fast.matmul import Linear
from variants.stack import Dropped, Layers, Stack, States
from variants.stepwise import stepwise


class Positions(NamedTuple):
    """The source as the decoder weighs it: the encoder's outputs, and where they are real."""

    outputs_BSD: Tensor
    mask_BS: Tensor


class EmbeddedMasks(NamedTuple):
    """The dropout mask of the embedded tokens of a pass; None for no dropout."""

    embedded_BTE: Tensor | None

    def at(self, t: int) -> EmbeddedMasks:
        """Return the mask of step t, with a time axis of one step."""
        mask_BTE = self.embedded_BTE
        return EmbeddedMasks(None if mask_BTE is None else mask_BTE[:, t : t + 1])


class CombiningDecoder(nn.Module):
    """A GRU that reads its token and a context combined by a layer with ReLU.

    Dropout is on embedded tokens alone, as in the tutorial.
    """

    loops = True

    def __init__(
        self, symbols: int, embedding: Embedding, hidden: int, longest: int, dropout: float
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.embedding = embedding
        # as attention by location, but for a query that holds the token too, and its bias
        self.attention = Location(Sizes(embedding.size + hidden, hidden, longest))
        self.attention.to_positions = Linear(embedding.size + hidden, longest)
        self.combine = Linear(embedding.size + hidden, hidden)
        self.stack = Stack(Layers("gru", hidden, 1), hidden)
        self.cells = list(self.stack.each())
        self.bridge = Bridge("copy", hidden, hidden, 1, self.cells[0])
        self.output = Linear(hidden, symbols)

    def remember(self, read: Read, mask_BS: Tensor) -> tuple[Positions, States]:
        """Return what is read at every step, and the first state."""
        return Positions(read.outputs_BSD, mask_BS), self.bridge(read.states, self.cells)

    def masks(
        self, batch: int, steps: int, dropout: torch.Generator | None, like: Tensor
    ) -> EmbeddedMasks:
        """Return the mask of a pass (B, T, E), T = steps. like: gives device and format."""
        return EmbeddedMasks(mask((batch, steps, self.embedding.size), self.dropout, dropout, like))

    def forward(
        self, tokens_BT: Tensor, state: States, memory: Positions, masks: EmbeddedMasks
    ) -> tuple[Tensor, States, Tensor | None]:
        """Feed one token, T = 1; return readout_BTH, the state after, attention weights_BTS."""
        embedded_BTE = apply(self.embedding(tokens_BT), masks.embedded_BTE)
        query_BTQ = torch.cat([embedded_BTE, state[-1].h_BH[:, None]], dim=-1)
        scores_BTS = self.attention.score(query_BTQ, memory.outputs_BSD)
        weights_BTS = masked_softmax(scores_BTS, memory.mask_BS[:, None])
        context_BTD = weights_BTS @ memory.outputs_BSD
        entering = torch.relu(self.combine(torch.cat([embedded_BTE, context_BTD], dim=-1)))
        outputs_BTH, after = self.stack(entering, state, Dropped((None,), (None,)))
        return outputs_BTH, after, weights_BTS

    def unfold(
        self,
        tokens_BT: Tensor,
        fed_BT: Tensor | None,
        state: States,
        memory: Positions,
        masks: EmbeddedMasks,
    ) -> Tensor:
        """Return the readouts_BTH of a whole pass, one token at a time."""
        return stepwise(self, tokens_BT, fed_BT, state, memory, masks)
