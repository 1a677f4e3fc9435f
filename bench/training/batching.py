"""Turns indexed splits into padded batches: the order of examples, and collating them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from bench.training.randomness import numpy_generator
from tasks import BOS, EOS, Facts, Indices, Ragged, Split
from variants import Batch

JITTER = 3.0
"""Difference in source length up to which leftover examples may change places in the order."""


def random_batches(
    sources: Indices, targets: Indices, size: int, random: np.random.Generator
) -> list[Indices]:
    """Return one epoch: every example once, in random order, whatever its length.

    Args as in `length_batches`; random is drawn from once.
    """
    drawn = random.permutation(len(sources))
    return [drawn[start : start + size] for start in range(0, len(drawn), size)]


def length_batches(
    sources: Indices, targets: Indices, size: int, random: np.random.Generator
) -> list[Indices]:
    """Return one epoch: every example once, in batches of similar lengths, in random order.

    Batches are of one source length where there are enough, so that nothing is padded or masked
    there; what is left over of each length shares batches with similar ones.

    Args:
        sources: the examples' source lengths.
        targets: the examples' target lengths.
        size: examples for each batch; the last of an epoch may have fewer.
        random: is drawn from three times, or once where one batch holds all.
    """
    drawn = random.permutation(len(sources))
    if len(sources) <= size:
        return [drawn]
    # by source length, in random order within one: the first of each, too few for one more batch,
    # are left over, so which ones does not depend on their target's length
    order = drawn[np.argsort(sources[drawn], kind="stable")]
    _, starts, counts = np.unique(sources[order], return_index=True, return_counts=True)
    place = np.arange(len(order)) - np.repeat(starts, counts)
    is_left_over = place < np.repeat(counts % size, counts)
    kept, others = order[~is_left_over], order[is_left_over]
    # by target length within one source length, as targets are padded too
    kept = kept[np.lexsort((targets[kept], sources[kept]))]
    # neighbours in length change places, or a small split would be the same batches every epoch
    near = sources[others] + random.uniform(0, JITTER, len(others))
    others = others[np.argsort(near, kind="stable")]
    batches = [
        examples[start : start + size]
        for examples in (kept, others)
        for start in range(0, len(examples), size)
    ]
    return [batches[index] for index in random.permutation(len(batches))]


BATCHINGS: dict[str, Callable[..., list[Indices]]] = {
    "length": length_batches,
    "random": random_batches,
}
"""Makers of the batches of an epoch, by the names that `bench.specs.Budget` knows."""


class DataPosition(NamedTuple):
    """The place in the data where a run stands: its next batch.

    epoch: counted from 0. batch: within the part. part: of the epoch; a split in memory is one.
    """

    epoch: int = 0
    batch: int = 0
    part: int = 0


def endless(
    split: Split, size: int, seed: int, start: DataPosition, batching: str = "length"
) -> Iterator[tuple[Indices, DataPosition]]:
    """Yield batches from a position on, each with the position after it, without end.

    They depend on the split, the batch size, the kind of batches and the seed, so they are the same
    for every variant.
    """
    batches_of = BATCHINGS[batching]
    epoch, skip, first = start
    while True:
        for part in split.source.parts(epoch, first, partial(numpy_generator, seed)):
            # one generator for each part of an epoch, so that a resumed run need not draw earlier
            # ones again
            random = numpy_generator(seed, "order", part.name)
            sources, targets = (
                r.lengths_at(part.indices) for r in (split.source, split.targets[0])
            )
            batches = batches_of(sources, targets, size, random)
            for number in range(skip, len(batches)):
                yield part.indices[batches[number]], DataPosition(epoch, number + 1, part.number)
            for ragged in (split.source, *split.targets):
                ragged.release()
            skip = 0
        epoch, first = epoch + 1, 0


def by_length(split: Split, size: int) -> Iterator[Indices]:
    """Yield every example once, in batches sorted by source length, for evaluation."""
    order = np.argsort(split.source.lengths, kind="stable")
    for start in range(0, len(order), size):
        yield order[start : start + size]


def collate(split: Split, facts: Facts, device: str) -> Batch:
    """Return all examples of a split as one padded batch on a device.

    source_BS and inputs_BT are padded with 0. For a tagger the inputs are the sources; otherwise
    they are the targets, shifted by one behind bos, and each target ends with eos.
    """
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
    """Return ids as rows (B, L), filled up with 0, and a mask (B, L), True where they are real.

    L is the longest length and `room` more.
    """
    lengths = ragged.lengths
    mask = np.arange(int(lengths.max()) + room) < lengths[:, None]
    ids = np.zeros(mask.shape, dtype=np.int64)
    ids[mask] = ragged.ids
    return ids, mask
