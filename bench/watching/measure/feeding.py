"""Measures what the decoder is fed and what reaches its predictions."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from bench.watching.read.chains import broken_chains, overwritten
from bench.watching.read.layout import CLEAN
from bench.watching.read.reading import Group, StepReading
from bench.watching.read.recording import Recording
from bench.watching.record.replaying import Call, Slot
from bench.watching.record.rounds import Round
from results.doctor.watched.feeding import AheadSeen, CarriedSeen, Fed, FeedingSeen, SourceSeen

OFFSETS = (1, 0, 2, -1)
"""Steps from the one that asks for a symbol to the one that it is fed to: 1 is right."""
MATCHED = 0.9
"""Share of examples whose fed symbol must be the one asked for, for a step to be fed it."""
MOST_FED = 0.7
"""Share of the steps that must be fed the reference for it to be what a group holds."""
FEWEST_KINDS = 4
"""Different symbols that must be fed for them to follow the source's."""
RECURRENT = frozenset(
    "gru lstm rnn_tanh rnn_relu gru_cell lstm_cell rnn_tanh_cell rnn_relu_cell".split()
)


def feeding_seen(recording: Recording) -> FeedingSeen | None:
    """Return what was seen of the source and of what the decoder is fed."""
    readings = [reading for _, reading in recording.readings]
    if not readings:
        return None
    fed = tuple(_fed(one.index, reading) for one, reading in recording.readings)
    return FeedingSeen(
        tuple(one for one in fed if one is not None),
        _source(readings[0]),
        recurrent_decoder=_recurrent(readings[0]),
        advances=_advances(readings),
        decoder_place=str(next((g.place for g in _fed_groups(readings[0])), "")),
        prediction_place=str(_head_place(readings[0])),
        cells_swapped=_cells_swapped(readings[0]),
        carried=_carried(recording),
        chains=broken_chains(readings[0]),
        overwritten=overwritten(readings[0]),
        ahead=_ahead(readings[0]),
        accuracy=recording.accuracy,
    )


def _ahead(reading: StepReading) -> AheadSeen | None:
    """Return how many steps depend on the symbol that they must give, which is fed a step later.

    Where one does, what is fed looks like a second source, as it reaches earlier steps.
    """
    sources = reading.of_role("source")
    if _fed_groups(reading) or len(sources) < 2 or reading.layout.owners.clean < CLEAN:
        return None
    asked_BT = reading.table(reading.predictions.asked_N)
    weight_BT = reading.table(reading.predictions.weight_N, 0.0)
    steps = range(1, asked_BT.shape[1])
    for group in sources:
        if group.ids_BJ.shape[1] != asked_BT.shape[1]:
            continue
        fed = [t for t in steps if _is_fed(group.ids_BJ, asked_BT, weight_BT, t, 1)]
        counted = [t for t in fed if t <= group.reach_JT.shape[1]]
        seen = [t for t in counted if bool(group.reach_JT[t, t - 1] > 0)]
        if len(fed) >= MOST_FED * len(steps) and len(seen) >= max(2, MOST_FED * len(counted)):
            return AheadSeen(str(group.place), len(seen), len(counted))
    return None


def _head_place(reading: StepReading) -> object:
    return reading.tape.calls[reading.predictions.heads[0].call].place


def _fed(index: int, reading: StepReading) -> Fed | None:
    if reading.layout.owners.clean < CLEAN or not _fed_groups(reading):
        return None
    fed_BT = reading.fed()
    asked_BT = reading.table(reading.predictions.asked_N)
    best_BT = reading.table(reading.predictions.best_N)
    weight_BT = reading.table(reading.predictions.weight_N, 0.0)
    steps = [t for t in range(1, fed_BT.shape[1]) if bool((fed_BT[:, t] >= 0).any())]
    by_offset = {
        offset: [t for t in steps if _is_fed(fed_BT, asked_BT, weight_BT, t, offset)]
        for offset in OFFSETS
    }
    # what padding is fed says nothing
    counts_BT = weight_BT != 0
    own = [t for t in steps if _are_fed(fed_BT[:, t], best_BT[:, t - 1], counts_BT[:, t])]
    reference = by_offset[1]
    others = [t for t in steps if t not in own and not any(t in by_offset[o] for o in OFFSETS)]
    follows = _follows_source(reading, fed_BT, counts_BT, others) and not _follows_asked(
        fed_BT, asked_BT, counts_BT, others
    )
    first = fed_BT[:, :1]
    return Fed(
        index,
        len(steps),
        {offset: len(found) for offset, found in by_offset.items()},
        own=len([t for t in own if t not in reference]),
        of_source=len(others) if follows else 0,
        first=int(first[0]) if bool((first == first[0]).all()) else None,
        # where the reference is one symbol throughout, to feed it is right
        constant=not reference and _is_constant(fed_BT[:, steps] == first, counts_BT[:, steps]),
        start_asked=_start_asked(fed_BT, asked_BT, weight_BT),
    )


