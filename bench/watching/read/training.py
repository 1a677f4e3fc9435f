"""Sums up what training feeds and asks, to compare evaluations with it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.watching.read.padded import padding_of
from bench.watching.read.passes import Sides
from bench.watching.read.reading import Group, StepReading
from bench.watching.read.recording import Recording

LEAST_ROWS = 4
"""Examples without which nothing is said of what all examples have in common."""


@dataclass(frozen=True)
class Habits:
    """The things that training does in each recorded round."""

    sides: Sides
    start: int | None
    """The symbol that the decoder is fed first, if it is always the same."""
    end: int | None
    """The last symbol that the loss asks for, if it is the same in every example."""
    offset: int | None
    """Fed symbol less the symbol asked for in the step before, if always the same."""
    carries: bool
    """Whether what the decoder is fed in a step moves later steps."""
    ignored: int | None
    """The symbol that the loss ignores, if it is told to ignore one."""
    fed_varies: bool
    """Whether the decoder is fed other symbols than its first one."""
    lengths: tuple[int, ...]
    """Symbols that the loss asks for, of each example."""


def habits(recording: Recording) -> Habits:
    """Return what the recorded rounds have in common."""
    readings = [reading for _, reading in recording.readings]
    return Habits(
        _sides(recording),
        _common([_starts(reading) for reading in readings]),
        _common([_ends(reading) for reading in readings]),
        _common([_offsets(reading) for reading in readings]),
        any(_carries(group) for reading in readings for group in reading.of_role("decoder")),
        ignored_symbol(readings),
        any(_varies(group) for reading in readings for group in reading.of_role("decoder")),
        tuple(len(row) for reading in readings for row in asked_rows(reading)),
    )


def _sides(recording: Recording) -> Sides:
    places: dict[str, set[object]] = {"source": set(), "decoder": set()}
    weights: dict[str, set[str]] = {"source": set(), "decoder": set()}
    symbols = set()
    for round_, reading in recording.readings:
        symbols.add(reading.predictions.symbols)
        for group in reading.groups:
            if group.role in places:
                places[group.role].add(group.place)
                name = round_.names.get(group.entries[0].parameter)
                if name is not None:
                    weights[group.role].add(name)
    return Sides(
        frozenset(places["source"]),  # type: ignore[arg-type]
        frozenset(places["decoder"]),  # type: ignore[arg-type]
        frozenset(weights["source"]),
        frozenset(weights["decoder"]),
        symbols.pop() if len(symbols) == 1 else 0,
    )


def _common(parts: list[list[int]]) -> int | None:
    found = [value for part in parts for value in part]
    return found[0] if len(found) >= LEAST_ROWS - 1 and len(set(found)) == 1 else None


def _starts(reading: StepReading) -> list[int]:
    return [int(i) for group in reading.of_role("decoder") for i in group.ids_BJ[:, 0].tolist()]


def asked_rows(reading: StepReading) -> list[list[int]]:
    """Return the symbols that the loss asks for, example by example, without ignored ones."""
    asked_BT = reading.table(reading.predictions.asked_N)
    weight_BT = reading.table(reading.predictions.weight_N.double(), 0.0)
    return [
        [int(i) for i, w in zip(row.tolist(), weights.tolist(), strict=True) if w != 0]
        for row, weights in zip(asked_BT, weight_BT, strict=True)
    ]


def source_rows(readings: list[StepReading]) -> tuple[int | None, list[tuple[int, ...]]]:
    """Return the symbol that pads sources, None if none does, and the sources without it."""
    groups = [g for r in readings for g in r.of_role("source")[:1] if g.ids_BJ.shape[1] > 1]
    found = []
    for group in groups:
        padded_BJ = padding_of(group.ids_BJ)
        if padded_BJ is not None:
            found.extend(group.ids_BJ[padded_BJ].tolist())
    padding = max(set(found), key=found.count) if len(found) > LEAST_ROWS else None
    rows = whole_sources(readings)
    return padding, [tuple(symbol for symbol in row if symbol != padding) for row in rows]


def whole_sources(readings: list[StepReading]) -> list[tuple[int, ...]]:
    """Return the sources as the model is given them, with padding."""
    groups = [g for r in readings for g in r.of_role("source")[:1] if g.ids_BJ.shape[1] > 1]
    return [tuple(row) for group in groups for row in group.ids_BJ.tolist()]


def _ends(reading: StepReading) -> list[int]:
    """Return the last symbol of each example; of padding that is asked for, the first."""
    found = []
    for row in asked_rows(reading):
        while len(row) > 1 and row[-1] == row[-2]:
            row = row[:-1]
        found.extend(row[-1:])
    return found


def _offsets(reading: StepReading) -> list[int]:
    """Return fed less asked-before, of the symbols of every group that is fed the reference."""
    asked_BT = reading.table(reading.predictions.asked_N)
    weight_BT = reading.table(reading.predictions.weight_N.double(), 0.0)
    found: list[int] = []
    for group in reading.of_role("decoder"):
        steps = min(group.ids_BJ.shape[1] - 1, asked_BT.shape[1])
        if steps < 1 or group.ids_BJ.shape[0] != asked_BT.shape[0]:
            continue
        difference = group.ids_BJ[:, 1 : steps + 1] - asked_BT[:, :steps]
        counted = weight_BT[:, :steps] != 0
        later = torch.zeros_like(counted)
        later[:, :-1] = counted[:, 1:]  # what is fed after the last symbol asked for may be padding
        found.extend(set(difference[counted & later].tolist()))
    return found * LEAST_ROWS


def _carries(group: Group) -> bool:
    reach: Tensor = group.reach_JT > 0
    steps = min(reach.shape)
    return any(bool(reach[j, j + 1 :].any()) for j in range(1, steps - 1))


def _varies(group: Group) -> bool:
    return bool((group.ids_BJ != group.ids_BJ[:, :1]).any())


def ignored_symbol(readings: list[StepReading]) -> int | None:
    """Return the symbol that every loss is told to ignore, if there is one."""
    found: set[int | None] = set()
    for reading in readings:
        for index in reading.predictions.criteria:
            call = reading.tape.calls[index]
            if call.name in ("cross_entropy", "nll_loss"):
                _, kwargs = call.arguments()
                ignored = kwargs.get("ignore_index", -100)
                found.add(ignored if isinstance(ignored, int) and ignored >= 0 else None)
    return found.pop() if len(found) == 1 else None
