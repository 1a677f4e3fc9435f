"""The models that learn, of exchangeable parts: one file for each kind of part.

Shapes are suffixes of tensor names: B batch, S source length, T target length, E embedding,
H hidden, D width of the encoder's outputs (H, or 2 H both ways), K attention keys, X contexts,
V vocabulary, C classes, G gates, N real positions of a batch, L layers, R replicas.

A gradient of X is named dX. A model is an nn.Module that offers `encode`, `step` and `score` as
variants.contract.Model has them (a tagger: `score`). Training, decoding and probes use only these.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from variants.applicable import inapplicable
from variants.axes import AXES, BASE, TOGETHER, Variant
from variants.contract import (
    Batch,
    Encoded,
    Model,
    ModelParts,
    Readout,
    Step,
    real,
    with_number_format,
)
from variants.embedding import Pretrained
from variants.initialisation import Drawer, initialise
from variants.models import MODELS, ModelSpec, recurrent
from variants.precision import TYPES

__all__ = [
    "AXES",
    "BASE",
    "TOGETHER",
    "Batch",
    "Encoded",
    "Model",
    "ModelParts",
    "Pretrained",
    "Readout",
    "Step",
    "Variant",
    "build",
    "inapplicable",
    "real",
]


def build(
    variant: Variant,
    source: int,
    targets: tuple[int, ...],
    tagging: bool,
    generator: Drawer,
    longest: int,
    pretrained: tuple[Pretrained | None, Pretrained | None] = (None, None),
) -> Model:
    """Return a model on the CPU with its first values set.

    Args:
        variant: The choices that make the model.
        source: Number of source symbols.
        targets: Number of target symbols, or of a tagger's classes for each head.
        tagging: Whether the task is one for taggers.
        generator: Returns the torch.Generator for a parameter's name.
        longest: Positions of the longest training source.
        pretrained: Source and target embeddings, where embedding_init asks for them.

    Raises:
        ValueError: The combination does not apply.
    """
    reason = inapplicable(variant, tagging)
    if reason is not None:
        raise ValueError(f"this variant does not apply, {reason}; change one of them")
    spec = ModelSpec(variant, source, targets, tagging, longest, pretrained)
    kind = MODELS.get(variant.cell)
    with _drawing_from(generator("construction")):
        model = recurrent(spec) if kind is None else kind.build(spec)
    if kind is None or not kind.draws:
        initialise(model, generator, variant.weight_init, variant.forget_bias)
    if variant.precision in TYPES:
        model = with_number_format(model, TYPES[variant.precision])
    return model


@contextmanager
def _drawing_from(generator: torch.Generator) -> Iterator[None]:
    """Let what constructors draw follow from `generator`, and put torch's global one back after.

    Torch's constructors always draw. Parts from outside may keep these values.
    """
    seed = int(torch.randint(2**62, (), generator=generator))
    before = torch.get_rng_state()
    try:
        torch.default_generator.manual_seed(seed)
        yield
    finally:
        torch.set_rng_state(before)
