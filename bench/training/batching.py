"""From indexed splits to padded batches: order by length, collate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from bench.training.randomness import numpy_generator
from tasks import BOS, EOS, Facts, Indices, Ragged, Split
from tasks.mapped import Mapped
from variants import Batch

BLOCK = 16_384
"""Neighbouring examples that are read from disk together."""
BLOCKS = 16
"""Blocks that are in memory, and shuffled, at a time."""
JITTER = 3.0
"""Positions by which leftovers of unlike source lengths may change places in the order."""


def bucketed(
    sources: Indices, targets: Indices, size: int, random: np.random.Generator
) -> list[Indices]:
    """One epoch: every example once, in batches of like lengths, in random order.

    Batches are of one source length where there are enough, so that nothing is padded or
    masked there; what is left over of each length shares batches with its neighbours. sources,
    targets: the examples' lengths.
    """
    drawn = random.permutation(len(sources))
    if len(sources) <= size:
        return [drawn]
    # by source length, in random order within one: the first of each, too few for a batch more,
    # are left over, which does not hang on their target's length
    order = drawn[np.argsort(sources[drawn], kind="stable")]
    _, starts, counts = np.unique(sources[order], return_index=True, return_counts=True)
    place = np.arange(len(order)) - np.repeat(starts, counts)
    left = place < np.repeat(counts % size, counts)
    kept, others = order[~left], order[left]
    kept = kept[np.lexsort((targets[kept], sources[kept]))]
    # neighbours in length change places, or a small split would be the same batches every epoch
    near = sources[others] + random.uniform(0, JITTER, len(others))
    others = others[np.argsort(near, kind="stable")]
    batches = [
        some[start : start + size] for some in (kept, others) for start in range(0, len(some), size)
    ]
    return [batches[index] for index in random.permutation(len(batches))]


class Position(NamedTuple):
    """Where in the data a run stands: the next batch of a part of an epoch."""

    epoch: int = 0
    batch: int = 0
    part: int = 0


def endless(
    split: Split, size: int, seed: int, start: Position
) -> Iterator[tuple[Indices, Position]]:
    """Batches from a position on, each with the position after it; the same for every variant."""
    if isinstance(split.source, Mapped):
        yield from _endless_parts(split, size, seed, start)
    epoch, skip, _ = start
    while True:
        random = numpy_generator(seed, "order", str(epoch))
        batches = bucketed(split.source.lengths, split.targets[0].lengths, size, random)
        for number in range(skip, len(batches)):
            yield batches[number], Position(epoch, number + 1)
        epoch, skip = epoch + 1, 0


def _endless_parts(
    split: Split, size: int, seed: int, start: Position
) -> Iterator[tuple[Indices, Position]]:
    """The same of examples that do not fit into memory: blocks of neighbours in random order, so
    many at a time as a part, and within a part everything in random order."""
    epoch, skip, first = start
    while True:
        order = numpy_generator(seed, "blocks", str(epoch)).permutation(-(-len(split) // BLOCK))
        parts = [order[at : at + BLOCKS] for at in range(0, len(order), BLOCKS)]
        for part in range(first, len(parts)):
            places = np.concatenate(
                [np.arange(at * BLOCK, min((at + 1) * BLOCK, len(split))) for at in parts[part]]
            )
            random = numpy_generator(seed, "order", f"{epoch} {part}")
            sources, targets = (r.lengths_at(places) for r in (split.source, split.targets[0]))
            batches = bucketed(sources, targets, size, random)
            for number in range(skip, len(batches)):
                yield places[batches[number]], Position(epoch, number + 1, part)
            for ragged in (split.source, *split.targets):
                if isinstance(ragged, Mapped):
                    ragged.release()
            skip = 0
        epoch, first = epoch + 1, 0


def in_order(split: Split, size: int) -> Iterator[Indices]:
    """Every example once, sorted by source length, for evaluation."""
    order = np.argsort(split.source.lengths, kind="stable")
    for start in range(0, len(order), size):
        yield order[start : start + size]


def collate(split: Split, facts: Facts, device: str) -> Batch:
    """All examples of a split as one padded batch on a device."""
    source, mask = _padded(split.source)
    lengths = split.source.lengths
    if facts.tagging:
        targets = [_padded(stream)[0] for stream in split.targets]
        inputs, target_mask = source, mask
    else:
        ((ids, real),) = [_padded(stream, room=1) for stream in split.targets]
        ends = split.targets[0].lengths
        targets = [ids]
        inputs = np.roll(ids, 1, axis=1)
        inputs[:, 0] = BOS
        ids[np.arange(len(ids)), ends] = EOS
        target_mask = real
        target_mask[np.arange(len(ids)), ends] = True

    def put(array: npt.NDArray[np.generic]) -> torch.Tensor:
        return torch.from_numpy(array).to(device, non_blocking=True)

    return Batch(
        source_BS=put(source),
        source_mask_BS=put(mask),
        lengths_B=torch.from_numpy(lengths),
        even=bool(mask.all()),
        inputs_BT=put(inputs),
        targets=tuple(put(target) for target in targets),
        mask_BT=put(target_mask),
        places_N=put(np.flatnonzero(target_mask)),
        tokens=int(target_mask.sum()),
    )


def _padded(ragged: Ragged, room: int = 0) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Ids in rows filled up with 0, `room` columns wider than the longest; True where real."""
    lengths = ragged.lengths
    mask = np.arange(int(lengths.max()) + room) < lengths[:, None]
    ids = np.zeros(mask.shape, dtype=np.int64)
    ids[mask] = ragged.ids
    return ids, mask