def _follows_source(
    reading: StepReading, fed_BT: Tensor, counts_BT: Tensor, steps: list[int]
) -> bool:
    """Return whether these steps are fed the source symbol of their position or a neighbouring one.

    It may have another number there, as when another vocabulary looks it up: each source symbol is
    always fed as one and the same symbol.
    """
    for group in reading.of_role("source"):
        for shift in (-1, 0, 1):
            pairs = Counter(
                (int(symbol), int(fed))
                for t in steps
                if 0 <= t + shift < group.ids_BJ.shape[1]
                for symbol, fed, counts in zip(
                    group.ids_BJ[:, t + shift], fed_BT[:, t], counts_BT[:, t], strict=True
                )
                if counts and symbol >= 0
            )
            if _is_function(pairs):
                return True
    return False


def _follows_asked(fed_BT: Tensor, asked_BT: Tensor, counts_BT: Tensor, steps: list[int]) -> bool:
    """Return whether these steps are fed what the step before asks for, with other numbers."""
    pairs = Counter(
        (int(asked), int(fed))
        for t in steps
        for asked, fed, counts in zip(
            asked_BT[:, t - 1], fed_BT[:, t], counts_BT[:, t], strict=True
        )
        if counts
    )
    return _is_function(pairs)


def _is_function(pairs: Counter[tuple[int, int]]) -> bool:
    """Return whether nearly every first symbol goes with one second symbol, of which several."""
    best: dict[int, tuple[int, int]] = {}
    for (symbol, fed), count in pairs.items():
        best[symbol] = max(best.get(symbol, (0, -1)), (count, fed))
    agreeing = sum(count for count, _ in best.values())
    several = len({fed for _, fed in best.values()}) >= FEWEST_KINDS
    return several and agreeing > MATCHED * pairs.total() and pairs.total() >= 4 * len(best)


def _is_constant(same_BT: Tensor, counts_BT: Tensor) -> bool:
    """Return whether all that counts is the same, or all where next to nothing counts."""
    if not same_BT.numel():
        return False
    several = int(counts_BT.any(0).sum()) > 1
    return bool((same_BT | ~counts_BT).all()) if several else bool(same_BT.all())


def _are_fed(fed_B: Tensor, wanted_B: Tensor, counted_B: Tensor) -> bool:
    """Return whether nearly all examples that count are fed the wanted symbols."""
    same_B = (fed_B == wanted_B)[counted_B]
    return bool(len(same_B)) and float(same_B.double().mean()) > MATCHED


def _fed_groups(reading: StepReading) -> list[Group]:
    return reading.of_role("decoder") + reading.repeated


def _start_asked(fed_BT: Tensor, asked_BT: Tensor, weight_BT: Tensor) -> bool:
    """Return whether every example is asked at first for the symbol that it is fed, and then for
    others."""
    if len(asked_BT) < 2 or bool((weight_BT[:, 0] == 0).any()):
        return False
    start = fed_BT[0, 0]
    same = bool((asked_BT[:, 0] == start).all()) and bool((fed_BT[:, 0] == start).all())
    return same and bool((asked_BT[:, 1:2] != start).double().mean() > MATCHED)


def _is_fed(fed_BT: Tensor, asked_BT: Tensor, weight_BT: Tensor, step: int, offset: int) -> bool:
    """Return whether a step is fed the symbols that the step `offset` before asks for."""
    other = step - offset
    if not 0 <= other < asked_BT.shape[1]:
        return False
    asked_B = (weight_BT[:, other] != 0) & (weight_BT[:, step] != 0)
    return _are_fed(fed_BT[:, step], asked_BT[:, other], asked_B & (fed_BT[:, step] >= 0))


def _source(reading: StepReading) -> SourceSeen | None:
    groups = [g for g in reading.groups if g.role in ("source", "unreached")]
    groups = [g for g in groups if g.ids_BJ.shape[1] > 1] or groups
    if not groups:
        return _unused_source(reading)
    group = groups[0]
    reaching = [j for j, row in enumerate(group.reach_JT > 0) if bool(row.any())]
    real = _real(group, reading.followed)
    which = tuple(j for j in reaching if j in real)
    return SourceSeen(
        str(group.place),
        len(real),
        len(which),
        which,
        group.role == "source",
        first=bool(reaching) and min(real, default=0) in reaching,
        last=bool(reaching) and max(real, default=0) in reaching,
    )


