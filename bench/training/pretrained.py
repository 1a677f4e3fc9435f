"""Makes pretrained embeddings, from the training text, or from word vectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bench.corpora import vectors
from bench.corpora.vectors import Floats
from tasks import UNK, Ragged, Task, Vocabulary
from tasks.parallel.subwords import SPACE_MARK
from tasks.parallel.tokenisers import JOINER
from variants import Pretrained, Variant

CONTEXT_WINDOW = 2
"""Number of symbols on each side that count as the context of a symbol."""
SMOOTHING = 0.75
"""Exponent of context counts, which gives rare contexts more weight."""
LARGEST_DENSE = 2000
"""Largest vocabulary whose matrix is decomposed completely. The truncated decomposition draws at
random where the rank is smaller than is asked for, as with small vocabularies."""
RANK_TOLERANCE = 1e-8
"""A singular value of at most this share of the largest counts as zero."""


def pretrained(
    variant: Variant, task: Task, data: Path | None
) -> tuple[Pretrained | None, Pretrained | None]:
    """Return first values of source and target embeddings (V, E), or None where they are random.

    data: folder of word vectors. A tagger has no target embedding.
    """
    kind = variant.embedding_init
    if kind == "ppmi":
        train = task.splits["train"]
        target = None if task.facts.tagging else (train.targets[0], task.facts.target_sizes[0])
        sides = [(train.source, task.facts.source_size), target]
        return _pair(
            None if side is None else _scaled(*ppmi(*side, variant.embedding), variant)
            for side in sides
        )
    if kind == "vectors":
        found = vectors.load(variant.vectors, data or Path())
        vocabularies = [task.source, None if task.facts.tagging else task.target]
        return _pair(None if v is None else _tensors(*look_up(found, v)) for v in vocabularies)
    return None, None


def _pair(sides: Iterable[Pretrained | None]) -> tuple[Pretrained | None, Pretrained | None]:
    source, target = sides
    return source, target


def _tensors(values_VE: Floats, known_V: NDArray[np.bool_]) -> Pretrained:
    return Pretrained(torch.from_numpy(values_VE), torch.from_numpy(known_V))


def _scaled(values_VE: Floats, known_V: NDArray[np.bool_], variant: Variant) -> Pretrained:
    """Return values (V, E) as large as those that `uniform` draws.

    So a comparison with it is of the directions alone.
    """
    size = float(np.sqrt(np.mean(values_VE[known_V] ** 2)))
    wanted = variant.embedding_range / np.sqrt(3.0)
    return _tensors(values_VE * np.float32(wanted / size if size else 0.0), known_V)


def look_up(found: vectors.Vectors, vocabulary: Vocabulary) -> tuple[Floats, NDArray[np.bool_]]:
    """Return values (V, E) for a vocabulary's symbols, and which of them were found (V,).

    A symbol is looked up as it is, else in lower case, else without the marks that say where
    spaces stand.
    """
    places = {word: place for place, word in enumerate(found.words)}
    rows = [_place(places, symbol) for symbol in vocabulary.symbols]
    known = np.array(rows) >= 0
    values = np.where(known[:, None], found.values_VE[rows], np.float32(0))
    return values.astype(np.float32), known


def _place(places: Mapping[str, int], symbol: str) -> int:
    """Return the row of a symbol's vector, -1 if it has none."""
    bare = symbol.strip(JOINER + SPACE_MARK)
    for form in (symbol, symbol.lower(), bare, bare.lower()):
        if form in places:
            return places[form]
    return -1


def vector_note(name: str, task: Task, data: Path) -> str:
    """Return a line that says how many symbols of a task have a vector."""
    found = vectors.load(name, data)
    sides = {"source": task.source} | ({} if task.facts.tagging else {"target": task.target})
    first = UNK + 1
    parts = []
    for side, vocabulary in sides.items():
        _, known = look_up(found, vocabulary)
        start = first if vocabulary.open else UNK
        parts.append(f"{int(known[start:].sum()):,} of {len(vocabulary) - start:,} {side} symbols")
    return f"vectors {name}: {' and '.join(parts)} have one"


def ppmi(sequences: Ragged, symbols: int, size: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Return embeddings (V, E) of a training text's symbols, and which of these occur in it (V,).

    Levy et al. 2015, sections 2 and 3: symmetric windows of WINDOW symbols; positive pointwise
    mutual information with context counts to the power SMOOTHING; U sqrt(S) of its truncated
    SVD. Each component's largest value is positive. Columns beyond the matrix's rank are 0.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import svds

    ids = np.asarray(sequences.ids, dtype=np.int64)
    owner = np.repeat(np.arange(len(sequences)), sequences.lengths)
    pairs = []
    for distance in range(1, CONTEXT_WINDOW + 1):
        same_sequence = owner[distance:] == owner[:-distance]
        left, right = ids[:-distance][same_sequence], ids[distance:][same_sequence]
        pairs += [(left, right), (right, left)]
    rows, columns = (np.concatenate(side) for side in zip(*pairs, strict=True))
    counts = coo_array((np.ones(len(rows)), (rows, columns)), shape=(symbols, symbols)).tocsr()
    counts.sum_duplicates()
    found = counts.tocoo()
    marginal = np.asarray(counts.sum(axis=1)).ravel()
    context = marginal**SMOOTHING
    with np.errstate(divide="ignore"):
        information = np.log(
            found.data * context.sum() / (marginal[found.row] * context[found.col])
        )
    positive = coo_array(
        (np.maximum(information, 0.0), (found.row, found.col)), shape=(symbols, symbols)
    )
    values = np.zeros((symbols, size), dtype=np.float32)
    if not positive.sum():
        return values, marginal > 0  # no two symbols are neighbours more often than by chance
    kept = min(size, symbols - 1)
    if symbols <= LARGEST_DENSE:
        u, s, _ = np.linalg.svd(positive.toarray())
    else:
        start = np.random.default_rng(0).standard_normal(symbols)
        u, s, _ = svds(positive.tocsr(), k=kept, v0=start)
    order = np.argsort(-s)[:kept]
    s = np.where(s > RANK_TOLERANCE * s.max(), s, 0.0)
    columns_VK = u[:, order] * np.sqrt(s[order])
    signs = np.sign(columns_VK[np.abs(columns_VK).argmax(0), np.arange(kept)])
    values[:, :kept] = columns_VK * np.where(signs == 0, 1.0, signs)
    return values, marginal > 0
