"""Finds where the effect of an axis depends on another axis that it was crossed with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, TypedDict

from results import naming
from results.compare.crossing import (
    Contexts,
    CrossedRuns,
    Level,
    Rest,
    axes_of,
    level_text,
    other_levels,
)
from results.compare.measures import Measure, MeasureReader, measure
from results.compare.pairs import Pairs, Side, paired
from results.grouping import grouped
from results.record import Record
from results.stats import families
from results.stats.families import Sample
from results.stats.inference import ALPHA

Crossed = dict[Any, dict[Level, Side]]
"""Runs that differ in two axes alone: by the other axis's value, then by the axis's value."""


class InteractionRow(TypedDict):
    """States how much larger an effect is at one value of another axis than at its base value."""

    task: str
    setting: str
    measure: str
    of: str
    """The axis's value, which is compared with the reference value in `against`."""
    against: str
    at: str
    not_at: str
    pairs: int
    effect: float
    p_adjusted: float
    family: int
    significant: bool


@dataclass(frozen=True)
class _Interaction:
    """Holds the difference between two effects, by seed."""

    level: Level
    at: str
    not_at: str
    sample: Sample


def axis_interactions(
    records: Iterable[Record], suite: Mapping[str, Any], axis: str
) -> list[InteractionRow]:
    """Return one row for each value of an axis, each other axis, and each value of that other axis.

    A row's effect is the axis's effect at that value of the other axis, minus its effect at the
    other axis's base value. P values are corrected over all rows of a task and setting.
    """
    rows: list[InteractionRow] = []
    for (task, setting), group in grouped(records).items():
        runs = CrossedRuns(group, suite)
        contexts, reference = runs.contexts(axes_of(axis))
        others = dict.fromkeys(name for rest in contexts for name, _ in rest)
        found = [
            interaction
            for other in others
            for interaction in _interactions(runs, contexts, reference, other)
        ]
        # every pair of values of every other axis is a test, so all of them are one family
        p_values = families.family_wise([interaction.sample for interaction in found])
        for interaction, p in zip(found, p_values, strict=True):
            rows.append(
                {
                    "task": task,
                    "setting": setting,
                    "measure": runs.metric,
                    "of": level_text(axis, interaction.level),
                    "against": level_text(axis, reference),
                    "at": interaction.at,
                    "not_at": interaction.not_at,
                    "pairs": len(interaction.sample),
                    "effect": fmean(interaction.sample.values()),
                    "p_adjusted": p,
                    "family": len(found),
                    "significant": p <= ALPHA,
                }
            )
    return rows


def _interactions(
    runs: CrossedRuns, contexts: Contexts, reference: Level, other: str
) -> Iterator[_Interaction]:
    """Yield the interactions of the axis with one other axis, as far as runs allow."""
    crossings = _crossings(contexts, other)
    counts = Counter(value for crossed in crossings for value in crossed)
    if len(counts) < 2:
        return
    # the other axis's reference is the table's base value if it was run, else its commonest value
    base = runs.base[other] if runs.base.get(other) in counts else counts.most_common(1)[0][0]
    score = measure(runs.metric)
    for value in sorted(counts.keys() - {base}, key=str):
        at, not_at = f"{other}={naming.text(value)}", f"{other}={naming.text(base)}"
        for level in other_levels(contexts, reference):
            # a difference of differences needs all four combinations, over the same contexts
            complete = _complete(crossings, (value, base), (level, reference))
            if not complete:
                continue
            there, here = (
                _effect(complete, at_value, level, reference, score, runs.reader)
                for at_value in (value, base)
            )
            sample = _differences(there, here)
            if sample:
                yield _Interaction(level, at, not_at, sample)


def _complete(
    crossings: Sequence[Crossed], values: tuple[Any, Any], levels: tuple[Level, Level]
) -> list[Crossed]:
    """Return the crossings in which all four combinations were run."""
    return [
        crossed
        for crossed in crossings
        if all(level in crossed.get(value, {}) for value in values for level in levels)
    ]


def _crossings(contexts: Contexts, other: str) -> list[Crossed]:
    """Group contexts that differ in the other axis alone."""
    found: dict[Rest, Crossed] = {}
    for rest, levels in contexts.items():
        without = tuple(item for item in rest if item[0] != other)
        found.setdefault(without, {})[dict(rest)[other]] = levels
    return list(found.values())


def _effect(
    crossings: Sequence[Crossed],
    value: Any,
    level: Level,
    reference: Level,
    score: Measure,
    reader: MeasureReader,
) -> Pairs:
    """Pair a level with the reference where the other axis has this value."""
    ours = [crossed[value][level] for crossed in crossings]
    theirs = [crossed[value][reference] for crossed in crossings]
    return paired(score, reader, ours, theirs)


def _differences(there: Pairs, here: Pairs) -> Sample:
    """Return the difference of two effects, for the seeds that both have."""
    effects_there, effects_here = (pairs.sample(pairs.differences) for pairs in (there, here))
    # the same seeds on both sides, so that what seeds have in common cancels
    shared = sorted(effects_there.keys() & effects_here.keys())
    return {seed: effects_there[seed] - effects_here[seed] for seed in shared}
