"""Summarises the runs of a task: one row per variant, over its seeds."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from results import naming
from results.grouping import by_variant, core_share, grouped, signature, test_score
from results.record import Record

SummaryRow = dict[str, Any]


def summarise(records: Iterable[Record], suite: Mapping[str, Any]) -> list[SummaryRow]:
    """One row a task, budget and variant: plain numbers over its seeds, best first in a task.

    suite: the suite's base variant. Every run counts: one that never reached the target is
    later than any that did (`*_to_target` is the median over all, null if that is never), and
    one that diverged or failed has no score, which `runs_without_score` says and which ranks a
    row below those where every run has one. A run that reached the target and diverged later
    counts as both.
    """
    rows = []
    for (task, setting), group in grouped(records).items():
        rows += _table(task, setting, group, suite)
    return rows


def _table(
    task: str, group: str, records: list[Record], suite: Mapping[str, Any]
) -> list[SummaryRow]:
    base = naming.shared_base([record.variant for record in records], suite)
    variants = by_variant(records, base)
    common = naming.name(base, suite)
    # a variant that only failed has no metric of its own
    metric = next((r.outcome["metric"] for r in records if "metric" in r.outcome), "score")
    rows = [_row(task, group, common, name, metric, runs) for name, runs in variants.items()]
    return sorted(rows, key=_rank)


def _row(
    task: str, group: str, common: str, name: str, metric: str, records: list[Record]
) -> SummaryRow:
    outcomes = [record.outcome for record in records]
    scores = [s for o in outcomes if (s := test_score(o)) is not None]
    tokens = [o["to_target"]["tokens"] if o.get("to_target") else math.inf for o in outcomes]
    seconds = [_or_never(record.measured.get("seconds_to_target")) for record in records]
    unreached = [o for o in outcomes if o.get("to_target") is None]
    # how far the target is beyond, at least: but a run that broke off says nothing of it
    whole = all(o["status"] == "finished" for o in unreached)
    spent = min((o["tokens"] for o in unreached), default=0) if whole else 0
    return {
        "task": task,
        "setting": group,
        "common": common,
        "variant": name,
        "seeds": len(records),
        "solved": sum(o.get("to_target") is not None for o in outcomes),
        "metric": metric,
        "memorisation": any(o.get("memorisation") for o in outcomes),
        "score_mean": statistics.fmean(scores) if scores else None,
        "score_sd": _deviation(scores) if len(scores) > 1 else None,
        "other_scores_mean": _others(outcomes, metric),
        "runs_without_score": len(records) - len(scores),
        "tokens_to_target": _median_or_none(tokens),
        "seconds_to_target": _median_or_none(seconds),
        "tokens_spent_in_vain": spent,
        "tokens_per_second": _median(records, "tokens_per_second"),
        "peak_bytes": _median(records, "peak_bytes"),
        "parameters": next((o["parameters"] for o in outcomes if "parameters" in o), None),
        "trained_beside": max(int(record.measured.get("beside", 0)) for record in records),
        "core_share": core_share(records),
        "hosts": sorted({str(r.measured["host"]) for r in records if "host" in r.measured}),
        "status": dict(Counter(record.status for record in records)),
        "findings": dict(Counter(cause for o in outcomes for cause in o.get("findings", ()))),
        "examined": sum("findings" in o for o in outcomes),
        "signature": next((signed for o in outcomes if (signed := signature(o))), None),
        "runs": [record.id for record in sorted(records, key=lambda record: record.seed)],
    }


def _deviation(values: Sequence[float]) -> float:
    """As statistics.stdev, which goes by fractions and takes ten times as long."""
    mean = statistics.fmean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _others(outcomes: Sequence[Mapping[str, Any]], metric: str) -> dict[str, float]:
    """Means of the other scores: of test by their name, of further splits as `split metric`."""
    values: dict[str, list[float]] = {}
    for outcome in outcomes:
        for split, scores in outcome.get("scores", {}).items():
            for name, value in scores.items():
                if split == "test" and name != metric:
                    values.setdefault(name, []).append(value)
                elif split != "test" and name == metric:
                    values.setdefault(f"{split} {name}", []).append(value)
    return {name: statistics.fmean(found) for name, found in values.items()}


def _or_never(value: float | None) -> float:
    return math.inf if value is None else value


def _median_or_none(values: Sequence[float]) -> float | None:
    """The median with never as infinity; None if it is never, which it is if the upper of two
    middle ones is."""
    median = statistics.median(values)
    return None if math.isinf(median) or math.isnan(median) else median


def _median(records: Sequence[Record], key: str) -> float | None:
    values = [record.measured[key] for record in records if record.measured.get(key) is not None]
    return statistics.median(values) if values else None


def _rank(row: SummaryRow) -> tuple[bool, float, float, str]:
    """Best first: rows whose every run has a score, then score, tokens to target, name."""
    score = -math.inf if row["score_mean"] is None else row["score_mean"]
    partial = row["runs_without_score"] > 0
    return partial, -score, _or_never(row["tokens_to_target"]), row["variant"]
