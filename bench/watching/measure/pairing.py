"""Measures whether sources and targets belong together: as data, and for the model.

Where they do, pairs whose sources are alike have targets that are alike. How alike two sequences
are is measured by the symbols, pairs of neighbours and positions that they share. The sum of the
products of both likenesses (HSIC, Gretton et al. 2005) is compared with that of the same targets
in random orders. Where there are enough targets of each length, only those of one length are
exchanged: sources and targets that were sorted by length, each on their own, have lengths in common
and nothing else.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence

import torch
from torch import Tensor

from bench.watching.read.reading import Group, StepReading
from bench.watching.read.training import asked_rows
from bench.watching.record.replaying import Change
from results.doctor.watched.data import UNRELATED, PairsSeen

FEWEST_PAIRS = 40
"""Fewer different pairs do not show whether sources and targets belong together."""
RANDOM_ORDERS = 200
"""Random orders of the targets with which their own is compared."""

MANY_GROUPED = 0.75
"""Share of the targets that must have others of their length."""

SymbolRows = list[list[int]]


def pairs_seen(
    sources: SymbolRows, targets: SymbolRows, orders: list[int], reading: StepReading, source: Group
) -> PairsSeen | None:
    """Return how far targets depend on their sources; None for too few pairs.

    Args:
        sources: the source of each example, as the model is given it.
        targets: its target.
        orders: where each source stood before the script put them in another order; empty if it
            is not known to have done so.
        reading: a round in which the model can be asked for targets of exchanged sources.
        source: where the sources enter in this round.
    """
    if len(sources) != len(targets):
        return None
    different = dict.fromkeys((tuple(s), tuple(t)) for s, t in zip(sources, targets, strict=True))
    if len({s for s, _ in different}) < FEWEST_PAIRS or len({t for _, t in different}) < 2:
        return None
    relation = _relation([s for s, _ in different], [t for _, t in different])
    own = _loss(reading, source, None)
    exchanged = _loss(reading, source, _next_of_group(_groups(asked_rows(reading))))
    restored = None
    if orders and relation < UNRELATED:
        put_back = [targets[place] for place in orders]
        again = dict.fromkeys((tuple(s), tuple(t)) for s, t in zip(sources, put_back, strict=True))
        restored = _relation([s for s, _ in again], [t for _, t in again])
    return PairsSeen(len(different), relation, own, exchanged, restored)


def order_of(reading: StepReading, source: Group, by_model: bool = False) -> list[int] | None:
    """Return where each source stood before the script put them in another order, if it did.

    by_model: whether only an order counts that was changed while a module ran.
    """
    flow, tape = reading.flow, reading.tape
    values = tape.replay(stop=source.entries[0].at)
    wanted = list(range(reading.examples))
    for number in flow.moved_from(source.entries[0].ids_number):
        for index in flow.makers[number]:
            call = tape.calls[index]
            if call.name not in ("__getitem__", "index_select"):
                continue
            if by_model and not call.modules:
                continue
            for by in (values[n] for n in call.inputs[1:] if n in values):
                order = by.flatten().tolist() if by.dtype == torch.int64 else []
                if order != wanted and sorted(order) == wanted:
                    return order
    return None


def _relation(sources: list[tuple[int, ...]], targets: list[tuple[int, ...]]) -> float:
    """Return the dependence in standard deviations of that of random orders."""
    like_s, like_t = _likeness(sources), _likeness(targets)
    generator = torch.Generator().manual_seed(0)
    own = float((like_s * like_t).sum())
    groups = _groups(targets)
    orders = [_random_order(groups, generator) for _ in range(RANDOM_ORDERS)]
    others = torch.stack([(like_s[o][:, o] * like_t).sum() for o in orders])
    return float((own - others.mean()) / others.std().clamp_min(1e-9))


def _groups(targets: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the places of targets that may be exchanged: of one length, or all of them.

    It is all where many have no other one of their length, or only the same one.
    """
    of_length: dict[int, list[int]] = defaultdict(list)
    for place, target in enumerate(targets):
        of_length[len(target)].append(place)
    groups = [*of_length.values()]
    several = [g for g in groups if len({tuple(targets[place]) for place in g}) > 1]
    if sum(map(len, several)) < MANY_GROUPED * len(targets):
        return [[*range(len(targets))]]
    return groups


def _random_order(groups: list[list[int]], generator: torch.Generator) -> Tensor:
    """Return an order in which each place is taken by one of its group."""
    order = torch.zeros(sum(map(len, groups)), dtype=torch.long)
    for group in groups:
        places = torch.tensor(group)
        order[places] = places[torch.randperm(len(group), generator=generator)]
    return order


def _next_of_group(groups: list[list[int]]) -> Tensor:
    """Return the order in which each place is taken by the next one of its group."""
    order = torch.zeros(sum(map(len, groups)), dtype=torch.long)
    for group in groups:
        order[group] = torch.tensor([*group[1:], group[0]])
    return order


def _likeness(rows: list[tuple[int, ...]]) -> Tensor:
    """Return how much each two rows have in common beyond what all have, of shape (N, N)."""
    columns: dict[Hashable, int] = {}
    table = [[columns.setdefault(trait, len(columns)) for trait in _traits(row)] for row in rows]
    traits_NK = torch.zeros(len(rows), len(columns), dtype=torch.double)
    for row, having in zip(traits_NK, table, strict=True):
        row[having] = 1
    traits_NK -= traits_NK.mean(0)
    traits_NK /= traits_NK.norm(dim=0).clamp_min(1e-9)
    traits_NK /= traits_NK.norm(dim=1, keepdim=True).clamp_min(1e-9)
    return (traits_NK @ traits_NK.T).fill_diagonal_(0)


def _traits(row: tuple[int, ...]) -> Iterator[Hashable]:
    yield "length", len(row)
    for place, symbol in enumerate(row):
        yield symbol
        yield "from the start", place, symbol
        yield "from the end", len(row) - place, symbol
    yield from itertools.pairwise(row)


def _loss(reading: StepReading, source: Group, order_B: Tensor | None) -> float:
    """Return the cross-entropy of a round, also with sources given to examples in another order."""
    axis = source.batch_axis
    changes: dict[tuple[int, int], Change] = {}
    if order_B is not None and axis is not None:
        changes = {entry.key: _in_order(axis, order_B) for entry in source.entries}
    asked = reading.predictions
    logits_NV = asked.rows(reading.tape.replay(changes))
    counted_N = asked.weight_N != 0
    loss = torch.nn.functional.cross_entropy(logits_NV[counted_N], asked.asked_N[counted_N])
    return float(loss)


def _in_order(axis: int, order_B: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda value: value.index_select(axis, order_B)
