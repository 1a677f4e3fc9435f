"""Makes random choices quickly: every choice of the grammar comes from a `Draw`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Draw:
    """Makes random choices from blocks of uniform numbers.

    A generator's single draws would be far slower.
    """

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._numbers: Iterator[float] = iter(())

    def uniform(self) -> float:
        """Return the next number in [0, 1)."""
        for number in self._numbers:
            return number
        self._numbers = iter(self._random.random(64).tolist())
        return next(self._numbers)

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self.uniform() < probability

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options, each with the same probability."""
        return options[int(self.uniform() * len(options))]

    def two(self, options: Sequence[T]) -> tuple[T, T]:
        """Return two different options."""
        first = int(self.uniform() * len(options))
        step = 1 + int(self.uniform() * (len(options) - 1))
        return options[first], options[(first + step) % len(options)]
