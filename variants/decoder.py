"""The decoder: what enters its cell, where it attends, what it reads out.

The structures of Cho et al. 2014 and Sutskever et al. 2014, as source 004 draws them:

    state            only the initial state carries the source; no token is fed
    context          the context at every step; no token is fed
    output           the last output token (Sutskever et al. 2014, section 2)
    output+context   both (Cho et al. 2014, section 2.2)

Without attention the context is the encoder's last top state. With attention it is the
attention's: then `context` and `output+context` attend before the cell, from the state before
(Bahdanau et al. 2015, section 3.1), and `state` and `output` attend after it (Luong et al. 2015,
eq. 5). Either way the output layer reads tanh(W [h ; c]); Bahdanau's maxout readout is left out,
so that the two differ in the order alone.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from variants.attention import ATTENTIONS, attend
from variants.cells import CELLS
from variants.dropout import apply, mask
from variants.embedding import Embedding
from variants.encoder import Read
from variants.stack import Stack, States


class Structure(NamedTuple):
    """What enters the decoder's cell."""

    token: bool
    context: bool


DECODER_INPUTS = {
    "state": Structure(token=False, context=False),
    "context": Structure(token=False, context=True),
    "output": Structure(token=True, context=False),
    "output+context": Structure(token=True, context=True),
}


class Memory(NamedTuple):
    """What the decoder reads at every step. keys_BSK is None without attention.
    summary_BD: the encoder's last top state."""

    outputs_BSD: Tensor
    keys_BSK: Tensor | None
    mask_BS: Tensor
    summary_BD: Tensor


class Masks(NamedTuple):
    """Dropout masks of a whole pass, drawn at once so that the pass in one piece and the pass
    step by step drop the same."""

    embedded_BTE: Tensor | None
    between: list[Tensor | None]
    readout_BTH: Tensor | None

    def at(self, t: int) -> Masks:
        """The masks of step t, still with a time axis."""
        embedded, between, readout = (
            None if self.embedded_BTE is None else self.embedded_BTE[:, t : t + 1],
            [None if mask is None else mask[:, t : t + 1] for mask in self.between],
            None if self.readout_BTH is None else self.readout_BTH[:, t : t + 1],
        )
        return Masks(embedded, between, readout)


class Bridge(nn.Module):
    """From the encoder's last states to the decoder's first.

    Layers meet from the top down; a deeper decoder's extra layers start from the encoder's
    lowest. States of one size are copied. A bidirectional encoder's are twice as wide, and go
    through tanh(W [forward ; backward] + b) (as in Bahdanau et al. 2015, appendix A.2.2, which
    uses the backward one alone), with a W for each of h and c.
    """

    def __init__(self, encoder_width: int, hidden: int, depth: int, parts: int) -> None:
        super().__init__()
        self.depth = depth
        self.narrow = nn.ModuleList(
            nn.Linear(encoder_width, hidden) for _ in range(parts if encoder_width != hidden else 0)
        )

    def forward(self, states: States) -> States:
        first = [states[max(len(states) - self.depth + layer, 0)] for layer in range(self.depth)]
        if not self.narrow:
            return tuple(first)
        return tuple(
            type(state)(
                *(torch.tanh(narrow(part)) for narrow, part in zip(self.narrow, state, strict=True))
            )
            for state in first
        )


class Decoder(nn.Module):
    """See the head of this file. width: D of the encoder's outputs."""

    def __init__(
        self,
        structure: str,
        attention: str,
        cell: str,
        symbols: int,
        embedding: Embedding,
        hidden: int,
        depth: int,
        dropout: float,
        width: int,
    ) -> None:
        super().__init__()
        self.token, self.context = DECODER_INPUTS[structure]
        self.dropout = dropout
        # state feeds a constant one: its weights are then one more bias, and none is dead
        size = embedding.size * self.token + width * self.context or 1
        if self.token:
            self.embedding = embedding
        self.stack = Stack(cell, size, hidden, depth, dropout)
        self.bridge = Bridge(width, hidden, depth, len(CELLS[cell].state._fields))
        attention_type = ATTENTIONS[attention]
        self.attention = None if attention_type is None else attention_type(hidden, width)
        if self.attention is not None:
            self.merge = nn.Linear(hidden + width, hidden)
        self.output = nn.Linear(hidden, symbols)
        self.hidden = hidden

    @property
    def attends_first(self) -> bool:
        """Whether a step's input depends on the state before it, beyond the fed token."""
        return self.attention is not None and self.context

    def remember(self, read: Read, mask_BS: Tensor) -> tuple[Memory, States]:
        """What is read at every step, and the first state."""
        keys = None if self.attention is None else self.attention.keys(read.outputs_BSD)
        memory = Memory(read.outputs_BSD, keys, mask_BS, read.states[-1].h_BH)
        return memory, self.bridge(read.states)

    def masks(self, batch: int, steps: int, dropout: torch.Generator | None, like: Tensor) -> Masks:
        """Dropout masks of a pass over `steps` steps."""
        size = self.embedding.size if self.token else 0
        return Masks(
            mask((batch, steps, size), self.dropout, dropout, like) if size else None,
            self.stack.between(batch, steps, dropout, like),
            mask((batch, steps, self.hidden), self.dropout, dropout, like),
        )

    def forward(
        self, tokens_BT: Tensor, states: States, memory: Memory, masks: Masks
    ) -> tuple[Tensor, States, Tensor | None]:
        """Feed T tokens: readout_BTH for the output layer, states, attention weights_BTS.

        T must be 1 where the decoder attends first.
        """
        before = None
        if self.attends_first:
            assert tokens_BT.shape[1] == 1
            before = self._attend(states[-1].h_BH[:, None], memory)
        parts = []
        if self.token:
            parts.append(apply(self.embedding(tokens_BT), masks.embedded_BTE))
        if before is not None:
            parts.append(before[0])
        elif self.context:
            parts.append(memory.summary_BD[:, None].expand(-1, tokens_BT.shape[1], -1))
        if not parts:
            parts.append(memory.summary_BD.new_ones(*tokens_BT.shape, 1))
        outputs_BTH, states = self.stack(torch.cat(parts, dim=-1), states, masks.between)
        if self.attention is None:
            return apply(outputs_BTH, masks.readout_BTH), states, None
        context_BTD, weights_BTS = before or self._attend(outputs_BTH, memory)
        readout = torch.tanh(self.merge(torch.cat([outputs_BTH, context_BTD], dim=-1)))
        return apply(readout, masks.readout_BTH), states, weights_BTS

    def _attend(self, queries_BTH: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        assert self.attention is not None
        assert memory.keys_BSK is not None
        return attend(
            self.attention, queries_BTH, memory.keys_BSK, memory.outputs_BSD, memory.mask_BS
        )
