"""Random choices, fast: every choice of the grammar comes from a `Draw`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Draw:
    """Choices from blocks of uniform numbers: a generator's single draws are far slower."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._numbers: Iterator[float] = iter(())

    def uniform(self) -> float:
        """The next number in [0, 1)."""
        for number in self._numbers:
            return number
        self._numbers = iter(self._random.random(64).tolist())
        return next(self._numbers)

    def chance(self, probability: float) -> bool:
        """True this often."""
        return self.uniform() < probability

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, all alike."""
        return options[int(self.uniform() * len(options))]

    def two(self, options: Sequence[T]) -> tuple[T, T]:
        """Two different options."""
        first = int(self.uniform() * len(options))
        step = 1 + int(self.uniform() * (len(options) - 1))
        return options[first], options[(first + step) % len(options)]
