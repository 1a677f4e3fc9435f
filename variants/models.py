"""Builds a model of the parts that a variant names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from variants.attention import Sizes
from variants.contract import Model
from variants.decoder import Structured
from variants.decoder_loop import LoopDecoder
from variants.embedding import Embedding, Pretrained
from variants.encoder import Encoder
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
    if spec.tagging:
        lower = Encoder(v.direction, layers, v.embedding * v.window, v.initial_state)
        return _tagger(spec, lower, Encoder(v.direction, upper, lower.width, v.initial_state))
    encoder = Encoder(v.direction, layers, v.embedding, v.initial_state)
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
    return Seq2Seq(spec.embedding(target=False), encoder, decoder, v.dropout)


def transformer(spec: ModelSpec) -> Model:
    """Return torch's Transformer; for a tagger, its encoder alone."""
    v = spec.variant
    size = v.embedding * (v.window if spec.tagging else 1)
    encoder = TransformerEncoder(size, v.hidden, v.encoder_depth, v.heads, v.dropout)
    if spec.tagging:
        upper = TransformerEncoder(v.hidden, v.hidden, v.decoder_depth, v.heads, v.dropout)
        return _tagger(spec, encoder, upper)
    decoder = TransformerDecoder(
        spec.targets[0],
        spec.embedding(target=True),
        v.hidden,
        v.decoder_depth,
        v.heads,
        v.dropout,
    )
    return Seq2Seq(spec.embedding(target=False), encoder, decoder, v.dropout)


def _tagger(spec: ModelSpec, lower: SequenceLayer, upper: SequenceLayer) -> Model:
    keyword, position = spec.targets
    v = spec.variant
    return JointTagger(
        spec.embedding(target=False),
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
