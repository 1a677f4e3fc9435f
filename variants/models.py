"""Builds a model of the parts that a variant names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from variants.attention import Sizes
from variants.combining_decoder import CombiningDecoder
from variants.contract import Model
from variants.decoder import Structured
from variants.embedding import Embedding, Pretrained
from variants.encoder import Encoder
from variants.fast.decoder_loop import LoopDecoder
from variants.seq2seq import Seq2Seq
from variants.stack import Layers
from variants.tagger import JointTagger, SequenceLayer
from variants.transformer import TransformerDecoder, TransformerEncoder

if TYPE_CHECKING:
    from variants.axes import Variant


class ModelSpec(NamedTuple):
    """The facts that a model is built from.

    source: number of source symbols. targets: target symbols, or a tagger's classes per head.
    longest: positions of the longest training source. pretrained: for source and target, where
    the variant asks for it.
    """

    variant: Variant
    source: int
    targets: tuple[int, ...]
    tagging: bool
    longest: int
    pretrained: tuple[Pretrained | None, Pretrained | None]

    def embedding(self, target: bool) -> Embedding:
        """Return the embedding of the target, or of the source."""
        v = self.variant
        return Embedding(
            self.targets[0] if target else self.source,
            v.embedding,
            v.embedding_init,
            v.embedding_range,
            v.embedding_trained,
            self.pretrained[target],
        )


class ModelKind(NamedTuple):
    """A whole model that stands where a cell does on the axis `cell`.

    build: makes it. axes: those that it reads, beyond the ones of training, which apply to all.
    about: one line, with its source. tagging: True if it can be a tagger. draws: True if its
    constructor draws its first values; else the suite does, as the axis weight_init says.
    """

    build: Callable[[ModelSpec], Model]
    axes: frozenset[str]
    about: str
    tagging: bool = False
    draws: bool = True


def recurrent(spec: ModelSpec) -> Model:
    """Return a model of the recurrent family, of the parts that the variant names."""
    v = spec.variant
    residual = v.stack == "residual"
    layers = Layers(v.cell, v.hidden, v.encoder_depth, v.dropout, v.recurrent_dropout, residual)
    upper = layers._replace(depth=v.decoder_depth)
    embedding = spec.embedding(target=False)
    if spec.tagging:
        lower = Encoder(v.direction, layers, embedding.size * v.window, v.initial_state)
        upper_encoder = Encoder(v.direction, upper, lower.width, v.initial_state)
        return _tagger(spec, embedding, lower, upper_encoder)
    encoder = Encoder(v.direction, layers, embedding.size, v.initial_state)
    decoder = LoopDecoder(
        structure=Structured(
            inputs=v.decoder_input,
            attention=v.attention,
            order=v.attention_order,
            feeding=v.input_feeding == "on",
            bridge=v.bridge,
            tied=v.output_weights == "tied",
        ),
        layers=upper,
        symbols=spec.targets[0],
        embedding=spec.embedding(target=True),
        sizes=Sizes(v.hidden, encoder.width, spec.longest, v.heads, v.attention_span),
        dropout=v.dropout,
    )
    return Seq2Seq(embedding, encoder, decoder, v.dropout)


def attn_decoder_rnn(spec: ModelSpec) -> Model:
    """Return a GRU encoder with the tutorial's decoder; see variants.combining_decoder."""
    v = spec.variant
    embedding = spec.embedding(target=False)
    layers = Layers("gru", v.hidden, 1)
    encoder = Encoder("forward", layers, embedding.size, v.initial_state)
    decoder = CombiningDecoder(
        spec.targets[0], spec.embedding(target=True), v.hidden, spec.longest, v.dropout
    )
    return Seq2Seq(embedding, encoder, decoder, v.dropout)


def transformer(spec: ModelSpec) -> Model:
    """Return torch's Transformer; for a tagger, its encoder alone."""
    v = spec.variant
    embedding = spec.embedding(target=False)
    size = embedding.size * (v.window if spec.tagging else 1)
    encoder = TransformerEncoder(size, v.hidden, v.encoder_depth, v.heads, v.dropout)
    if spec.tagging:
        upper = TransformerEncoder(v.hidden, v.hidden, v.decoder_depth, v.heads, v.dropout)
        return _tagger(spec, embedding, encoder, upper)
    decoder = TransformerDecoder(
        spec.targets[0],
        spec.embedding(target=True),
        v.hidden,
        v.decoder_depth,
        v.heads,
        v.dropout,
    )
    return Seq2Seq(embedding, encoder, decoder, v.dropout)


def _tagger(
    spec: ModelSpec, embedding: Embedding, lower: SequenceLayer, upper: SequenceLayer
) -> Model:
    keyword, position = spec.targets
    v = spec.variant
    return JointTagger(
        embedding,
        v.window,
        lower,
        upper,
        (keyword, position),
        v.dropout,
    )


COMMON_AXES = frozenset({
    "embedding",
    "embedding_init",
    "embedding_range",
    "embedding_trained",
    "vectors",
    "dropout",
    "hidden",
})  # fmt: skip
"""Axes that every model of the suite reads."""

MODELS: dict[str, ModelKind] = {
    "attn-decoder-rnn": ModelKind(
        attn_decoder_rnn,
        COMMON_AXES | {"initial_state", "weight_init"},
        draws=False,
        about="a GRU with the decoder of PyTorch's translation tutorial: attention over fixed "
        "positions from [embedding; state], combined with the embedding by a layer with ReLU that "
        "the GRU reads (AttnDecoderRNN, Robertson 2017)",
    ),
    "transformer": ModelKind(
        transformer,
        COMMON_AXES | {"encoder_depth", "decoder_depth", "heads", "window", "weight_init"},
        tagging=True,
        draws=False,
        about="reference outside the recurrent family: torch's own layers, post-norm (Vaswani et "
        "al. 2017, section 3)",
    ),
}
"""Whole models by name, values like the recurrent cells' names on the axis `cell`."""
