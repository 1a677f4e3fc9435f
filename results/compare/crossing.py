"""Arranges the runs of a table by what an axis was crossed with.

A context is a set of variants that differ in one axis alone. An axis's effect is the mean over
its contexts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from results import naming
from results.compare.measures import MeasureReader
from results.compare.pairs import Side, by_seed
from results.grouping import latest_version
from results.record import Record

Level = tuple[Any, ...]
"""A value of the axis; for a shorthand, the value of each axis that it sets."""
Rest = tuple[tuple[str, Any], ...]
"""All other axes of a variant with their values, sorted."""
Contexts = dict[Rest, dict[Level, Side]]
"""Runs by context, then by the axis's value."""


class CrossedRuns:
    """Holds the runs of one table by variant, so that several axes can be looked at.

    Attributes:
        reader: reads measures of these runs.
        metric: key of the score that decides.
        base: the variant at the table's centre, which need not be the suite's base.
    """

    def __init__(self, group: Sequence[Record], suite: Mapping[str, Any]) -> None:
        self.reader = MeasureReader(group)
        self.metric = self.reader.metric
        # thousands of runs often share one variant, so each is only sorted once
        by_text: dict[str, list[Record]] = {}
        for record in group:
            by_text.setdefault(repr(record.named), []).append(record)
        merged: dict[Rest, list[Record]] = {}
        for runs in by_text.values():
            # runs stored before an axis existed have the suite's value
            key = tuple(sorted({**suite, **runs[0].named}.items()))
            merged.setdefault(key, []).extend(runs)
        # two versions of a plugin's part are two models, whose seeds make no pairs
        self._sides = {key: by_seed(latest_version(runs)) for key, runs in merged.items()}
        self.base = naming.shared_base([dict(key) for key in self._sides], suite)

    def axes(self) -> list[str]:
        """Return the axes that have several values, shorthands first."""
        values: dict[str, set[Any]] = {}
        for key in self._sides:
            for axis, value in key:
                values.setdefault(axis, set()).add(value)
        found = [axis for axis, known in values.items() if len(known) > 1]
        shorthands = [name for name, axes in naming.SHORTHANDS.items() if set(axes) <= set(found)]
        return [*shorthands, *found]

    def where(self, places: Sequence[Rest]) -> str:
        """Return the number of contexts, or the name of the only one, which is "" for the base."""
        if len(places) > 1:
            return f"{len(places)} contexts"
        name = naming.name(dict(places[0]), self.base)
        return "" if name == "base" else name

    def contexts(self, axes: tuple[str, ...]) -> tuple[Contexts, Level]:
        """Return the contexts in which an axis has two values or more, and its reference value.

        The reference is the base's value, or the most common one if the base's never occurs.
        """
        found: Contexts = {}
        for key, side in self._sides.items():
            values = dict(key)
            level = tuple(values.get(axis) for axis in axes)
            rest = tuple(item for item in key if item[0] not in axes)
            found.setdefault(rest, {})[level] = side
        found = {rest: levels for rest, levels in found.items() if len(levels) > 1}
        return found, self._reference(found, axes)

    def _reference(self, contexts: Contexts, axes: tuple[str, ...]) -> Level:
        counts = Counter(level for levels in contexts.values() for level in levels)
        centre = tuple(self.base.get(axis) for axis in axes)
        return centre if centre in counts or not counts else counts.most_common(1)[0][0]


def other_levels(contexts: Contexts, reference: Level) -> list[Level]:
    """Return the values that occur together with the reference in some context."""
    found = {level for at in contexts.values() if reference in at for level in at}
    return sorted(found - {reference}, key=str)


def axes_of(axis: str) -> tuple[str, ...]:
    """Return the axes that a shorthand sets, or the axis itself."""
    return naming.SHORTHANDS.get(axis, (axis,))


def level_text(axis: str, level: Level) -> str:
    """Return a value with its axis: `cell=lstm`."""
    if len(set(level)) == 1:
        return f"{axis}={naming.text(level[0])}"
    pairs = zip(axes_of(axis), level, strict=True)
    return ",".join(f"{name}={naming.text(value)}" for name, value in pairs)
