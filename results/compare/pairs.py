"""Compares two variants over the seeds that both have, and judges the effects.

An effect is the mean of a minus b over shared seeds; for ratios, of their logarithms. Rows are
plain numbers and words, which `results.tables.comparisons` turns into text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NotRequired, TypedDict

import numpy as np

from results import commands, metrics, naming
from results.compare.measures import Measure, MeasureReader, Reading, measures, unlike_machines
from results.grouping import core_share, grouped, namings
from results.record import Record
from results.stats import inference
from results.stats.inference import Values

Side = dict[int, Record]
"""Runs of one variant, by seed."""
NEITHER = "neither reached the target score"
"""Reason for `undecided`: no run of either side reached the target."""
NOT_ALL = "not all reached the target score"
"""Reason for `undecided` instead of a tie: some runs did not reach the target."""
UNLIKE_MACHINES = "timed on unlike machines, which do not compare"
"""Reason why times are not compared."""


class ComparisonError(ValueError):
    """Says in one sentence what cannot be compared, and why."""


class Head(TypedDict):
    """Names what a row compares; which of the optional keys it has depends on the question."""

    task: str
    setting: str
    a: str
    b: str
    base: NotRequired[str]
    """Of two variants of which one was named `base`: its values where the other differs."""
    decide: NotRequired[str]
    """Of two variants: the command that adds seeds until a verdict stands; "" if there is none."""
    seed_seconds: NotRequired[float]
    """Of two variants: mean seconds that one seed of both takes with one worker."""
    where: NotRequired[str]
    """Of an axis: what the axis was crossed with; "" for the base alone."""
    variant: NotRequired[str]
    """Of two sets of runs: the variant that both have."""
    mode: NotRequired[str]
    """Of equal cost: what is equal."""
    at: NotRequired[str]
    """Of equal cost: its value."""
    says: NotRequired[str]
    """Of a claim: what it says."""


class Judgement(TypedDict):
    """States what pairs show; all values are None if the pairs cannot be compared."""

    a_mean: float | None
    b_mean: float | None
    effect: float | None
    low: float | None
    high: float | None
    interval: str | None
    p: float | None
    p_adjusted: float | None
    detectable: float | None
    verdict: str | None
    more_seeds: int | None
    why: str


class ComparisonRow(Head, Judgement):
    """States the effect of one measure; `bench compare --json` prints these rows."""

    measure: str
    pairs: int
    unpaired: int
    trained_beside: int
    core_share: float | None
    contexts: int
    censored_a: int
    censored_b: int
    ratio: bool
    margin: float
    family: int
    refused: str


@dataclass(frozen=True)
class Pairs:
    """Holds the values of a measure for two sides.

    Attributes:
        measure: the measure.
        seeds: the N seeds for which both sides of every context have a value.
        values_NC2: by seed, by context (what the two variants were crossed with), of a and of b.
        censored: number of censored values of a and of b.
        unpaired: number of seeds that one of the sides lacks.
        concurrent: largest number of other runs at the same time as one of these, if it is timed.
        core_share: smallest share of a core that one of these had, if it is timed.
        refused: why the two cannot be compared; "" if they can.
    """

    measure: Measure
    seeds: tuple[int, ...]
    values_NC2: Values
    censored: tuple[int, int]
    unpaired: int
    concurrent: int
    core_share: float | None
    refused: str

    @property
    def differences(self) -> Values:
        """a minus b for each seed, as the mean over contexts."""
        differences: Values = (self.values_NC2[..., 0] - self.values_NC2[..., 1]).mean(axis=1)
        return differences


class Compared(NamedTuple):
    """Holds pairs with the names of what they compare."""

    head: Head
    pairs: Pairs


def paired(
    measure: Measure, reader: MeasureReader, ours: Sequence[Side], theirs: Sequence[Side]
) -> Pairs:
    """Pair the runs of two variants by seed.

    Args:
        measure: what to read of each run.
        reader: reads it.
        ours: the runs of a, one side for each of the contexts.
        theirs: the runs of b in the same contexts.
    """
    # a and b alternate: a in the first context, b in the first, a in the second, ...
    sides = [side for both in zip(ours, theirs, strict=True) for side in both]
    shared = sorted(set.intersection(*map(set, sides)))
    # a ratio of times from two machines would say more of the machines than of the variants
    if measure.timed and unlike_machines(_runs(sides, shared)):
        readings, refused = {}, UNLIKE_MACHINES
    else:
        readings = _readings(measure, reader, sides, shared)
        refused = "" if readings else "no shared seed was measured"
    values = [[reading.value for reading in row] for row in readings.values()]
    timed = _runs(sides, readings) if measure.timed else []
    return Pairs(
        measure,
        tuple(readings),
        np.array(values, dtype=float).reshape(len(readings), len(ours), 2),
        (_censored(readings, 0), _censored(readings, 1)),
        len(set.union(*map(set, sides))) - len(readings),
        max((int(run.measured.get("beside", 0)) for run in timed), default=0),
        core_share(timed),
        refused,
    )


def _runs(sides: Sequence[Side], seeds: Iterable[int]) -> list[Record]:
    return [side[seed] for seed in seeds for side in sides]


def _readings(
    measure: Measure, reader: MeasureReader, sides: Sequence[Side], seeds: Sequence[int]
) -> dict[int, list[Reading]]:
    """Return the readings of all sides, for the seeds for which none of them is missing."""
    found = {}
    for seed in seeds:
        readings = [reading for side in sides if (reading := reader.read(side[seed], measure))]
        # a seed with a gap would be compared over other contexts than the rest
        if len(readings) == len(sides):
            found[seed] = readings
    return found


def _censored(readings: Mapping[int, Sequence[Reading]], side: int) -> int:
    """Count the censored readings of a (0) or b (1), which alternate."""
    return sum(reading.censored for row in readings.values() for reading in row[side::2])


def judged(found: Sequence[Compared]) -> list[ComparisonRow]:
    """Return a row with a verdict for each of these, in their order.

    All that compare one measure in one task and setting are a family, within which p values are
    corrected by Holm's method.
    """
    families: dict[tuple[str, ...], list[int]] = {}
    for place, (head, pairs) in enumerate(found):
        key = (head["task"], head["setting"], pairs.measure.key)
        families.setdefault(key, []).append(place)
    rows: dict[int, ComparisonRow] = {}
    for places in families.values():
        # what was not tested must not make the correction of others stricter
        tested = [place for place in places if not found[place].pairs.refused]
        raw = [inference.sign_flip(found[place].pairs.differences) for place in tested]
        adjusted = dict(zip(tested, inference.holm(raw), strict=True))
        p_values = dict(zip(tested, raw, strict=True))
        for place in places:
            p = p_values.get(place, 1.0), adjusted.get(place, 1.0)
            rows[place] = _row(found[place], *p, len(tested))
    return [rows[place] for place in range(len(found))]


def _row(compared: Compared, p: float, adjusted: float, family: int) -> ComparisonRow:
    head, pairs = compared
    return {
        **head,
        "measure": pairs.measure.key,
        "pairs": len(pairs.values_NC2),
        "unpaired": pairs.unpaired,
        "trained_beside": pairs.concurrent,
        "core_share": pairs.core_share,
        "contexts": pairs.values_NC2.shape[1],
        "censored_a": pairs.censored[0],
        "censored_b": pairs.censored[1],
        "ratio": pairs.measure.ratio,
        "margin": pairs.measure.margin,
        "family": family,
        "refused": pairs.refused,
        **(_no_judgement() if pairs.refused else _judgement(pairs, p, adjusted, family)),
    }


def _no_judgement() -> Judgement:
    return {
        "a_mean": None,
        "b_mean": None,
        "effect": None,
        "low": None,
        "high": None,
        "interval": None,
        "p": None,
        "p_adjusted": None,
        "detectable": None,
        "verdict": None,
        "more_seeds": None,
        "why": "",
    }


def _judgement(pairs: Pairs, p: float, adjusted: float, family: int) -> Judgement:
    differences = pairs.differences
    interval = inference.mean_interval(differences)
    # an interval of a mean may reach beyond what a difference of two shares can be
    most = 1.0 if metrics.is_share(pairs.measure.key) else np.inf
    verdict = _verdict(pairs, differences, adjusted, family)
    spread = float(differences.std(ddof=1)) if len(differences) > 1 else 0.0
    # at the share of alpha that is left to each of a family in the worst case
    detectable = inference.detectable(spread, len(differences), inference.ALPHA / family)
    return {
        "a_mean": float(pairs.values_NC2[..., 0].mean()),
        "b_mean": float(pairs.values_NC2[..., 1].mean()),
        "effect": interval.estimate,
        "low": _finite(max(interval.low, -most)) if np.isfinite(interval.low) else None,
        "high": _finite(min(interval.high, most)) if np.isfinite(interval.high) else None,
        "interval": interval.kind,
        "p": p,
        "p_adjusted": adjusted,
        "detectable": _finite(detectable),
        "verdict": verdict.word,
        "more_seeds": verdict.more,
        "why": verdict.why,
    }


def _verdict(pairs: Pairs, differences: Values, adjusted: float, family: int) -> inference.Verdict:
    censored = pairs.censored if pairs.measure.key.endswith("to_target") else (0, 0)
    # if nobody reached the target, the values are all the budget: a tie that means nothing
    if min(censored) == pairs.values_NC2[..., 0].size:
        return inference.Verdict("undecided", None, NEITHER)
    # the verdict is asked for "more is better", the row keeps the sign of a minus b
    better = differences if pairs.measure.higher else -differences
    interval = inference.mean_interval(better)
    found = inference.verdict(better, interval, adjusted, pairs.measure.margin, family)
    if found.word == "tie" and max(censored):
        # runs that stopped at the budget's end have equal costs, however far the target was
        return inference.Verdict("undecided", None, NOT_ALL)
    return found


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def compare_variants(
    records: Iterable[Record], suite: Mapping[str, Any], a: str, b: str
) -> list[ComparisonRow]:
    """Compare two variants in every task and setting that has both; one row per measure.

    Args:
        records: runs of any variants.
        suite: the suite's base variant.
        a: a variant's name as in a table, or its difference from the suite's base.
        b: the variant to compare it with.

    Raises:
        ComparisonError: no setting has both.
    """
    groups = grouped(records)
    found: list[Compared] = []
    for (task, setting), group in groups.items():
        both = runs_of_both(group, suite, a, b)
        if both:
            head: Head = {"task": task, "setting": setting, "a": a, "b": b}
            if base := _spelled_base(a, b, *both):
                head["base"] = base
            head["decide"] = commands.until_decided(both[0][0], both[1][0], suite)
            head["seed_seconds"] = sum(map(_mean_seconds, both))
            ours, theirs = map(by_seed, both)
            found += all_measures(head, MeasureReader(group), [ours], [theirs])
    if not found:
        raise _nothing_in_common(groups, suite, a, b)
    return judged(found)


def runs_of_both(
    group: Sequence[Record], suite: Mapping[str, Any], a: str, b: str
) -> tuple[list[Record], list[Record]] | None:
    """Return the runs of two named variants of one table; None if it lacks one of them."""
    for base, named in namings(group, suite):
        ours, theirs = naming.canonical(a, base), naming.canonical(b, base)
        if (a == b or ours != theirs) and ours in named and theirs in named:
            return named[ours], named[theirs]
    return None


def _mean_seconds(runs: Sequence[Record]) -> float:
    """Return the mean seconds that these runs took, evaluation included."""
    return float(np.mean([float(run.measured.get("run_seconds", 0.0)) for run in runs]))


def _spelled_base(a: str, b: str, ours: Sequence[Record], theirs: Sequence[Record]) -> str:
    """Return the values of the side that was named `base` where the other differs from it."""
    base, other = (ours, theirs) if a == "base" else (theirs, ours)
    if "base" not in (a, b):
        return ""
    values = naming.spelled(base[0].variant, [other[0].variant])
    return ",".join(f"{axis}={value}" for axis, value in values.items())


def _nothing_in_common(
    groups: Mapping[tuple[str, str], Sequence[Record]], suite: Mapping[str, Any], a: str, b: str
) -> ComparisonError:
    """Return an error that says which of two variants is where."""
    places: dict[str, set[str]] = {}
    for (task, setting), group in groups.items():
        for _, named in namings(group, suite):
            for name in named:
                places.setdefault(name, set()).add(f"{task} ({setting})")
    canonical = [naming.canonical(name, suite) for name in (a, b)]
    if a != b and canonical[0] == canonical[1]:
        return ComparisonError(f"{a} and {b} are the same variant; give two")
    # a misspelt name is the likelier mistake, so it is reported first
    for name, known in zip((a, b), canonical, strict=True):
        if known not in places and name not in places:
            return ComparisonError(
                f"no finished run is of the variant {name}; there are {naming.listed(places)}"
            )
    (at_a, at_b) = (
        places[name if name in places else known]
        for name, known in zip((a, b), canonical, strict=True)
    )
    return ComparisonError(
        f"{a} and {b} have no task and setting in common: {a} has {naming.listed(at_a)}, {b} "
        f"has {naming.listed(at_b)}; run both with the same task and budget"
    )


def all_measures(
    head: Head,
    reader: MeasureReader,
    ours: Sequence[Side],
    theirs: Sequence[Side],
    only: Sequence[str] = (),
) -> list[Compared]:
    """Pair two variants of one table by every measure, or by those named in `only`."""
    return [
        Compared(head, paired(measure, reader, ours, theirs))
        for measure in measures(reader.metric)
        if not only or measure.key in only
    ]


def by_seed(records: Iterable[Record]) -> Side:
    """Return runs by seed; of several with one seed, the one that began last."""
    ordered = sorted(records, key=lambda record: float(record.measured.get("began", 0.0)))
    return {record.seed: record for record in ordered}
