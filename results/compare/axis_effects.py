"""What an axis does: each of its values against the base's, over all that it was crossed with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from results import naming
from results.compare.measures import Measure, MeasureReader, measure
from results.compare.pairs import (
    ComparisonError,
    ComparisonRow,
    Pairs,
    Side,
    all_measures,
    by_seed,
    judged,
    paired,
)
from results.grouping import grouped
from results.record import Record
from results.stats import inference
from results.stats.inference import Values

Level = tuple[Any, ...]
"""A value of the axis; of a shorthand, of each axis that it sets."""
Rest = tuple[tuple[str, Any], ...]
"""All else of a variant."""
Contexts = dict[Rest, dict[Level, Side]]


def effects(records: Iterable[Record], suite: Mapping[str, Any], axis: str) -> list[ComparisonRow]:
    """A row a value and measure: a is the value, b the base's.

    A seed's difference is the mean over contexts (variants alike but for the axis), so that seeds
    are what is counted. ComparisonError where no setting varies the axis.
    """
    found: list[Pairs] = []
    for (task, setting), group in grouped(records).items():
        head = {"task": task, "setting": setting}
        found += effects_in(Varied(group, suite), head, axis)
    if not found:
        raise ComparisonError(
            f"no finished runs differ in {axis} alone; make some, for example with bench run "
            f"--task reversal --vary {axis}=all"
        )
    return judged(found)


def effects_in(
    varied: Varied, head: Mapping[str, str], axis: str, only: Sequence[str] = ()
) -> list[Pairs]:
    """The same within one table, not yet judged. only: measures, all if none is named."""
    contexts, reference = varied.contexts(_axes(axis))
    found: list[Pairs] = []
    for level in _levels(contexts, reference):
        places = [rest for rest, at in contexts.items() if level in at and reference in at]
        both = [contexts[rest] for rest in places]
        names = {
            "a": _text(axis, level),
            "b": _text(axis, reference),
            "where": varied.where(places),
        }
        one, other = [at[level] for at in both], [at[reference] for at in both]
        found += all_measures({**head, **names}, varied.reader, one, other, only)
    return found


def every_axis(
    records: Iterable[Record], suite: Mapping[str, Any], more: Sequence[str] = ()
) -> list[ComparisonRow]:
    """What all axes do to the score, each a family of its own. more: measures beside the score.

    ComparisonError where nothing varies one axis alone.
    """
    rows: list[ComparisonRow] = []
    for (task, setting), group in grouped(records).items():
        rows += every_axis_in(Varied(group, suite), {"task": task, "setting": setting}, more)
    if not rows:
        raise ComparisonError(
            "no two finished runs of a task and budget differ in one axis alone; make some, for "
            "example with bench run --task reversal --vary cell=all"
        )
    return rows


def every_axis_in(
    varied: Varied, head: Mapping[str, str], more: Sequence[str]
) -> list[ComparisonRow]:
    """The same within one table."""
    rows: list[ComparisonRow] = []
    for axis in varied.axes():
        rows += judged(effects_in(varied, head, axis, (varied.metric, *more)))
    # of a shorthand only what it sets alike: the rest stands with the axes themselves
    return [row for row in rows if "," not in row["a"]]


class Varied:
    """The runs of one table by variant, so that many axes can be looked at."""

    def __init__(self, group: Sequence[Record], suite: Mapping[str, Any]) -> None:
        self.reader = MeasureReader(group)
        self.metric = self.reader.metric
        runs: dict[str, list[Record]] = {}
        for record in group:
            # a variant is often the very same text in thousands of runs
            runs.setdefault(repr(record.variant), []).append(record)
        merged: dict[Rest, list[Record]] = {}
        for some in runs.values():
            key = tuple(sorted({**suite, **some[0].variant}.items()))
            merged.setdefault(key, []).extend(some)
        self._sides = {key: by_seed(some) for key, some in merged.items()}
        # what a star is around, which need not be the suite's own base
        self.base = naming.shared_base([dict(key) for key in self._sides], suite)

    def axes(self) -> list[str]:
        """Those that differ somewhere, shorthands first."""
        values: dict[str, set[Any]] = {}
        for key in self._sides:
            for axis, value in key:
                values.setdefault(axis, set()).add(value)
        found = [axis for axis, some in values.items() if len(some) > 1]
        short = [name for name, of in naming.SHORTHANDS.items() if set(of) <= set(found)]
        return [*short, *found]

    def where(self, places: Sequence[Rest]) -> str:
        """What a comparison's contexts are: nothing to say of the base alone."""
        if len(places) > 1:
            return f"{len(places)} contexts"
        name = naming.name(dict(places[0]), self.base)
        return "" if name == "base" else name

    def contexts(self, axes: tuple[str, ...]) -> tuple[Contexts, Level]:
        """Runs by all that is not the axis, and then by their value of it, where there are two at
        least; and the value that the others are held against."""
        found: Contexts = {}
        for key, side in self._sides.items():
            values = dict(key)
            level = tuple(values.get(one) for one in axes)
            rest = tuple(item for item in key if item[0] not in axes)
            found.setdefault(rest, {})[level] = side
        found = {rest: levels for rest, levels in found.items() if len(levels) > 1}
        counts = Counter(level for levels in found.values() for level in levels)
        centre = tuple(self.base.get(one) for one in axes)
        if centre in counts or not counts:
            return found, centre
        return found, counts.most_common(1)[0][0]


