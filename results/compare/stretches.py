"""Says in one sentence who is ahead along a curve, and where the order turns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from results import metrics

MOST_STRETCHES = 4
"""Stretches that a sentence names; of more it gives how many evaluations they have."""
BAND = "95 % band along the whole curve"
LEAD_WORDS = {"a": "ahead", "b": "behind"}
"""Words for the first side, by the side that is ahead."""


class Stretch(NamedTuple):
    """Holds places of a curve, one after the other, at which one side is surely ahead."""

    leader: str
    first: int
    last: int


def stretches(leaders: Sequence[str]) -> list[Stretch]:
    """Return where each side is surely ahead, in the order of the curve."""
    found, place = [], 0
    for leader, some in groupby(leaders):
        count = len(list(some))
        if leader:
            found.append(Stretch(leader, place, place + count - 1))
        place += count
    return found


def turns(leaders: Sequence[str]) -> list[tuple[int, int]]:
    """Return between which places the order turns: the last of one lead, the first of the next."""
    return [
        (one.last, other.first)
        for one, other in pairwise(stretches(leaders))
        if one.leader != other.leader
    ]


def says(a: str, unit: str, grid: Sequence[float], leaders: Sequence[str]) -> str:
    """Return the sentence of `order`, and on what it rests."""
    return f"{order(a, unit, grid, leaders)} ({BAND})"


def order(a: str, unit: str, grid: Sequence[float], leaders: Sequence[str]) -> str:
    """Return a sentence such as `a is behind up to 1,200 steps, ahead from 1,600 steps on`.

    Args:
        a: the name of the first side.
        unit: of the costs: steps, tokens or seconds.
        grid: the costs at which the sides were compared.
        leaders: `a` or `b` where one is surely ahead, else empty.
    """
    found = stretches(leaders)
    if not found:
        return "neither is surely ahead at any evaluation"
    if len(found) > MOST_STRETCHES:
        counts = ", ".join(f"{LEAD_WORDS[side]} at {leaders.count(side)}" for side in LEAD_WORDS)
        return f"{a} is surely {counts} of {len(leaders)} evaluations, by turns"
    written = [_written(stretch, unit, grid) for stretch in found]
    end = "" if found[-1].last == len(grid) - 1 else "; at the end neither is surely ahead"
    between = "".join(
        f"; the order turns between {cost_text(grid[one], unit)} and "
        f"{cost_text(grid[other], unit)} {unit}"
        for one, other in turns(leaders)
    )
    return f"{a} is {', '.join(written)}{between}{end}"


def _written(stretch: Stretch, unit: str, grid: Sequence[float]) -> str:
    """Return a stretch in words: `behind up to 1,200 steps`."""
    word = LEAD_WORDS[stretch.leader]
    first, last = (cost_text(grid[place], unit) for place in (stretch.first, stretch.last))
    at_start, at_end = stretch.first == 0, stretch.last == len(grid) - 1
    if at_start and at_end:
        return f"{word} at every evaluation, from {first} to {last} {unit}"
    if at_start:
        return f"{word} up to {last} {unit}"
    if at_end:
        return f"{word} from {first} {unit} on"
    return f"{word} at {first} {unit}" if first == last else f"{word} from {first} to {last} {unit}"


def cost_text(cost: float, unit: str) -> str:
    """Return a cost as text: `1,200` steps, else with three digits: `1.20M` tokens."""
    return f"{cost:,.0f}" if unit == "steps" else metrics.short(cost)
