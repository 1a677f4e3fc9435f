"""Compares two variants by every measure, in all tasks and settings that have both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from results import commands, naming
from results.compare.judging import ComparisonRow, judged
from results.compare.measures import MeasureReader
from results.compare.pairs import (
    Compared,
    ComparisonError,
    Head,
    all_measures,
    by_seed,
    mean_seconds,
)
from results.grouping import called, grouped, namings
from results.record import Record
from results.tuning import chosen_text


def compare_variants(
    records: Iterable[Record], suite: Mapping[str, Any], a: str, b: str, metric: str = ""
) -> list[ComparisonRow]:
    """Compare two variants in every task and setting that has both; one row per measure.

    Args:
        records: runs of any variants.
        suite: the suite's base variant.
        a: a variant's name as in a table, or its difference from the suite's base.
        b: the variant to compare it with.
        metric: a score on test that decides instead of the task's own; tables without it are left
            out.

    Raises:
        ComparisonError: no setting has both.
    """
    groups = grouped(records)
    found: list[Compared] = []
    for (task, setting), group in groups.items():
        both = runs_of_both(group, suite, a, b)
        if both and (not metric or _has_score(both, metric)):
            head: Head = {"task": task, "setting": setting, "a": a, "b": b}
            if base := spelled_base(a, b, *both):
                head["base"] = base
            # seeds are added until the task's own metric decides
            head["decide"] = "" if metric else _until_decided(*both, suite)
            head["seed_seconds"] = sum(map(mean_seconds, both))
            if tuned := tuning_text(*both):
                head["tuned"] = tuned
            ours, theirs = map(by_seed, both)
            found += all_measures(head, MeasureReader(group, metric), [ours], [theirs])
    if not found:
        raise _nothing_in_common(groups, suite, a, b)
    return judged(found)


def _until_decided(
    ours: Sequence[Record], theirs: Sequence[Record], suite: Mapping[str, Any]
) -> str:
    """Return the command that adds seeds to both sides until a verdict stands."""
    first_seed = min(run.seed for run in (*ours, *theirs))
    return commands.until_decided(ours[0], theirs[0], suite, first_seed)


def _has_score(sides: Iterable[Sequence[Record]], metric: str) -> bool:
    """Return whether a run of some side has this score on test."""
    runs = [run for side in sides for run in side]
    return any(metric in run.outcome.get("scores", {}).get("test", {}) for run in runs)


def runs_of_both(
    group: Sequence[Record], suite: Mapping[str, Any], a: str, b: str
) -> tuple[list[Record], list[Record]] | None:
    """Return the runs of two named variants of one table; None if it lacks one of them.

    Tuned variants are found first, so that tuned meets tuned where both were. A name without a
    version means the latest one.
    """
    tuned = [record for record in group if record.tuned]
    for runs in filter(None, (tuned, group)):
        for base, named in namings(runs, suite):
            names = naming.canonical(a, base), naming.canonical(b, base)
            ours, theirs = (called(named, name) for name in names)
            if names[0] != names[1] and ours is not None and theirs is not None:
                return ours, theirs
    return None


def tuning_text(ours: Sequence[Record], theirs: Sequence[Record]) -> str:
    """Return what tuning chose for two variants, or for one of them; "" if for neither."""
    texts, told = (
        [chosen_text(runs[0]) for runs in (ours, theirs)],
        [ours[0].tuned, theirs[0].tuned],
    )
    if not any(texts):
        return ""
    if not all(texts):
        side, other, text = ("a", "b", texts[0]) if texts[0] else ("b", "a", texts[1])
        return f"{side} was tuned ({text}), {other} was not"
    counts = {(each.axes, each.candidates) for each in told if each}
    unequal = "" if len(counts) == 1 else "; unequal tuning: bench run --tune gives both the same"
    return f"both tuned on validation: a {texts[0]}, b {texts[1]}{unequal}"


def rate_is_tuned(side: Sequence[Record]) -> bool:
    """Return whether tuning chose the learning rate of a side, of which there is a run."""
    tuned = side[0].tuned
    return tuned is not None and "learning_rate" in tuned.axes


def spelled_base(a: str, b: str, ours: Sequence[Record], theirs: Sequence[Record]) -> str:
    """Return the values of the side that was named `base` where the other differs from it."""
    base, other = (ours, theirs) if a == "base" else (theirs, ours)
    if "base" not in (a, b):
        return ""
    values = naming.spelled(base[0].named, [other[0].named])
    return ",".join(f"{axis}={value}" for axis, value in values.items())


def _nothing_in_common(
    groups: Mapping[tuple[str, str], Sequence[Record]], suite: Mapping[str, Any], a: str, b: str
) -> ComparisonError:
    """Return an error that says which of two variants is where."""
    places = _places(groups, suite)
    canonical = {name: naming.canonical(name, suite) for name in (a, b)}
    if canonical[a] == canonical[b]:
        return ComparisonError(f"{a} and {b} are the same variant; give two")
    # a misspelt name is the likelier mistake, so it is reported first
    found = {name: places.get(name) or places.get(known) for name, known in canonical.items()}
    for name, at in found.items():
        if not at:
            return ComparisonError(
                f"no finished run is of the variant {name}; {naming.suggestion(name, places)}"
            )
    at_a, at_b = found[a] or (), found[b] or ()
    return ComparisonError(
        f"{a} and {b} have no task and setting in common: {a} has {naming.listed(at_a)}, {b} "
        f"has {naming.listed(at_b)}; run both with the same task and budget"
    )


def _places(
    groups: Mapping[tuple[str, str], Sequence[Record]], suite: Mapping[str, Any]
) -> dict[str, set[str]]:
    """Return the tasks and settings that each variant was run in, by each name it may be given."""
    places: dict[str, set[str]] = {}
    for (task, setting), group in groups.items():
        for _, named in namings(group, suite):
            for name in named:
                places.setdefault(name, set()).add(f"{task} ({setting})")
    return places