def interactions(
    records: Iterable[Record], suite: Mapping[str, Any], axis: str
) -> list[ComparisonRow]:
    """Where the effect of an axis on the score hangs on another axis that it was crossed with.

    A row a value, other axis and its value: the effect there minus that at the other axis's base
    value, p corrected over all of a task and setting.
    """
    rows: list[ComparisonRow] = []
    for (task, setting), group in grouped(records).items():
        varied = Varied(group, suite)
        contexts, reference = varied.contexts(_axes(axis))
        score = measure(varied.metric)
        found = []
        for other in dict.fromkeys(name for rest in contexts for name, _ in rest):
            found += _crossed(contexts, reference, other, varied.base, score, varied.reader)
        adjusted = inference.holm([inference.sign_flip(apart) for *_, apart in found])
        for (level, there, here, apart), p in zip(found, adjusted, strict=True):
            rows.append(
                {
                    "task": task,
                    "setting": setting,
                    "measure": score.key,
                    "of": _text(axis, level),
                    "against": _text(axis, reference),
                    "at": there,
                    "not_at": here,
                    "pairs": len(apart),
                    "effect": float(np.mean(apart)),
                    "p_adjusted": p,
                    "family": len(found),
                    "significant": p <= inference.ALPHA,
                }
            )
    return rows


def _crossed(
    contexts: Contexts,
    reference: Level,
    other: str,
    base: Mapping[str, Any],
    score: Measure,
    reader: MeasureReader,
) -> list[tuple[Level, str, str, Values]]:
    """Level, value of the other axis and its base, and by seed the difference of the effects."""
    alike: dict[Rest, dict[Any, dict[Level, Side]]] = {}
    for rest, levels in contexts.items():
        without = tuple(item for item in rest if item[0] != other)
        alike.setdefault(without, {})[dict(rest)[other]] = levels
    values = Counter(value for crossed in alike.values() for value in crossed)
    if len(values) < 2:
        return []
    here = base[other] if base.get(other) in values else values.most_common(1)[0][0]
    found: list[tuple[Level, str, str, Values]] = []
    for there in sorted(values.keys() - {here}, key=str):
        both = [crossed for crossed in alike.values() if there in crossed and here in crossed]
        for level in _levels(contexts, reference):
            whole = [
                crossed
                for crossed in both
                if all(one in crossed[at] for one in (level, reference) for at in (there, here))
            ]
            effects = [
                paired(
                    {},
                    score,
                    reader,
                    [crossed[at][level] for crossed in whole],
                    [crossed[at][reference] for crossed in whole],
                )
                for at in ((there, here) if whole else ())
            ]
            shared = sorted(set.intersection(*(set(e.seeds) for e in effects)) if effects else ())
            if shared:
                by_seed_there, by_seed_here = (
                    dict(zip(effect.seeds, effect.differences, strict=True)) for effect in effects
                )
                apart = np.array([by_seed_there[seed] - by_seed_here[seed] for seed in shared])
                at_there, at_here = (f"{other}={naming.text(at)}" for at in (there, here))
                found.append((level, at_there, at_here, apart))
    return found


def _levels(contexts: Contexts, reference: Level) -> list[Level]:
    """Values that stand beside the reference somewhere."""
    found = {level for at in contexts.values() if reference in at for level in at}
    return sorted(found - {reference}, key=str)


def _axes(axis: str) -> tuple[str, ...]:
    return naming.SHORTHANDS.get(axis, (axis,))


def _text(axis: str, level: Level) -> str:
    if len(set(level)) == 1:
        return f"{axis}={naming.text(level[0])}"
    pairs = zip(_axes(axis), level, strict=True)
    return ",".join(f"{one}={naming.text(value)}" for one, value in pairs)
