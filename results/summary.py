"""Summarises the runs of each task: one row per variant, over its seeds."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from results import metrics, naming
from results.grouping import (
    Groups,
    by_variant,
    core_share,
    grouped,
    signature,
    test_score,
)
from results.record import Record, deciding_metric
from results.tuning import chosen_text

Outcome = Mapping[str, Any]


class SummaryRow(TypedDict):
    """Summarises the runs of one variant in one table; `bench table --json` prints these rows.

    A value is None where no run has it. Medians and means are taken over seeds.
    """

    task: str
    setting: str
    common: str
    """Name of the table's base variant as a difference from the suite's."""
    variant: str
    seeds: int
    solved: int
    """Number of runs that reached the target."""
    has_target: bool
    """False where the task has no target score, as a corpus of one's own has none."""
    metric: str
    memorisation: bool
    """True if the task tests on its training examples."""
    score_mean: float | None
    score_sd: float | None
    other_scores_mean: dict[str, float]
    runs_without_score: int
    stopped_at_target: int
    """Number of runs that ended at the target, with some of their budget unused."""
    tokens_to_target: float | None
    """Median over all runs; None if the median run never reached the target."""
    seconds_to_target: float | None
    """Of runs of one machine, like tokens_per_second: the one that did most of them."""
    tokens_spent_in_vain: int
    """Fewest tokens that a run used up without reaching the target; 0 if one broke off."""
    tokens_per_second: float | None
    peak_bytes: float | None
    parameters: int | None
    trained_beside: int
    """Largest number of other runs that were trained at the same time."""
    core_share: float | None
    hosts: list[str]
    status: dict[str, int]
    findings: dict[str, int]
    """Number of runs with each cause that the doctor found."""
    examined: int
    """Number of runs that the doctor examined."""
    signature: str | None
    tuned: str
    """Values that tuning chose for the variant, of how many; "" if it was not tuned."""
    runs: list[str]
    """Ids of the runs, by seed."""


@dataclass(frozen=True)
class _Table:
    """Holds what all rows of one table have in common."""

    task: str
    setting: str
    common: str
    metric: str


def summarise(records: Iterable[Record], suite: Mapping[str, Any]) -> list[SummaryRow]:
    """Return one row per task, setting and variant, best first within a table.

    No run is left out. One that never reached the target counts as later than any that did, so
    that `*_to_target` is the median over all runs, and None if that is never. A run that diverged
    or failed has no score and counts as the worst one, as in every comparison;
    `runs_without_score` counts these. A run that reached the target and diverged later is counted
    both as solved and as diverged.

    Args:
        records: runs of any tasks and settings.
        suite: the suite's base variant.
    """
    return summarise_groups(grouped(records), suite)


def summarise_groups(groups: Groups, suite: Mapping[str, Any]) -> list[SummaryRow]:
    """Return what `summarise` does, of runs that are grouped already."""
    rows = []
    for (task, setting), group in groups.items():
        rows += _table_rows(task, setting, group, suite)
    return rows


def _table_rows(
    task: str, setting: str, records: list[Record], suite: Mapping[str, Any]
) -> list[SummaryRow]:
    base = naming.shared_base([record.named for record in records], suite)
    # a variant of which every run failed has no metric of its own
    table = _Table(task, setting, naming.name(base, suite), deciding_metric(records))
    rows = [_row(table, name, runs) for name, runs in by_variant(records, base).items()]
    return sorted(rows, key=_rank)


def _row(table: _Table, variant: str, records: list[Record]) -> SummaryRow:
    outcomes = [record.outcome for record in records]
    own = [test_score(outcome) for outcome in outcomes]
    scores, without = _counted_scores(own, table.metric), own.count(None)
    alike = _of_one_machine(records)
    return {
        "task": table.task,
        "setting": table.setting,
        "common": table.common,
        "variant": variant,
        "seeds": len(records),
        "solved": len(outcomes) - len(_unreached(outcomes)),
        "has_target": _has_target(outcomes),
        "metric": table.metric,
        "memorisation": any(outcome.get("memorisation") for outcome in outcomes),
        "score_mean": statistics.fmean(scores) if scores else None,
        "score_sd": _deviation(scores),
        "other_scores_mean": _other_scores(outcomes, table.metric, without),
        "runs_without_score": without,
        "stopped_at_target": sum(record.stopped_at_target for record in records),
        "tokens_to_target": _median_to_target(map(_tokens_to_target, outcomes)),
        "seconds_to_target": _median_to_target(map(_seconds_to_target, alike)),
        "tokens_spent_in_vain": _spent_in_vain(outcomes),
        "tokens_per_second": _median_measured(alike, "tokens_per_second"),
        "peak_bytes": _median_measured(records, "peak_bytes"),
        "parameters": _first(outcome.get("parameters") for outcome in outcomes),
        "trained_beside": max(record.trained_beside for record in records),
        "core_share": core_share(records),
        "hosts": _hosts(records),
        "status": dict(Counter(record.status for record in records)),
        "findings": _findings(outcomes),
        "examined": sum("findings" in outcome for outcome in outcomes),
        "signature": _first(map(signature, outcomes)),
        "tuned": chosen_text(records[0]),
        "runs": [record.id for record in sorted(records, key=lambda record: record.seed)],
    }


