"""Pairs the runs of two sides by seed, over all contexts in which both were run.

An effect is the mean of a minus b over shared seeds; for ratios, of their logarithms.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, NotRequired, TypedDict

import numpy as np

from results.compare.measures import Measure, MeasureReader, Reading, measures, unlike_machines
from results.grouping import core_share
from results.record import Record, Trend
from results.stats.families import Sample
from results.stats.flattening import FLATTENED, RISING, trend_of
from results.stats.inference import Mask, Values

Side = dict[int, Record]
"""Runs of one variant, by seed."""
UNLIKE_MACHINES = "timed on unlike machines, which do not compare"
"""Reason why times are not compared."""
RISING_SHARE = 0.25
"""Share of a side's runs that may still have risen, if the side as a whole counts as flat: the
best of several noisy scores gets better by chance."""
NO_SHARED_SEED = "no shared seed was measured"
"""Reason why nothing is compared."""
STOPPED_AT_TARGET = "stopped at the target: scores not compared"
"""Reason why scores are not compared: who stopped early had less training than the other."""


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
    """The command that adds seeds until a verdict stands, of two variants, or that adds as many as
    would decide, of a claim; "" if there is none."""
    tuned: NotRequired[str]
    """Of two variants: which values were chosen for them, and how."""
    seed_seconds: NotRequired[float]
    """Of two variants: mean seconds that one seed of both takes with one worker."""
    where: NotRequired[str]
    """Of an axis: what the axis was crossed with; "" for the base alone."""
    variant: NotRequired[str]
    """Of two sets of runs: the variant that both have."""
    again_effect: NotRequired[float | None]
    """Of an axis: its effect with other seeds; None if it has none there."""
    again_verdict: NotRequired[str | None]
    """Of an axis: the verdict with other seeds; None if these were not compared."""
    mode: NotRequired[str]
    """Of equal cost: what is equal."""
    at: NotRequired[str]
    """Of equal cost: its value."""
    says: NotRequired[str]
    """Of a claim: what it says."""


@dataclass(frozen=True)
class Pairs:
    """Holds the values of a measure for two sides.

    Attributes:
        measure: the measure.
        seeds: the N seeds for which both sides of every context have a value.
        values_NC2: by seed, by context (what the two variants were crossed with), of a and of b.
        censored_NC2: True where the target was not reached, or where there is no score.
        unpaired: number of seeds that one of the sides lacks.
        concurrent: largest number of other runs at the same time as one of these, if it is timed.
        core_share: smallest share of a core that one of these had, if it is timed.
        refused: why the two cannot be compared; "" if they can.
        rising: number of runs of a and of b that still rose when training ended, if that matters.
        settled: both sides are known to have flattened (`RISING_SHARE`).
    """

    measure: Measure
    seeds: tuple[int, ...]
    values_NC2: Values
    censored_NC2: Mask
    unpaired: int
    concurrent: int
    core_share: float | None
    refused: str
    rising: tuple[int, int] = (0, 0)
    settled: bool = False

    @property
    def differences(self) -> Values:
        """a minus b for each seed, as the mean over contexts."""
        differences: Values = (self.values_NC2[..., 0] - self.values_NC2[..., 1]).mean(axis=1)
        return differences

    @property
    def censored(self) -> tuple[int, int]:
        """Number of censored values of a and of b."""
        return int(self.censored_NC2[..., 0].sum()), int(self.censored_NC2[..., 1].sum())

    def sample(self, values_N: Values, chosen_N: Mask | None = None) -> Sample:
        """Return values by seed, of all seeds or of those chosen."""
        chosen = np.ones(len(self.seeds), dtype=bool) if chosen_N is None else chosen_N
        return {
            seed: float(value)
            for seed, value, take in zip(self.seeds, values_N, chosen, strict=True)
            if take
        }


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
    sides = list(itertools.chain.from_iterable(zip(ours, theirs, strict=True)))
    shared = sorted(set.intersection(*map(set, sides)))
    refused = _refusal(measure, _runs(sides, shared))
    readings = {} if refused else _readings(measure, reader, sides, shared)
    if not readings:
        refused = refused or NO_SHARED_SEED
    values, censored = _arrays(readings.values(), contexts=len(ours))
    timed = _runs(sides, readings) if measure.timed else []
    ends_a, ends_b = (_Ends(each, readings if measure.of_end else ()) for each in (ours, theirs))
    return Pairs(
        measure,
        tuple(readings),
        values,
        censored,
        len(set.union(*map(set, sides))) - len(readings),
        max((run.trained_beside for run in timed), default=0),
        core_share(timed),
        refused,
        (ends_a.rising, ends_b.rising),
        ends_a.flattened and ends_b.flattened,
    )


def _refusal(measure: Measure, runs: Sequence[Record]) -> str:
    """Return why this measure of these runs is not compared; "" if it is."""
    # a ratio of times from two machines would say more of the machines than of the variants
    if measure.timed and unlike_machines(runs):
        return UNLIKE_MACHINES
    if measure.of_end and any(run.stopped_at_target for run in runs):
        return STOPPED_AT_TARGET
    return ""


def _arrays(rows: Iterable[Sequence[Reading]], contexts: int) -> tuple[Values, Mask]:
    """Return values_NC2 and censored_NC2 of one row of readings per seed."""
    readings = [reading for row in rows for reading in row]
    values = np.array([reading.value for reading in readings], dtype=float)
    censored = np.array([reading.censored for reading in readings], dtype=bool)
    return values.reshape(-1, contexts, 2), censored.reshape(-1, contexts, 2)


class _Ends:
    """Says how the runs of a or of b ended, for the seeds whose scores are compared."""

    def __init__(self, sides: Sequence[Side], seeds: Iterable[int]) -> None:
        """sides: the runs in each context."""
        self._trends = [_end(run) for run in _runs(sides, seeds)]
        self.rising = self._trends.count(RISING)

    @property
    def flattened(self) -> bool:
        """Return whether the side has: of every run it is known, and few enough still rose."""
        known = bool(self._trends) and set(self._trends) <= {FLATTENED, RISING}
        return known and self.rising <= RISING_SHARE * len(self._trends)


def _end(record: Record) -> Trend | None:
    """Return whether a run had flattened; one that broke off will not rise any more either."""
    return FLATTENED if record.status in ("diverged", "failed") else trend_of(record)


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


def mean_seconds(records: Sequence[Record]) -> float:
    """Return the mean seconds that runs took, evaluation included; 0 of no runs."""
    took = [float(record.measured.get("run_seconds", 0.0)) for record in records]
    return sum(took) / len(took) if took else 0.0


def by_seed(records: Iterable[Record]) -> Side:
    """Return runs by seed; of several with one seed, the one that began last."""
    ordered = sorted(records, key=lambda record: float(record.measured.get("began", 0.0)))
    return {record.seed: record for record in ordered}
