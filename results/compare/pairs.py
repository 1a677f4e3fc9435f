"""Is one variant better than another, by how much, how surely, and what would it take to know?

Rows are plain numbers; `results.show.verdicts` writes them. An effect is the mean of a minus b over
shared seeds, of ratios in logarithms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from results import naming
from results.compare.measures import Measure, MeasureReader, machine, measures
from results.grouping import by_variant, core_share, grouped
from results.record import Record
from results.stats import inference
from results.stats.inference import Values

ComparisonRow = dict[str, Any]
Side = dict[int, Record]
"""Runs of one variant by seed."""
NEITHER = "neither got there"
NOT_ALL = "not all got there"


class ComparisonError(ValueError):
    """What cannot be compared, and why, in a sentence."""


@dataclass(frozen=True)
class Pairs:
    """What two sides gave on a measure. head: the first keys of its row. values_NC2: by seed (as in
    `seeds`) and context, of a and b. censored: of a and of b. unpaired: seeds that one side lacks.
    beside: most runs that ran at the same time as one that was timed. share: the least of a core
    that one of them had. refused: why nothing can be said."""

    head: Mapping[str, str]
    measure: Measure
    seeds: tuple[int, ...]
    values_NC2: Values
    censored: tuple[int, int]
    unpaired: int
    beside: int
    share: float | None
    refused: str

    @property
    def differences(self) -> Values:
        """a minus b of each seed, the mean over contexts."""
        apart: Values = (self.values_NC2[..., 0] - self.values_NC2[..., 1]).mean(axis=1)
        return apart


def paired(
    head: Mapping[str, str],
    measure: Measure,
    reader: MeasureReader,
    one: Sequence[Side],
    other: Sequence[Side],
) -> Pairs:
    """Sides by context: what the two variants were crossed with. A seed counts if both sides of
    every context have it."""
    sides = [side for both in zip(one, other, strict=True) for side in both]
    shared = set.intersection(*map(set, sides))
    machines = {told for seed in shared for side in sides if (told := machine(side[seed]))}
    refused = ""
    if measure.timed and len(machines) > 1:
        refused = "timed on unlike machines, which do not compare"
    values: dict[int, list[float]] = {}
    censored = np.zeros(2, dtype=int)
    for seed in sorted(shared) if not refused else ():
        read = [reading for side in sides if (reading := reader.read(side[seed], measure))]
        if len(read) == len(sides):
            values[seed] = [reading.value for reading in read]
            censored += np.array([r.censored for r in read]).reshape(-1, 2).sum(axis=0)
    if not values and not refused:
        refused = "no shared seed was measured"
    timed = [side[seed] for seed in values for side in sides] if measure.timed else []
    return Pairs(
        {**head, "measure": measure.key},
        measure,
        tuple(values),
        np.array(list(values.values())).reshape(len(values), len(one), 2),
        (int(censored[0]), int(censored[1])),
        len(set.union(*map(set, sides))) - len(values),
        max((_beside(run) for run in timed), default=0),
        core_share(timed),
        refused,
    )


def _beside(record: Record) -> int:
    return int(record.measured.get("beside", 0))


def judged(found: Sequence[Pairs]) -> list[ComparisonRow]:
    """Rows with verdicts, p values corrected within each family: task, setting and measure."""
    families: dict[tuple[str, ...], list[Pairs]] = {}
    for pairs in found:
        key = (pairs.head["task"], pairs.head["setting"], pairs.measure.key)
        families.setdefault(key, []).append(pairs)
    rows: dict[int, ComparisonRow] = {}
    for family in families.values():
        tested = [pairs for pairs in family if not pairs.refused]
        raw = [inference.sign_flip(pairs.differences) for pairs in tested]
        corrected = dict(
            zip(map(id, tested), zip(raw, inference.holm(raw), strict=True), strict=True)
        )
        for pairs in family:
            rows[id(pairs)] = _row(pairs, *corrected.get(id(pairs), (1.0, 1.0)), len(tested))
    return [rows[id(pairs)] for pairs in found]


def _row(pairs: Pairs, p: float, adjusted: float, family: int) -> ComparisonRow:
    measure = pairs.measure
    row: ComparisonRow = {
        **pairs.head,
        "pairs": len(pairs.values_NC2),
        "unpaired": pairs.unpaired,
        "trained_beside": pairs.beside,
        "core_share": pairs.share,
        "contexts": pairs.values_NC2.shape[1],
        "censored_a": pairs.censored[0],
        "censored_b": pairs.censored[1],
        "ratio": measure.ratio,
        "margin": measure.margin,
        "family": family,
        "refused": pairs.refused,
        **dict.fromkeys(("a_mean", "b_mean", "effect", "low", "high", "interval", "p")),
        **dict.fromkeys(("p_adjusted", "detectable", "verdict", "more_seeds")),
        "why": "",
    }
    if pairs.refused:
        return row
    apart = pairs.differences
    interval = inference.mean_interval(apart)
    verdict = _verdict(pairs, apart, adjusted, family)
    spread = float(apart.std(ddof=1)) if len(apart) > 1 else 0.0
    return row | {
        "a_mean": float(pairs.values_NC2[..., 0].mean()),
        "b_mean": float(pairs.values_NC2[..., 1].mean()),
        "effect": interval.estimate,
        "low": _finite(interval.low),
        "high": _finite(interval.high),
        "interval": interval.kind,
        "p": p,
        "p_adjusted": adjusted,
        "detectable": _finite(inference.detectable(spread, len(apart), inference.ALPHA / family)),
        "verdict": verdict.word,
        "more_seeds": verdict.more,
        "why": verdict.why,
    }


def _verdict(pairs: Pairs, apart: Values, adjusted: float, family: int) -> inference.Verdict:
    lost = pairs.censored if pairs.measure.key.endswith("to_target") else (0, 0)
    if min(lost) == pairs.values_NC2[..., 0].size:
        return inference.Verdict("undecided", None, NEITHER)
    better = apart if pairs.measure.higher else -apart
    interval = inference.mean_interval(better)
    found = inference.verdict(better, interval, adjusted, pairs.measure.margin, family)
    if found.word == "tie" and max(lost):
        # two that both stopped at the budget's end look alike, however far they had to go
        return inference.Verdict("undecided", None, NOT_ALL)
    return found


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def compare_variants(
    records: Iterable[Record], suite: Mapping[str, Any], a: str, b: str
) -> list[ComparisonRow]:
    """Two variants by their names, in every task and setting that has both: a row a measure.

    A name may be that of a table or the difference from the suite's base. ComparisonError where
    no setting has both.
    """
    found: list[Pairs] = []
    seen: dict[str, list[str]] = {a: [], b: []}
    known: set[str] = set()
    for (task, setting), group in grouped(records).items():
        # both names by one convention, or `base` of the one may be what the other calls by name
        for base in (naming.shared_base([r.variant for r in group], suite), suite):
            named = by_variant(list(group), base)
            known |= set(named)
            for name in (a, b):
                if name in named:
                    seen[name].append(f"{task} ({setting})")
            if a in named and b in named:
                head = {"task": task, "setting": setting, "a": a, "b": b}
                found += all_measures(
                    head, MeasureReader(group), [by_seed(named[a])], [by_seed(named[b])]
                )
                break
    if found:
        return judged(found)
    for name, where in seen.items():
        if not where:
            raise ComparisonError(
                f"no finished run is of the variant {name}; there are {_some(sorted(known))}"
            )
    raise ComparisonError(
        f"{a} and {b} have no task and setting in common: {a} has {_some(sorted({*seen[a]}))}, {b} "
        f"has {_some(sorted({*seen[b]}))}; run both alike"
    )


def all_measures(
    head: Mapping[str, str],
    reader: MeasureReader,
    one: Sequence[Side],
    other: Sequence[Side],
    only: Sequence[str] = (),
) -> list[Pairs]:
    """Every measure of two variants of one table. only: these, if any is named."""
    return [
        paired(head, measure, reader, one, other)
        for measure in measures(reader.metric)
        if not only or measure.key in only
    ]


def by_seed(records: Iterable[Record]) -> Side:
    """The last begun of each."""
    ordered = sorted(records, key=lambda record: float(record.measured.get("began", 0.0)))
    return {record.seed: record for record in ordered}


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return "; ".join(names[:8]) + more
