"""Maps symbols to ids. Ids 0, 1 and 2 are pad, bos and eos in every task.

The increment experiment that the project started from numbers them so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tasks.ragged import Ids

PAD, BOS, EOS, UNK = 0, 1, 2, 3
SPECIALS = ("<pad>", "<bos>", "<eos>")
UNKNOWN = "<unk>"
"""The symbol with id UNK, in a vocabulary that has one."""


@dataclass(frozen=True)
class Vocabulary:
    """An ordered set of symbols; the id of a symbol is its position.

    symbols: the first three are SPECIALS. A vocabulary whose fourth symbol is UNKNOWN maps unseen
    symbols to it; one without refuses them. The symbols after these may look like them.
    """

    symbols: tuple[str, ...]
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        assert self.symbols[: len(SPECIALS)] == SPECIALS, self.symbols[:3]
        # a text may hold "<pad>" like any other word, which is not the special symbol
        first = len(SPECIALS) + (self.symbols[UNK : UNK + 1] == (UNKNOWN,))
        ids = {symbol: index for index, symbol in enumerate(self.symbols) if index >= first}
        assert len(ids) == len(self.symbols) - first, "a symbol is repeated"
        object.__setattr__(self, "_ids", ids)

    @classmethod
    def closed(cls, symbols: Iterable[str]) -> Vocabulary:
        """Make a vocabulary of exactly these symbols after the specials.

        `encode` refuses all others.
        """
        return cls((*SPECIALS, *symbols))

    @classmethod
    def counted(cls, sentences: Iterable[Sequence[str]], least: int) -> Vocabulary:
        """Make a vocabulary of the symbols seen `least` times or more, the most frequent first.

        All others are unknown.
        """
        counts = Counter(symbol for sentence in sentences for symbol in sentence)
        kept = sorted((s for s, n in counts.items() if n >= least), key=lambda s: (-counts[s], s))
        return cls((*SPECIALS, UNKNOWN, *kept))

    def __len__(self) -> int:
        return len(self.symbols)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._ids

    @property
    def open(self) -> bool:
        """True if unseen symbols become UNKNOWN."""
        return len(self.symbols) > UNK and self.symbols[UNK] == UNKNOWN

    def encode(self, symbols: Iterable[str]) -> Ids:
        """Return the ids of the symbols, int32.

        Raises ValueError for an unseen symbol if the vocabulary has no UNKNOWN.
        """
        ids = []
        for symbol in symbols:
            known = self._ids.get(symbol)
            if known is None:
                if not self.open:
                    raise ValueError(
                        f"the symbol {symbol!r} is not in this task's vocabulary "
                        f"of {len(self) - len(SPECIALS)}: {self._shown()}"
                    )
                known = UNK
            ids.append(known)
        return np.asarray(ids, dtype=np.int32)

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Return the symbols of the ids."""
        return [self.symbols[int(index)] for index in ids]

    def _shown(self) -> str:
        rest = self.symbols[len(SPECIALS) :]
        return " ".join(rest if len(rest) <= 40 else (*rest[:5], "...", *rest[-2:]))
