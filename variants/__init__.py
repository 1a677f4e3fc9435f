"""Who learns: one file a kind of part, and how they make a model.

Shapes are suffixes of tensor names: B batch, S source length, T target length, E embedding,
H hidden, D width of the encoder's outputs (H, or 2 H both ways), K attention keys, V vocabulary,
C classes, G gates, N real positions of a batch, L layers, R replicas.

A model is an nn.Module that offers `encode`, `step` and `score` as variants.contract.Model has
them (a tagger: `score`). Training, decoding and probes use only these.
"""

from __future__ import annotations

import torch

from variants.axes import AXES, BASE, TOGETHER, Variant, inapplicable
from variants.contract import Batch, Encoded, Model, Step, real
from variants.decoder import Decoder
from variants.embedding import Embedding
from variants.encoder import Encoder
from variants.initialisation import Drawer, initialise
from variants.seq2seq import Seq2Seq
from variants.tagger import JointTagger

__all__ = [
    "AXES",
    "BASE",
    "TOGETHER",
    "Batch",
    "Encoded",
    "Model",
    "Step",
    "Variant",
    "build",
    "real",
]


def build(
    variant: Variant, source: int, targets: tuple[int, ...], tagging: bool, generator: Drawer
) -> Model:
    """A model on the CPU with its first values set.

    source: number of source symbols. targets: target symbols, or a tagger's classes per head.
    generator: gives the torch.Generator for a parameter's name. ValueError for a combination
    that does not apply.
    """
    reason = inapplicable(variant, tagging)
    if reason is not None:
        raise ValueError(f"this variant does not apply, {reason}; change one of them")
    # built without values, so that torch's own initialisation draws nothing from the global
    # generator; NaN shows a parameter that no rule reached
    with torch.device("meta"):
        model = _tagger(variant, source, targets) if tagging else _seq2seq(variant, source, targets)
    model.to_empty(device="cpu")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(float("nan"))
    initialise(model, generator)
    return model


def _embedding(symbols: int, v: Variant) -> Embedding:
    return Embedding(symbols, v.embedding, v.embedding_init, v.embedding_range, v.embedding_trained)


def _seq2seq(variant: Variant, source: int, targets: tuple[int, ...]) -> Model:
    (symbols,) = targets
    v = variant
    encoder = Encoder(v.direction, v.cell, v.embedding, v.hidden, v.encoder_depth, v.dropout)
    decoder = Decoder(
        structure=v.decoder_input,
        attention=v.attention,
        cell=v.cell,
        symbols=symbols,
        embedding=_embedding(symbols, v),
        hidden=v.hidden,
        depth=v.decoder_depth,
        dropout=v.dropout,
        width=encoder.width,
    )
    return Seq2Seq(_embedding(source, v), encoder, decoder, v.dropout)


def _tagger(variant: Variant, source: int, targets: tuple[int, ...]) -> Model:
    v = variant
    size = v.embedding * v.window
    lower = Encoder(v.direction, v.cell, size, v.hidden, v.encoder_depth, v.dropout)
    upper = Encoder(v.direction, v.cell, lower.width, v.hidden, v.decoder_depth, v.dropout)
    keyword, position = targets
    return JointTagger(
        _embedding(source, v),
        v.window,
        lower,
        upper,
        (keyword, position),
        v.dropout,
    )
