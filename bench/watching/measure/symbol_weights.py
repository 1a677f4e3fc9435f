"""Measures how much each symbol weighs in the loss, for `results.doctor.watched.symbol_weights`."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from statistics import StatisticsError, correlation, fmean, median

from bench.watching.read.reading import StepReading
from bench.watching.read.recording import Recording
from bench.watching.read.training import habits
from results.doctor.watched.symbol_weights import EndWeight, SymbolWeightsSeen

FEWEST_ASKED = 3
"""Times that a symbol must be asked for."""
SAME_WEIGHT = 1.05
"""Largest mean weight over the smallest up to which all symbols weigh the same."""


def symbol_weights_seen(recording: Recording) -> SymbolWeightsSeen | None:
    """Return the weights of symbols; None if all weigh the same or nothing could be read."""
    readings = [reading for _, reading in recording.readings]
    weights: dict[int, list[float]] = defaultdict(list)
    for reading in readings:
        of_round: dict[int, list[float]] = defaultdict(list)
        for symbol, weight in _weights(reading):
            of_round[symbol].append(weight)
            weights[symbol].append(weight)
        # weights of single predictions, as a robust loss or examples have them, are none of symbols
        if any(max(found) > SAME_WEIGHT * min(found) for found in of_round.values()):
            return None
    mean = {symbol: fmean(found) for symbol, found in weights.items() if len(found) >= FEWEST_ASKED}
    if len(mean) < 2 or max(mean.values()) <= SAME_WEIGHT * min(mean.values()):
        return None
    last = readings[-1]
    usual = median(weight for found in weights.values() for weight in found)
    heavy = {symbol for symbol, weight in mean.items() if weight > median(mean.values())}
    right = _right(last)
    return SymbolWeightsSeen(
        place=str(last.tape.calls[last.predictions.criteria[-1]].place or ""),
        symbols=len(mean),
        spread=max(mean.values()) / min(mean.values()),
        follows=_follows(mean, {symbol: len(weights[symbol]) for symbol in mean}),
        heavy_right=_share([hit for symbol in heavy for hit in right[symbol]]),
        light_right=_share([hit for symbol in mean.keys() - heavy for hit in right[symbol]]),
        end=_end(habits(recording).end, mean, usual, right),
    )


def _weights(reading: StepReading) -> list[tuple[int, float]]:
    """Return the symbol and the weight of each prediction that counts, as a share of the mean."""
    asked = reading.predictions
    counted_N = asked.weight_N != 0
    weights = asked.weight_N[counted_N].abs().double()
    if not len(weights):
        return []
    shares = (weights / weights.mean()).tolist()
    return list(zip(asked.asked_N[counted_N].tolist(), shares, strict=True))


def _right(reading: StepReading) -> dict[int, list[bool]]:
    """Return by symbol which of the predictions that count are right."""
    found: dict[int, list[bool]] = defaultdict(list)
    asked = reading.predictions
    counted_N = asked.weight_N != 0
    pairs = zip(asked.asked_N[counted_N].tolist(), asked.right_N[counted_N].tolist(), strict=True)
    for symbol, hit in pairs:
        found[symbol].append(bool(hit))
    return found


def _follows(mean: dict[int, float], counts: dict[int, int]) -> float:
    """Return the correlation of the logarithms of weights and counts; 0 if all weights or
    all counts are equal.
    """
    try:
        return correlation(
            [math.log(mean[symbol]) for symbol in mean],
            [math.log(counts[symbol]) for symbol in mean],
        )
    except StatisticsError:
        return 0.0


def _end(
    symbol: int | None, mean: dict[int, float], usual: float, right: dict[int, list[bool]]
) -> EndWeight | None:
    if symbol is None or symbol not in mean or not right[symbol]:
        return None
    return EndWeight(symbol, mean[symbol] / usual, _share(right[symbol]))


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits) if hits else 0.0