def _counted_scores(own: Sequence[float | None], metric: str) -> list[float]:
    """Return the deciding score of each run, the worst one if it has none, where there is such."""
    worst = metrics.worst(metric)
    counted = (worst if score is None else score for score in own)
    return [score for score in counted if score is not None]


def _has_target(outcomes: Sequence[Outcome]) -> bool:
    """Return whether a run has a target; failed runs do not say, and are taken to have one."""
    return any(outcome.get("solved_at", 1.0) is not None for outcome in outcomes)


def _unreached(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes of runs that did not reach the target."""
    return [outcome for outcome in outcomes if outcome.get("to_target") is None]


def _deviation(scores: Sequence[float]) -> float | None:
    """Return the standard deviation of a sample; None for fewer than two values.

    Like statistics.stdev in floats: ten times faster.
    """
    if len(scores) < 2:
        return None
    mean = statistics.fmean(scores)
    return math.sqrt(math.fsum((score - mean) ** 2 for score in scores) / (len(scores) - 1))


def _other_scores(outcomes: Sequence[Outcome], metric: str, without: int) -> dict[str, float]:
    """Return the means of the scores that do not decide; runs without any count as the worst one.

    These are the other scores on test, by their names, and the deciding score on each further
    split, as `split metric`.
    """
    values: dict[str, list[float]] = {}
    for outcome in outcomes:
        for split, scores in outcome.get("scores", {}).items():
            for name, value in scores.items():
                # on test every other score, elsewhere the deciding one
                if (split == "test") != (name == metric):
                    key = name if split == "test" else f"{split} {name}"
                    values.setdefault(key, []).append(value)
    for name, found in values.items():
        worst = metrics.worst(name.split()[-1])
        found += [] if worst is None else [worst] * without
    return {name: statistics.fmean(found) for name, found in values.items()}


def _tokens_to_target(outcome: Outcome) -> float | None:
    reached = outcome.get("to_target")
    return reached["tokens"] if reached else None


def _seconds_to_target(record: Record) -> float | None:
    seconds: float | None = record.measured.get("seconds_to_target")
    return seconds


def _spent_in_vain(outcomes: Sequence[Outcome]) -> int:
    """Return the tokens after which the target was surely not reached yet.

    A run that broke off says nothing about how far away the target was.
    """
    unreached = _unreached(outcomes)
    # only a run that used up its budget shows that the target was not within it
    if any(outcome["status"] != "finished" for outcome in unreached):
        return 0
    return min((outcome["tokens"] for outcome in unreached), default=0)


def _or_never(value: float | None) -> float:
    return math.inf if value is None else value


def _median_to_target(values: Iterable[float | None]) -> float | None:
    """Return the median, counting None (never) as infinity; None if the median is never.

    With an even number of runs the median is never if the upper of the two middle ones is.
    """
    # the mean of the two middle values is infinite if one of them is
    median = statistics.median(map(_or_never, values))
    return None if math.isinf(median) or math.isnan(median) else median


def _of_one_machine(records: Sequence[Record]) -> Sequence[Record]:
    """Return the runs of the machine that did most of these, as times of several do not mix."""
    hosts = Counter(str(record.measured["host"]) for record in records if "host" in record.measured)
    if len(hosts) < 2:
        return records
    first = min(hosts, key=lambda host: (-hosts[host], host))
    return [record for record in records if record.measured.get("host") == first]


def _median_measured(records: Sequence[Record], key: str) -> float | None:
    values = [record.measured[key] for record in records if record.measured.get(key) is not None]
    return statistics.median(values) if values else None


def _first(values: Iterable[Any]) -> Any:
    """Return the first value that is not None, if there is one."""
    return next((value for value in values if value is not None), None)


def _hosts(records: Sequence[Record]) -> list[str]:
    return sorted({str(r.measured["host"]) for r in records if "host" in r.measured})


def _findings(outcomes: Sequence[Outcome]) -> dict[str, int]:
    return dict(Counter(cause for outcome in outcomes for cause in outcome.get("findings", ())))


def _rank(row: SummaryRow) -> tuple[float, float, str]:
    """Return a sorting key: the best score first."""
    mean, higher = row["score_mean"], metrics.score(row["metric"]).higher
    better = -math.inf if mean is None else mean if higher else -mean
    return -better, _or_never(row["tokens_to_target"]), row["variant"]
