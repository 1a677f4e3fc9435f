"""Judges how much each symbol weighs in the loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from results.doctor.examined import LIKELY, Finding

FEWEST_SYMBOLS = 5
"""Fewer symbols may be weighed in the order of their counts by chance."""
MANY_SYMBOLS = 8
"""Fewer symbols must follow their counts closely."""
WIDE = 5.0
"""Largest weight over the smallest from which on weights matter."""
FOLLOWING = 0.8
"""Correlation of the logarithms of weights and counts from which on common symbols weigh most."""
FOLLOWING_CLOSELY = 0.95
"""The same of few symbols."""
MUCH_WORSE = 0.2
"""Difference between the shares of light and of heavy symbols that are predicted rightly."""
LIGHT_END = 0.05
"""Weight of an end symbol, as a share of the usual one, below which it is not learned."""
RARELY = 0.1
"""Share of end symbols predicted rightly below which the model does not end."""


@dataclass(frozen=True)
class EndWeight:
    """The weight of the symbol that ends every target."""

    symbol: int
    share: float
    """Its weight as a share of the median weight of a prediction."""
    right: float
    """Share of end symbols that the last round read predicts rightly."""


@dataclass(frozen=True)
class SymbolWeightsSeen:
    """The weight of each symbol in the loss, as far as weights depend on the symbol."""

    place: str
    """The line where predictions are compared with targets."""
    symbols: int
    """Symbols that the loss asks for."""
    spread: float
    """The largest mean weight of a symbol over the smallest."""
    follows: float
    """Correlation between the logarithms of a symbol's weight and of how often it is asked for."""
    heavy_right: float
    """Share of predictions that are right in the last round read: of symbols with more than the
    median weight."""
    light_right: float
    """The same of the other symbols."""
    end: EndWeight | None = None


def light_end(seen: SymbolWeightsSeen) -> Iterator[Finding]:
    """Find an end symbol that has next to no weight."""
    end = seen.end
    if end is not None and end.share < LIGHT_END and end.right < RARELY:
        yield Finding(
            "no-eos-in-loss",
            LIKELY,
            f"symbol {end.symbol}, which ends every target, has {end.share:.2g} of the usual "
            f"weight in the loss, and {end.right:.0%} of its predictions are right",
            "give the end symbol the weight of any other: leave it out of weight=, or set its "
            "weight to 1",
            place=seen.place,
            why="the model never learns to stop, so free outputs run on to the limit.",
        )


def inverted(seen: SymbolWeightsSeen) -> Iterator[Finding]:
    """Find class weights by which the commonest symbols weigh most."""
    worse = seen.heavy_right - seen.light_right >= MUCH_WORSE
    least = FOLLOWING if seen.symbols >= MANY_SYMBOLS else FOLLOWING_CLOSELY
    several = seen.symbols >= FEWEST_SYMBOLS
    if several and seen.spread >= WIDE and seen.follows >= least and worse:
        yield Finding(
            "class-weights-inverted",
            LIKELY,
            f"the more often one of {seen.symbols} symbols is asked for, the more weight it has in "
            f"the loss, up to {seen.spread:.0f} times as much (correlation of the logarithms "
            f"{seen.follows:.2f}); of predictions of heavy symbols {seen.heavy_right:.0%} are "
            f"right, of light ones {seen.light_right:.0%}",
            "weigh a symbol by the inverse of its count: weight = total / counts; or leave weights "
            "out",
            place=seen.place,
            why="rare symbols, which are seen least, have next to no part in the training.",
        )


WEIGHTS_RULES = (light_end, inverted)
