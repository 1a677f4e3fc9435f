"""Keeps sequences on disk, so that a corpus may be larger than memory."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.ragged import GeneratorOf, Indices, Part, Ragged

BLOCK_EXAMPLES = 16_384
"""Number of neighbouring examples that are read from disk together."""
BLOCKS_AT_ONCE = 16
"""Number of blocks that are in memory, and shuffled, at a time."""


@dataclass(frozen=True, eq=False)
class Mapped(Ragged):
    """A Ragged whose arrays are memory maps.

    known_longest, known_mean: the longest and the mean length, which would otherwise have to be
    read from the whole file.
    """

    known_longest: int
    known_mean: float

    @classmethod
    def open(cls, stem: Path, longest: int, mean: float) -> Mapped:
        """Open two raw files, STEM.ids (int32) and STEM.offsets (int64).

        Raises ValueError if one is missing or empty, or if they do not belong together.
        """
        arrays = []
        for ending, kind in ((".ids", np.int32), (".offsets", np.int64)):
            file = stem.with_name(stem.name + ending)
            if not file.is_file() or not file.stat().st_size:
                raise ValueError(f"{file} is missing or empty; add the corpus again")
            arrays.append(np.memmap(file, dtype=kind, mode="r"))
        ids, offsets = arrays
        if offsets[0] != 0 or offsets[-1] != len(ids):
            raise ValueError(
                f"{stem}.ids and {stem}.offsets do not belong together; add the corpus again"
            )
        return cls(ids, offsets, longest, mean)

    @property
    def longest(self) -> int:
        return self.known_longest

    @property
    def mean_length(self) -> float:
        return self.known_mean

    def parts(self, epoch: int, first: int, generator_of: GeneratorOf) -> Iterator[Part]:
        """Yield the parts of an epoch from number `first` on.

        Blocks of neighbours come in random order, BLOCKS_AT_ONCE as a part: reading single
        examples from all over the disk would be far slower.
        """
        count = -(-len(self) // BLOCK_EXAMPLES)
        order = generator_of("blocks", str(epoch)).permutation(count)
        for number in range(first, -(-count // BLOCKS_AT_ONCE)):
            blocks = order[number * BLOCKS_AT_ONCE :][:BLOCKS_AT_ONCE]
            indices = np.concatenate([self._block(block) for block in blocks])
            yield Part(number, f"{epoch} {number}", indices)

    def _block(self, block: int) -> Indices:
        """Return the indices of a block's examples; the last block may have fewer."""
        start = block * BLOCK_EXAMPLES
        return np.arange(start, min(start + BLOCK_EXAMPLES, len(self)))

    def release(self) -> None:
        """Free the memory of what was read from disk; it is read again when it is needed."""
        for array in (self.ids, self.offsets):
            held = getattr(array, "_mmap", None)
            if held is not None and hasattr(mmap, "MADV_DONTNEED"):
                held.madvise(mmap.MADV_DONTNEED)
