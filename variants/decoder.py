"""The decoder chooses what enters its cell, where it attends and what the output layer reads.

The structures of Cho et al. 2014 and Sutskever et al. 2014 are the axis
`decoder_input`. Without attention the context is the encoder's last top state. With
attention it is the attention's, as fresh as the order allows: with attention_order=before it is
that of this step (Bahdanau et al. 2015, section 3.1), with `after` that of the step before, and
zeros at first. In a residual stack `after` queries with what the top layer gives, its inputs
added, and `before` with its state, which is all that there is then.

Either way the output layer reads tanh(W [h ; c] + b) (Luong et al. 2015, eq. 5; Bahdanau's maxout
readout is left out, so that the orders differ in the order alone), and input feeding gives that
same vector to the cell at the next step (their section 3.3).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from variants.attention import ATTENTIONS, Attended, Sizes
from variants.bridge import Bridge
from variants.dropout import apply, mask
from variants.embedding import Embedding
from variants.encoder import Read
from variants.fast.matmul import Linear, linear
from variants.stack import Dropped, Layers, Stack, States
from variants.stepwise import stepwise


class Structure(NamedTuple):
    """The structure of a decoder: whether a token and a context enter its cell."""

    token: bool
    context: bool
    about: str


DECODER_INPUTS = {
    "state": Structure(False, False, "only the initial state carries the source"),
    "context": Structure(False, True, "the context at every step, no token"),
    "output": Structure(True, False, "the last output token (Sutskever et al. 2014, section 2)"),
    "output+context": Structure(True, True, "both (Cho et al. 2014, section 2.2)"),
}
"""The values of the axis decoder_input."""
INPUT_FEEDING = {
    "off": "the cell does not read the last attentional vector",
    "on": "the cell reads the last attentional vector too (Luong et al. 2015, section 3.3)",
}
"""The values of the axis input_feeding."""
OUTPUT_WEIGHTS = {
    "own": "the output layer has weights of its own",
    "tied": "they are the target embeddings (Press and Wolf 2017, section 3); needs "
    "embedding = hidden",
}
"""The values of the axis output_weights."""


class Structured(NamedTuple):
    """The layout of a decoder, one field for each axis of the variant."""

    inputs: str
    attention: str
    order: str
    feeding: bool
    bridge: str
    tied: bool


class Memory(NamedTuple):
    """The source as the decoder reads it at every step.

    attended: None without attention. summary_BD: the encoder's last top state.
    """

    outputs_BSD: Tensor
    attended: Attended | None
    summary_BD: Tensor


class State(NamedTuple):
    """The state of a decoder after t steps.

    context_BX and vector_BH: the last context and attentional vector; None where no cell will
    read them.
    """

    layers: States
    t: int
    context_BX: Tensor | None
    vector_BH: Tensor | None


class DecoderMasks(NamedTuple):
    """The dropout masks of a whole pass.

    They are drawn at once, so that a pass in one piece and a pass step by step drop the same.
    """

    embedded_BTE: Tensor | None
    stack: Dropped
    readout_BTH: Tensor | None

    def at(self, t: int) -> DecoderMasks:
        """Return the masks of step t, with a time axis of one step."""
        embedded, readout = (
            None if self.embedded_BTE is None else self.embedded_BTE[:, t : t + 1],
            None if self.readout_BTH is None else self.readout_BTH[:, t : t + 1],
        )
        return DecoderMasks(embedded, self.stack.at(t), readout)


class TiedOutput(nn.Module):
    """An output layer whose weights are an embedding's, and whose bias is its own."""

    def __init__(self, embedding: Embedding, symbols: int) -> None:
        super().__init__()
        # not as a submodule: the table has one name, that of the embedding
        self._tied = (embedding,)
        self.in_features = embedding.size
        self.bias = nn.Parameter(torch.empty(symbols))

    @property
    def weight(self) -> Tensor:
        """The embedding's table (V, E), E = H."""
        return self._tied[0].table

    def forward(self, readout: Tensor) -> Tensor:
        """Return logits, (..., H) -> (..., V)."""
        return linear(readout, self.weight, self.bias)


