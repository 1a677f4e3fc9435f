"""Measures the data as the rounds of a training show it, for `results.doctor.watched.data`."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from bench.watching.measure.padding import attended_padding_seen, padding_seen
from bench.watching.measure.pairing import order_of, pairs_seen
from bench.watching.measure.vocabulary import unknown_seen
from bench.watching.read.layout import CLEAN, moved_rows
from bench.watching.read.padded import padding_of
from bench.watching.read.reading import Group, StepReading
from bench.watching.read.recording import Recording
from bench.watching.read.training import asked_rows
from bench.watching.record.tape import instead
from results.doctor.watched.data import CollisionSeen, CutOff, DataSeen, PairsSeen, UnknownSeen
from results.doctor.watched.losses import MOSTLY_RIGHT

FEWEST_EXAMPLES = 4
"""Fewer examples do not show what all have in common."""
FEWEST_TO_COLLIDE = 30
"""With fewer targets, all may end in one ordinary symbol by chance."""
FEWEST_ENDED = 12
"""With fewer short targets, all may end in one ordinary symbol by chance."""
FEWEST_LASTS = 3
"""Different last symbols that show that none of them is an end."""
FEWEST_TO_COUNT = 20
"""Of fewer source symbols, which is the commonest says nothing."""


def data_seen(recording: Recording) -> DataSeen | None:
    """Return what was seen of the data of a training."""
    readings = [reading for _, reading in recording.readings]
    sources = [_source(reading) for reading in readings]
    if not readings or not all(sources):
        return None
    pairs = [(r, s) for r, s in zip(readings, sources, strict=True) if s is not None]
    common_end, as_long = _ends(pairs)
    return DataSeen(
        examples=readings[0].examples,
        rounds=len(readings),
        last_round=recording.readings[-1][0].index,
        place=str(pairs[0][1].place),
        common_end=common_end,
        as_long_as_source=as_long,
        repeated=_repeated(pairs),
        order_lost=_order_lost(*pairs[-1]),
        commonest=_commonest(pairs),
        accuracy=recording.accuracy,
        pairs=_pairs_seen(pairs) if recording.accuracy < MOSTLY_RIGHT else None,
        padding=padding_seen(recording),
        attended=attended_padding_seen(recording),
        unknown=_unknown(recording, pairs),
        longest=max((len(row) for reading in readings for row in asked_rows(reading)), default=0),
        unasked_end=_unasked_end(readings),
        collision=_collision(readings),
        cut=_cut(pairs),
    )


def _cut(pairs: list[tuple[StepReading, Group]]) -> CutOff | None:
    """Return which targets or sources lack the end that all shorter ones have, targets first."""
    if not all(reading.of_role("decoder") for reading, _ in pairs):
        return None
    # without the padding that ends a target too: digits in order end with the largest, repeated
    asked = [row for reading, _ in pairs for row in _without_fill(asked_rows(reading), kept=0)]
    targets = [row for row in asked if row]
    sources = [row for _, group in pairs for row in _rows(group) if row]
    found = (_without_end(side, rows) for side, rows in (("target", targets), ("source", sources)))
    return next((cut for cut in found if cut is not None), None)


def _without_end(side: str, rows: list[list[int]]) -> CutOff | None:
    """Return how many of the longest rows lack the end of all others; None if none do."""
    longest = max(map(len, rows), default=0)
    ends = [row[-1] for row in rows if len(row) < longest]
    full = [row[-1] for row in rows if len(row) == longest]
    if len(ends) < FEWEST_ENDED or len(set(ends)) != 1:
        return None
    lacking = [last for last in full if last != ends[0]]
    # one other symbol may be an end too, or the first of the padding behind it
    if len(set(lacking)) < FEWEST_LASTS:
        return None
    return CutOff(side, ends[0], len(lacking) / len(rows), longest)


def _collision(readings: list[StepReading]) -> CollisionSeen | None:
    """Return how often the start and the end symbol stand in targets before the last place."""
    if not all(reading.of_role("decoder") for reading in readings):  # as in a tagger: no ends
        return None
    rows = [row for reading in readings for row in _without_fill(asked_rows(reading)) if row]
    starts = {int(ids[0]) for reading in readings for ids in reading.fed() if len(ids)}
    ends = {row[-1] for row in rows}
    lengths = {len(row) for row in rows}
    if len(rows) < FEWEST_TO_COLLIDE or len(ends) != 1:
        return None
    start = starts.pop() if len(starts) == 1 else None
    end = ends.pop()
    inner = [row[:-1] for row in rows]
    with_start = 0.0 if start == end else sum(start in row for row in inner) / len(rows)
    # targets of one length may all end in a symbol that is no end
    if len(lengths) < 2 and not with_start:
        return None
    return CollisionSeen(start, end, with_start, sum(end in row for row in inner) / len(rows))


def _unknown(recording: Recording, pairs: list[tuple[StepReading, Group]]) -> UnknownSeen | None:
    """Return how often a symbol that stands for unknown words was seen in sources and targets."""
    sides = {
        "source": [row for _, group in pairs for row in _rows(group)],
        # -1 takes the place of the start symbol, so that sources and targets both begin with one
        "target": [[-1, *row] for reading, _ in pairs for row in asked_rows(reading)],
    }
    reading, source = pairs[-1]
    return unknown_seen(recording, source, reading, sides)


def _pairs_seen(pairs: list[tuple[StepReading, Group]]) -> PairsSeen | None:
    """Return whether targets depend on their sources, as far as the rounds show it."""
    sources = [row for _, group in pairs for row in _rows(group)]
    targets = [row for reading, _ in pairs for row in asked_rows(reading)]
    found = [order_of(*pair, by_model=True) for pair in pairs]
    orders: list[int] = []
    for order in found if all(found) else ():
        begin = len(orders)
        orders.extend(begin + place for place in order or ())
    return pairs_seen(sources, targets, orders, *pairs[-1])


def _source(reading: StepReading) -> Group | None:
    """Return the group of the source symbols; None if they are not known as whole sequences."""
    groups = [g for g in reading.of_role("source") if g.ids_BJ.shape[1] > 1]
    return groups[0] if groups and bool((groups[0].ids_BJ >= 0).all()) else None


def _rows(group: Group) -> list[list[int]]:
    """Return the source symbols of each example without padding."""
    padded = padding_of(group.ids_BJ)
    kept = torch.ones_like(group.ids_BJ, dtype=torch.bool) if padded is None else ~padded
    return [ids[keep].tolist() for ids, keep in zip(group.ids_BJ, kept, strict=True)]


def _ends(pairs: list[tuple[StepReading, Group]]) -> tuple[float | None, float]:
    """Return the share of the commonest last symbol, and of targets as long as their source."""
    asked = [row for reading, _ in pairs for row in _without_fill(asked_rows(reading))]
    sources = [row for _, group in pairs for row in _rows(group)]
    tagger = any(not reading.of_role("decoder") for reading, _ in pairs)
    lengths = {len(row) for row in asked}
    if tagger or len(asked) < FEWEST_EXAMPLES or len(lengths) < 2 or len(sources) != len(asked):
        return None, 0.0
    as_long = [len(row) == len(source) for row, source in zip(asked, sources, strict=True)]
    lasts = Counter(row[-1] for row in asked if row)
    return lasts.most_common(1)[0][1] / sum(lasts.values()), sum(as_long) / len(as_long)


def _unasked_end(readings: list[StepReading]) -> int | None:
    """Return an end symbol that the loss never asks for; None if there is none.

    It is looked for in what the decoder is fed after the last step that has weight in the loss, and
    in the targets without weight. It must be the same in all examples, with nothing but one symbol
    of padding after it.
    """
    fed, targets = _SymbolsAfter(), _SymbolsAfter()
    for reading in readings:
        asked_BT = reading.table(reading.predictions.asked_N)
        weight_BT = reading.table(reading.predictions.weight_N.double(), 0.0)
        whole_BT = reading.table(_targets(reading))
        tables = (reading.fed(), asked_BT, weight_BT, whole_BT)
        for row_fed, row, weights, whole in zip(*tables, strict=True):
            count = int((weights != 0).sum())
            asked = row[:count].tolist()
            # only where each step is fed the target before it: then fed[count] is the last one
            # that the loss asks for, and what follows it is what the loss leaves out
            if row_fed[1:count].tolist() != asked[:-1] or bool(weights[count:].any()):
                return None
            fed.add(asked, row_fed[count + 1 :].tolist())
            targets.add(asked, whole[count:].tolist())
    return fed.end if fed.end is not None else targets.end


def _targets(reading: StepReading) -> Tensor:
    """Return the target symbol of each prediction, also of those without weight, if it is found.

    What is known to be asked for says nothing where the weight is 0. So the script's integer
    tensors are searched for one that agrees with it everywhere else.
    """
    asked_N = reading.predictions.asked_N
    counted_N = reading.predictions.weight_N != 0
    if bool(counted_N.all()):
        return asked_N
    values = reading.tape.replay()
    for number in sorted(reading.tape.whole & values.keys()):
        whole = values[number]
        if whole.dtype != torch.int64 or whole.numel() != len(asked_N):
            continue
        # predictions that a loop makes come step by step
        step_by_step = whole.squeeze().t() if whole.squeeze().dim() == 2 else whole
        for arranged in (whole, step_by_step):
            flat_N = arranged.reshape(-1).to(asked_N)
            if bool((flat_N == asked_N)[counted_N].all()):
                return flat_N
    return asked_N


class _SymbolsAfter:
    """Collects the symbols that stand after the last ones that the loss asks for."""

    def __init__(self) -> None:
        self._asked: set[int] = set()
        self._firsts: list[int] = []
        self._later: set[int] = set()
        self._lasts: set[int] = set()
        self._examples = 0

    def add(self, asked: list[int], after: list[int]) -> None:
        """Add an example: the symbols that the loss asks for, and those after them."""
        self._asked.update(asked)
        self._lasts.update(asked[-1:])
        self._examples += 1
        self._firsts += after[:1]
        self._later.update(after[1:])

    @property
    def end(self) -> int | None:
        """Return the symbol that always comes first, if it is not asked for and not padding."""
        same = len(self._firsts) >= FEWEST_EXAMPLES and len(set(self._firsts)) == 1
        # what comes later must be padding, and that is one symbol; where nothing comes later, one
        # symbol after each target is an end, unless the targets end in another one before it
        every = len(self._firsts) == self._examples and len(self._lasts) >= FEWEST_LASTS
        if not same or len(self._later) > 1 or not (self._later or every):
            return None
        end = self._firsts[0]
        return end if end >= 0 and end not in self._asked | self._later else None


def _without_fill(rows: list[list[int]], kept: int = 1) -> list[list[int]]:
    """Return targets of one batch, each with at most `kept` symbols of padding at its end.

    If the loss asks for padding too, all rows are equally long, and padding ends a target as an end
    symbol does: so the first symbol of it is kept. Rows of unequal length have no such padding.
    """
    if len({len(row) for row in rows}) != 1:
        return rows
    padded = padding_of(torch.tensor(rows))
    if padded is None or not bool(padded[:, -1].any()):
        return rows
    real = (~padded).sum(1).tolist()
    return [row[: length + kept] for row, length in zip(rows, real, strict=True)]


def _repeated(pairs: list[tuple[StepReading, Group]]) -> bool:
    """Return whether all rounds had the same sources; the rule asks for several rounds."""
    rows = [sorted(map(tuple, group.ids_BJ.tolist())) for _, group in pairs]
    return all(other == rows[0] for other in rows)


def _commonest(pairs: list[tuple[StepReading, Group]]) -> tuple[int, float] | None:
    """Return the commonest source symbol and its share, without those at the two ends of a source.

    Start and end symbols stand there, and they are common by design.
    """
    inner = Counter(symbol for _, group in pairs for row in _rows(group) for symbol in row[1:-1])
    if sum(inner.values()) < FEWEST_TO_COUNT:
        return None
    symbol, count = inner.most_common(1)[0]
    return symbol, count / sum(inner.values())


def _order_lost(reading: StepReading, group: Group) -> bool | None:
    """Return whether predictions depend on the first source symbols and not on their order."""
    ids_BJ = group.ids_BJ
    padded = padding_of(ids_BJ)
    real_BJ = torch.ones_like(ids_BJ, dtype=torch.bool) if padded is None else ~padded
    positions = ids_BJ.shape[1]
    if positions < 3 or reading.layout.owners.clean < CLEAN:
        return None
    first, second = 0, 1
    differ = (ids_BJ[:, first] != ids_BJ[:, second]) & real_BJ[:, first] & real_BJ[:, second]
    if not bool(differ.any()):
        return None
    exchanged, doubled = torch.arange(positions), torch.arange(positions)
    exchanged[[first, second]] = exchanged[[second, first]]
    doubled[first] = second
    moves = [_order_moves(reading, group, order) for order in (exchanged, doubled)]
    # if another first symbol changes nothing either, the model ignores the source, not its order
    return None if None in moves else moves == [False, True]


def _order_moves(reading: StepReading, group: Group, order_J: Tensor) -> bool | None:
    """Return whether a prediction moves when source positions are taken in another order.

    None: the symbols are not embedded all at once or one by one.
    """
    tape, asked = reading.tape, reading.predictions
    base = tape.replay()
    if len(group.entries) == 1 and len(group.entries[0].shape) == 2:
        if group.batch_axis is None:
            return None
        entry = group.entries[0]
        targets = [(entry, base[entry.number].index_select(1 - group.batch_axis, order_J))]
    elif len(group.entries) == len(order_J):
        others = [group.entries[place] for place in order_J.tolist()]
        targets = [
            (entry, base[other.number])
            for entry, other in zip(group.entries, others, strict=True)
            if entry is not other
        ]
    else:
        return None
    values = tape.replay({entry.key: instead(value) for entry, value in targets})
    return bool(moved_rows(asked, asked.rows(base), values).any())
