"""Small batches and models that several tests share; float64, so that equal can mean 1e-10."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from hypothesis import strategies as st

from bench.training.batching import collate
from bench.training.randomness import torch_generator
from tasks import Facts, Ragged, Split
from variants import BASE, Batch, Model, Pretrained, Variant
from variants import build as build_model
from variants.axes import parse
from variants.embedding import PRETRAINED

SOURCES, TARGETS, CLASSES = 11, 9, (2, 5)
FIRST = 3  # the id after pad, bos and eos
LONGEST = 5
SMALL = parse("hidden=8,embedding=5,embedding_init=normal", BASE)
SEQUENCES = Facts(source_size=SOURCES, target_sizes=(TARGETS,), length_limit=8)
LABELS = Facts(
    source_size=SOURCES,
    target_sizes=CLASSES,
    length_limit=8,
    tagging=True,
    head_weights=(0.3, 0.7),
)

Row = tuple[list[int], list[int]]
"""Source and target of one example, without bos and eos."""


def vectors_for(variant: Variant, symbols: int) -> Pretrained | None:
    """Some rows of pretrained embeddings, where the variant asks for such."""
    if variant.embedding_init not in PRETRAINED:
        return None
    generator = torch.Generator().manual_seed(symbols)
    values = torch.randn(symbols, variant.embedding, generator=generator)
    return Pretrained(values, torch.arange(symbols) > FIRST)


def built(text: str, seed: int = 0, tagging: bool = False, base: Variant = SMALL) -> Model:
    """A float64 model of a variant's name."""
    variant = parse(text, base)
    model = build_model(
        variant,
        SOURCES,
        CLASSES if tagging else (TARGETS,),
        tagging,
        lambda name: torch_generator(seed, "init", name),
        longest=LONGEST,
        pretrained=(vectors_for(variant, SOURCES), vectors_for(variant, TARGETS)),
    )
    return model.double()


def sequences(rows: Sequence[Row]) -> Batch:
    """A padded batch of a sequence task."""
    split = Split(Ragged.of(s for s, _ in rows), (Ragged.of(t for _, t in rows),))
    return collate(split, SEQUENCES, "cpu")


def labelled(sources: Sequence[Sequence[int]]) -> Batch:
    """A padded batch for a tagger, whose labels follow from the ids."""
    heads = (Ragged.of([i % size for i in source] for source in sources) for size in CLASSES)
    return collate(Split(Ragged.of(sources), tuple(heads)), LABELS, "cpu")


def rows(seed: int, count: int, even: bool = False) -> list[Row]:
    """Random examples, all sources of length 4 if even."""
    random = np.random.default_rng(seed)

    def ids(top: int, length: int) -> list[int]:
        drawn: list[int] = random.integers(FIRST, top, size=length).tolist()
        return drawn

    return [
        (
            ids(SOURCES, 4 if even else int(random.integers(1, 6))),
            ids(TARGETS, int(random.integers(1, 5))),
        )
        for _ in range(count)
    ]


def some_rows(most: int = 4) -> st.SearchStrategy[list[Row]]:
    """Any few examples."""
    source = st.lists(st.integers(FIRST, SOURCES - 1), min_size=1, max_size=5)
    target = st.lists(st.integers(FIRST, TARGETS - 1), max_size=4)
    return st.lists(st.tuples(source, target), min_size=1, max_size=most)


def by_row(logits_NV: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, ...]:
    """The logits of each row's real positions."""
    counts: list[int] = batch.mask_BT.sum(1).tolist()
    return torch.split(logits_NV, counts)


def widened(batch: Batch, source: int, target: int) -> Batch:
    """The same examples with so many more columns of padding."""

    def pad(values: torch.Tensor, columns: int) -> torch.Tensor:
        return torch.nn.functional.pad(values, (0, columns))

    return batch._replace(
        source_BS=pad(batch.source_BS, source),
        source_mask_BS=pad(batch.source_mask_BS, source),
        even=batch.even and source == 0,
        inputs_BT=pad(batch.inputs_BT, target),
        targets=tuple(pad(part, target) for part in batch.targets),
        mask_BT=pad(batch.mask_BT, target),
        places_N=pad(batch.mask_BT, target).flatten().nonzero()[:, 0],
    )


def close(left: torch.Tensor, right: torch.Tensor) -> None:
    """Equal but for the last bits of float64."""
    torch.testing.assert_close(left, right, rtol=0, atol=1e-10)
