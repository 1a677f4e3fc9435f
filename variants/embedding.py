"""Embeddings of symbols, random or pretrained, tuned or frozen."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from variants.fast.stacked import by_replica, stack_size


class Init(NamedTuple):
    """A way to draw the first values of an embedding.

    draw: sets a table (V, E), given the axis embedding_range. ranged: True if it reads that.
    square: True if E is V and the table never learns.
    """

    draw: Callable[[Tensor, float, torch.Generator], Tensor]
    ranged: bool
    about: str
    square: bool = False


def _one_hot(table: Tensor, spread: float, drawn: torch.Generator) -> Tensor:
    """Set a table (V, V) to the identity."""
    return nn.init.eye_(table)


def _uniform(table: Tensor, spread: float, drawn: torch.Generator) -> Tensor:
    """Draw a table (V, E) within the spread around 0."""
    return table.uniform_(-spread, spread, generator=drawn)


INITS: dict[str, Init] = {
    "normal": Init(lambda t, _, drawn: t.normal_(generator=drawn), False, "N(0, 1), torch's"),
    "uniform": Init(_uniform, True, "uniform within embedding_range of 0"),
    "xavier": Init(
        lambda t, _, drawn: nn.init.xavier_uniform_(t, generator=drawn),
        False,
        "Glorot and Bengio 2010, eq. 16",
    ),
    "one-hot": Init(
        _one_hot,
        False,
        "no embedding: a 1 at the symbol's place among zeros, as many inputs as symbols",
        square=True,
    ),
    "ppmi": Init(
        _uniform,
        True,
        "pretrained on the spot: truncated SVD of positive pointwise mutual information within "
        "the training text (Levy et al. 2015, section 3.3, eigenvalues to the power 1/2), as "
        "large as uniform would be",
    ),
    "vectors": Init(
        _uniform,
        True,
        "pretrained, from a word2vec or GloVe text file (bench data add NAME FILE --vectors); "
        "symbols that it lacks as uniform",
    ),
}
"""The values of the axis embedding_init."""
PRETRAINED = ("ppmi", "vectors")
"""Those of them that take values made beforehand."""
TRAINED = {"tuned": "they learn with the rest", "frozen": "they keep their first values"}
"""The values of the axis embedding_trained."""


class Pretrained(NamedTuple):
    """Pretrained values_VE, of which the rows that `known_V` marks are used."""

    values_VE: Tensor
    known_V: Tensor


class Embedding(nn.Module):
    """A table of one vector for each symbol.

    trained: tuned, or frozen to keep its first values, as one-hot vectors always do.
    """

    def __init__(
        self,
        symbols: int,
        size: int,
        init: str,
        spread: float,
        trained: str,
        pretrained: Pretrained | None = None,
    ) -> None:
        super().__init__()
        assert (pretrained is not None) == (init in PRETRAINED), init
        square = INITS[init].square
        self.size = symbols if square else size
        self._init = INITS[init]
        self._spread = spread
        self._pretrained = pretrained
        # a frozen table is a parameter too, so that it is initialised and stored like the others
        learns = trained == "tuned" and not square
        self.table = nn.Parameter(torch.empty(symbols, self.size), requires_grad=learns)

    def first_values(self, parameter: Tensor, generator: torch.Generator) -> None:
        """Draw the table (V, E), and put pretrained rows in their places."""
        # drawn in any case, for symbols that have no pretrained vector
        self._init.draw(parameter, self._spread, generator)
        if self._pretrained is not None:
            values_VE, known_V = self._pretrained
            parameter[known_V] = values_VE[known_V]

    def forward(self, ids: Tensor) -> Tensor:
        """Return the vectors of ids, (...) -> (..., E)."""
        if count := stack_size(self.table, 2):
            # the tables of all replicas one after another, and each replica's ids within its own
            symbols = self.table.shape[1]
            starts = torch.arange(0, count * symbols, symbols, device=ids.device)
            own = by_replica(ids, count) + starts.view(-1, *[1] * ids.ndim)
            return nn.functional.embedding(own.flatten(0, 1), self.table.flatten(0, 1))
        return nn.functional.embedding(ids, self.table)


def embeddings(model: nn.Module) -> tuple[Embedding, ...]:
    """Return every embedding that a model holds, in the order of its parts."""
    return tuple(module for module in model.modules() if isinstance(module, Embedding))