class Decoder(nn.Module):
    """A decoder of one of the structures at the head of this file.

    sizes: those of the attention, if there is one.
    """

    def __init__(
        self,
        structure: Structured,
        layers: Layers,
        symbols: int,
        embedding: Embedding,
        sizes: Sizes,
        dropout: float,
    ) -> None:
        super().__init__()
        self.token, self.context, _ = DECODER_INPUTS[structure.inputs]
        self.before = structure.order == "before"
        self.feeding = structure.feeding
        self.dropout = dropout
        attention_type = ATTENTIONS[structure.attention]
        self.attention = None if attention_type is None else attention_type(sizes)
        width = sizes.memory if self.attention is None else self.attention.context
        # decoder_input=state feeds a constant one: its weights are one more bias, and all are used
        size = (
            embedding.size * self.token + width * self.context + layers.hidden * self.feeding or 1
        )
        if self.token or structure.tied:
            self.embedding = embedding
        self.stack = Stack(layers, size)
        self.cells = list(self.stack.each())
        self.bridge = Bridge(
            structure.bridge, sizes.memory, layers.hidden, layers.depth, self.cells[0]
        )
        if self.attention is not None:
            self.merge = Linear(layers.hidden + width, layers.hidden)
        self.output = (
            TiedOutput(embedding, symbols) if structure.tied else Linear(layers.hidden, symbols)
        )
        self.hidden = layers.hidden
        self.residual = layers.residual

    @property
    def loops(self) -> bool:
        """True if a step's input depends on the step before it, beyond the fed token."""
        return self.attention is not None and (self.before or self.context or self.feeding)

    def remember(self, read: Read, mask_BS: Tensor) -> tuple[Memory, State]:
        """Return what is read at every step, and the first state."""
        attended = context = vector = None
        batch = len(mask_BS)
        if self.attention is not None:
            attended = self.attention.remember(read.outputs_BSD, mask_BS)
            if self.context and not self.before:
                context = read.outputs_BSD.new_zeros(batch, self.attention.context)
            if self.feeding:
                vector = read.outputs_BSD.new_zeros(batch, self.hidden)
        memory = Memory(read.outputs_BSD, attended, read.states[-1].h_BH)
        return memory, State(self.bridge(read.states, self.cells), 0, context, vector)

    def masks(
        self, batch: int, steps: int, dropout: torch.Generator | None, like: Tensor
    ) -> DecoderMasks:
        """Return the masks of a pass, (B, T, X) each, T = steps. like: gives device and format."""
        size = self.embedding.size if self.token else 0
        return DecoderMasks(
            mask((batch, steps, size), self.dropout, dropout, like) if size else None,
            self.stack.dropped(batch, steps, dropout, like),
            mask((batch, steps, self.hidden), self.dropout, dropout, like),
        )

    def forward(
        self, tokens_BT: Tensor, state: State, memory: Memory, masks: DecoderMasks
    ) -> tuple[Tensor, State, Tensor | None]:
        """Feed T tokens; return readout_BTH for the output layer, the state, attention weights_BTS.

        T must be 1 if the decoder loops.
        """
        assert tokens_BT.shape[1] == 1 or not self.loops
        attended = None
        if self.attention is not None and self.before:
            # the state before the cell's step is the query, so the context can enter that step
            top_BH = state.layers[-1].h_BH
            attended = self.attention(top_BH[:, None], memory.attended, state.t)
        entering = self._entering(tokens_BT, state, memory, masks, attended)
        outputs_BTH, layers = self.stack(entering, state.layers, masks.stack)
        t = state.t + tokens_BT.shape[1]
        if self.attention is None:
            readout = apply(outputs_BTH, masks.readout_BTH)
            return readout, State(layers, t, None, None), None
        if attended is None:
            attended = self.attention(outputs_BTH, memory.attended, state.t)
        contexts_BTX, weights_BTS = attended
        vectors_BTH = torch.tanh(self.merge(torch.cat([outputs_BTH, contexts_BTX], dim=-1)))
        vectors_BTH = apply(vectors_BTH, masks.readout_BTH)
        # kept only where the first state has them, which is where the cell will read them
        after = State(
            layers,
            t,
            None if state.context_BX is None else contexts_BTX[:, -1],
            None if state.vector_BH is None else vectors_BTH[:, -1],
        )
        return vectors_BTH, after, weights_BTS

    def unfold(
        self,
        tokens_BT: Tensor,
        fed_BT: Tensor | None,
        state: State,
        memory: Memory,
        masks: DecoderMasks,
    ) -> Tensor:
        """Return the readouts_BTH of a whole pass whose steps depend on each other."""
        return stepwise(self, tokens_BT, fed_BT, state, memory, masks)

    def _entering(
        self,
        tokens_BT: Tensor,
        state: State,
        memory: Memory,
        masks: DecoderMasks,
        attended: tuple[Tensor, Tensor] | None,
    ) -> Tensor:
        """Return what the lowest cell reads, (B, T, I)."""
        parts = []
        if self.token:
            parts.append(apply(self.embedding(tokens_BT), masks.embedded_BTE))
        if self.context:
            # this step's context, that of the step before, or without attention always the summary
            if attended is not None:
                parts.append(attended[0])
            elif state.context_BX is not None:
                parts.append(state.context_BX[:, None])
            else:
                parts.append(memory.summary_BD[:, None].expand(-1, tokens_BT.shape[1], -1))
        if state.vector_BH is not None:
            parts.append(state.vector_BH[:, None])
        # decoder_input=state reads a constant one
        return (
            torch.cat(parts, dim=-1) if parts else memory.summary_BD.new_ones(*tokens_BT.shape, 1)
        )
