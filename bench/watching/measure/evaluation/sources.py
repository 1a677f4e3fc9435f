"""Compares the sources of an evaluation with those of training, by their symbols and pairs of them.

Half of the sources of training say which symbols and which neighbours are usual, and the other half
how far new sources of the same kind differ from that.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter

import torch

from bench.watching.read.padded import padding_of
from bench.watching.read.passes import Pass, PassesOfEvaluation, Sides
from bench.watching.read.reading import StepReading
from bench.watching.read.recording import Recording
from bench.watching.read.training import source_rows, whole_sources
from bench.watching.record.places import CodeLine
from results.doctor.watched.evaluation_facts import OtherSources

FEWEST_TRAINED = 20
"""Fewer different sources of training say nothing of their kind."""
FEWEST_EVALUATED = 10
"""The same of an evaluation."""
EDGE = -1
"""Stands before the first symbol of a source and behind the last."""

SourceRows = list[tuple[int, ...]]


def other_sources(
    seen: PassesOfEvaluation, recording: Recording, sides: Sides
) -> OtherSources | None:
    """Return how the sources of an evaluation differ from those of training."""
    if not all(_known(one, sides) for one in seen[1]):
        return None
    padding, trained = source_rows([reading for _, reading in recording.readings])
    batches = [sources_of(one, _place_of_first(recording)) for one in seen[1]]
    whole = [row for rows in batches for row in rows]
    if padding is None:  # training may have had no need of it
        padding = _padding(batches)
    evaluated = [kept for row in whole if len(kept := _kept(row, padding)) > 1]
    # a start or an end that all have would tell the direction of rows that are reversed inside
    for edge in (0, -1):
        common = {row[edge] for row in trained if row}
        if len(common) == 1:
            trained, evaluated = (_without(rows, edge, *common) for rows in (trained, evaluated))
    trained, evaluated = [*dict.fromkeys(trained)], [*dict.fromkeys(evaluated)]
    if len(trained) < 2 * FEWEST_TRAINED or len(evaluated) < FEWEST_EVALUATED:
        return None
    known, others = trained[::2], trained[1::2]
    symbols = {symbol for row in known for symbol in row}
    pairs = Counter(pair for row in known for pair in _pairs(row))
    longest = max(map(len, trained))
    entry = next(one.source[0] for one in seen[1] if one.source)
    return OtherSources(
        len(evaluated),
        _unseen(evaluated, symbols),
        _unseen(others, symbols),
        _backwards(evaluated, pairs),
        _backwards(others, pairs),
        str(entry.place or ""),
        _in_front(whole, padding),
        _in_front(whole_sources([reading for _, reading in recording.readings]), padding),
        _longer(evaluated, longest, recording),
        longest,
        _strange(evaluated, pairs),
        _strange(others, pairs),
    )


def _longer(evaluated: SourceRows, longest: int, recording: Recording) -> float:
    """Return the share of sources that are longer than all of training's."""
    # where a state goes on from batch to batch, sources of training are parts of longer ones
    if any(_takes_numbers(reading) for _, reading in recording.readings):
        return 0.0
    return sum(len(row) > longest for row in evaluated) / len(evaluated)


def _takes_numbers(reading: StepReading) -> bool:
    """Return whether predictions depend on numbers that no call of the step made, as of a state.

    A mask or a one-hot tensor has no more than two different numbers.
    """
    heads = reading.predictions.heads
    wanted = set().union(*(reading.flow.ancestors(head.number) for head in heads))
    roots = reading.tape.roots.items()
    given = [number for number, root in roots if not root.parameter and number in wanted]
    values = [reading.tape.root_values()[number] for number in given]
    return any(
        value.is_floating_point() and value.dim() > 1 and len(torch.unique(value)) > 2
        for value in values
    )


def _known(one: Pass, sides: Sides) -> bool:
    """Return whether the symbols of a pass's source enter where training's do, or by a weight."""
    return all(e.weight >= 0 or e.place in sides.source_places for e in one.source)


def _place_of_first(recording: Recording) -> CodeLine | None:
    """Return the line at which the first of training's sources is looked up."""
    found = [e for _, sides in recording.readings[-1:] for e in sides.of_role("source")]
    return found[0].place if found else None


def sources_of(one: Pass, place: CodeLine | None = None) -> SourceRows:
    """Return the sources of a pass, with padding.

    place: the line at which they are looked up, where several are, as words and their letters.
    """
    source = [entry for entry in one.source if entry.place == place] or one.source
    examples = one.choices[0].ids.numel() if one.by_steps else 1
    steps = [entry.ids.reshape(-1) for entry in source if entry.ids is not None]
    if len(source) > 1 and {len(step) for step in steps} == {examples}:
        # a loop looks up the symbols of one step at a time
        return [tuple(row) for row in torch.stack(steps, 1).tolist()]
    if len(source) != 1 or source[0].ids is None:
        return []
    ids = source[0].ids
    if ids.dim() == 1:
        ids = ids.unsqueeze(0)
    if ids.dim() != 2:
        return []
    if ids.shape[0] != examples and ids.shape[1] == examples:
        ids = ids.t()
    return [tuple(row) for row in ids.tolist()]


def _padding(batches: list[SourceRows]) -> int | None:
    """Return the symbol that pads batches of an evaluation; None if none does, or several."""
    found = set()
    for rows in batches:
        ids_BJ = torch.tensor(rows) if rows else torch.zeros(0, 0)
        padded_BJ = padding_of(ids_BJ)
        if padded_BJ is not None:
            found.update(ids_BJ[padded_BJ].tolist())
    return found.pop() if len(found) == 1 else None


def _kept(row: tuple[int, ...], padding: int | None) -> tuple[int, ...]:
    return tuple(symbol for symbol in row if symbol != padding)


def _in_front(rows: SourceRows, padding: int | None) -> float | None:
    """Return the share of padded rows whose padding stands in front; None if few are padded."""
    ends = [(row[0] == padding, row[-1] == padding) for row in rows if row]
    one_sided = [front for front, behind in ends if front != behind]
    return sum(one_sided) / len(one_sided) if len(one_sided) >= FEWEST_EVALUATED else None


def _without(rows: SourceRows, edge: int, symbol: int) -> SourceRows:
    """Return rows without a symbol that stands at one edge of them."""
    kept = slice(1, None) if edge == 0 else slice(None, -1)
    return [row[kept] if row and row[edge] == symbol else row for row in rows]


def _pairs(row: tuple[int, ...]) -> list[tuple[int, int]]:
    return [*itertools.pairwise((EDGE, *row, EDGE))]


def _unseen(rows: SourceRows, symbols: set[int]) -> float:
    """Return the share of symbols that are not among the known ones."""
    every = [symbol for row in rows for symbol in row]
    return sum(symbol not in symbols for symbol in every) / len(every)


def _backwards(rows: SourceRows, pairs: Counter[tuple[int, int]]) -> float:
    """Return the share of rows whose pairs of neighbours are more usual if read backwards."""
    return sum(_usual(row[::-1], pairs) > _usual(row, pairs) for row in rows) / len(rows)


def _strange(rows: SourceRows, pairs: Counter[tuple[int, int]]) -> float:
    """Return the share of pairs of neighbours that are not among the known ones."""
    every = [pair for row in rows for pair in _pairs(row)]
    return sum(pair not in pairs for pair in every) / len(every)


def _usual(row: tuple[int, ...], pairs: Counter[tuple[int, int]]) -> float:
    return sum(math.log(pairs[pair] + 0.5) for pair in _pairs(row))
