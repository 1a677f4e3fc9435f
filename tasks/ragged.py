"""Stores sequences of unequal length in two flat arrays: the storage under every split."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int64]
GeneratorOf = Callable[[str, str], np.random.Generator]
"""Makes the random generator of a purpose and a name."""


class Part(NamedTuple):
    """Examples of one epoch that are in memory, and shuffled, at the same time.

    number: of the part within its epoch. name: of its random order, one for each part and epoch.
    indices: of its examples.
    """

    number: int
    name: str
    indices: Indices


@dataclass(frozen=True, eq=False)
class Ragged:
    """Holds N sequences of ids.

    ids: int32, all sequences end to end. offsets: int64, N + 1 long; sequence i is
    ids[offsets[i]:offsets[i + 1]]. Both may be memory maps: nothing here copies them whole.
    """

    ids: Ids
    offsets: Offsets

    @classmethod
    def of(cls, sequences: Iterable[Sequence[int] | Ids]) -> Ragged:
        """Store sequences of ids; an empty sequence is allowed."""
        arrays = [np.asarray(sequence, dtype=np.int32) for sequence in sequences]
        offsets = np.zeros(len(arrays) + 1, dtype=np.int64)
        np.cumsum([len(array) for array in arrays], out=offsets[1:])
        ids = np.concatenate(arrays) if arrays else np.zeros(0, dtype=np.int32)
        return cls(ids, offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> Ids:
        if not 0 <= index < len(self):
            raise IndexError(f"sequence {index} of {len(self)}")
        return self.ids[self.offsets[index] : self.offsets[index + 1]]

    def __iter__(self) -> Iterator[Ids]:
        return (self[index] for index in range(len(self)))

    @property
    def lengths(self) -> Indices:
        """The length of each sequence, int64, N long."""
        return np.diff(self.offsets)

    def lengths_at(self, indices: Indices) -> Indices:
        """Return the length of each of these sequences."""
        lengths: Indices = self.offsets[indices + 1] - self.offsets[indices]
        return lengths

    @property
    def longest(self) -> int:
        """The length of the longest sequence."""
        return int(self.lengths.max())

    @property
    def mean_length(self) -> float:
        """The mean length of a sequence."""
        return float(self.lengths.mean())

    def parts(self, epoch: int, first: int, generator_of: GeneratorOf) -> Iterator[Part]:
        """Yield the parts of an epoch from number `first` on: here one, of all sequences.

        generator_of: makes the generators of an order of parts; here there is none to draw.
        """
        if first == 0:
            yield Part(0, str(epoch), np.arange(len(self), dtype=np.int64))

    def release(self) -> None:
        """Free memory of what can be read again: nothing here."""

    def take(self, indices: Indices) -> Ragged:
        """Return the sequences at these indices, in this order, as arrays of their own."""
        starts = self.offsets[indices]
        lengths = self.offsets[indices + 1] - starts
        offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        # one gather: where each kept id stood before
        places = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
        return Ragged(self.ids[places], offsets)