def _unused_source(reading: StepReading) -> SourceSeen | None:
    """Return symbols that are embedded and reach no loss, as the source."""
    aside = next((g for g in reading.aside if g.entries), None)
    if aside is None:
        return None
    size = sum(max(1, len(entry.shape) and entry.shape[-1]) for entry in aside.entries)
    return SourceSeen(str(aside.place), size, 0, (), False)


def _real(group: Group, example: int) -> list[int]:
    """Return the positions of an example that are not a run of one symbol at either end."""
    ids = group.ids_BJ[example].tolist()
    start, end = 0, len(ids)
    while end - 1 > start and ids[end - 1] == ids[end - 2]:
        end -= 1
    if end < len(ids) and end > start + 1:
        end -= 1
    while start + 1 < end and ids[start] == ids[start + 1]:
        start += 1
    return list(range(start, end))


def _recurrent(reading: StepReading) -> bool:
    """Return whether a recurrent layer stands between what the decoder is fed and its outputs."""
    numbers = {entry.number for group in reading.of_role("decoder") for entry in group.entries}
    wanted = reading.flow.ancestors(reading.predictions.heads[-1].number)
    return any(
        call.name in RECURRENT
        and call.results[0] in wanted
        and numbers & reading.flow.ancestors(call.inputs[0])
        for call in reading.tape.calls
        if call.results
    )


def _advances(readings: list[StepReading]) -> bool | None:
    """Return whether symbols fed early reach later steps; None if that cannot be told."""
    seen = []
    for reading in readings:
        groups = reading.of_role("decoder")
        reach = [group.reach_JT > 0 for group in groups if group.reach_JT.shape[1] >= 3]
        for table in reach:
            for position, row in enumerate(table):
                hit = row.nonzero()[:, 0].tolist()
                if hit and hit[0] < table.shape[1] - 1 and position < table.shape[0]:
                    seen.append(len(hit) > 1)
    return any(seen) if seen else None


def _cells_swapped(reading: StepReading) -> str | None:
    """Return the line where an LSTM is given the memory cell as state, and the state as cell."""
    calls = reading.tape.calls
    states = {number for call in calls for number in _lstm_results(call)[:1]}
    cells = {number for call in calls for number in _lstm_results(call)[1:]}
    for call in calls:
        pair = _given_states(call)
        if pair is None:
            continue
        first, second = (reading.flow.moved_from(number) for number in pair)
        if first & cells and second & states and not first & states:
            return str(call.place)
    return None


def _lstm_results(call: Call) -> tuple[int, ...]:
    """Return the numbers of the state and the memory cell that a call returns, if it is an LSTM."""
    if call.name == "lstm" and len(call.results) == 3:
        return call.results[1:]
    return call.results if call.name == "lstm_cell" and len(call.results) == 2 else ()


def _given_states(call: Call) -> tuple[int, int] | None:
    """Return the numbers of what an LSTM is given as state and as memory cell."""
    if call.name not in ("lstm", "lstm_cell") or len(call.inputs) < 3:
        return None
    pairs = [a for a in call.arguments()[0] if isinstance(a, tuple | list) and len(a) == 2]
    match pairs[:1]:
        case [[Slot(number=first), Slot(number=second)]]:
            return first, second
    return None


def _carried(recording: Recording) -> CarriedSeen | None:
    """Return the tensor that a round takes from the round before, if predictions depend on it."""
    found: list[CarriedSeen] = []
    for one, reading in recording.readings:
        seen = _carried_into(one, reading)
        if seen is not None:
            found.append(seen)
    return found[0] if len(found) > 1 else None


def _carried_into(one: Round, reading: StepReading) -> CarriedSeen | None:
    tape, asked = reading.tape, reading.predictions
    wanted = set().union(*(reading.flow.ancestors(head.number) for head in asked.heads))
    base = asked.rows(tape.replay())
    for number, root in tape.roots.items():
        if root.earlier is None or root.earlier >= one.index or number not in wanted:
            continue
        value = tape.root_values()[number]
        if not value.is_floating_point() or root.parameter or value.dim() < 2:
            continue
        moved = (asked.rows(tape.replay(roots={number: torch.zeros_like(value)})) - base).abs()
        if float(moved.max()) > 0:
            users = reading.flow.users[number]
            place = tape.calls[users[0]].place if users else None
            return CarriedSeen(str(place), tuple(value.shape), float(moved.max() / base.std()))
    return None
