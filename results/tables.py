"""Tables: the runs of a task, one row a variant, best first."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from results import metrics, naming
from results.record import Record

Row = dict[str, Any]
LIMITS = ("steps", "tokens", "seconds")
UNSEEN = ("torch", "data", "execution", "numerics", "host")
"""Of a spec: what a setting does not name unless runs differ in it."""


def summarise(records: Iterable[Record], suite: Mapping[str, Any]) -> list[Row]:
    """One row a task, budget and variant: plain numbers over its seeds, best first in a task.

    suite: the suite's base variant. Every run counts: one that never reached the target is
    later than any that did (`*_to_target` is the median over all, null if that is never), and
    one that diverged or failed has no score, which `runs_without_score` says.
    """
    rows = []
    for (task, setting), group in grouped(records).items():
        rows += _table(task, setting, group, suite)
    return rows


def grouped(records: Iterable[Record]) -> dict[tuple[str, str], list[Record]]:
    """Runs that may be compared, by task and setting, in order.

    Runs that read alike but differ in what a run's id holds beyond variant and seed (torch's
    version, the data, ...) are kept apart too, and then the setting says in what.
    """
    alike: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        alike.setdefault((record.task, group_text(record)), []).append(record)
    found: dict[tuple[str, str], list[Record]] = {}
    for (task, setting), group in alike.items():
        unlike = [key for key in UNSEEN if len({repr(r.spec.get(key)) for r in group}) > 1]
        for record in group:
            said = [f"{key} {record.spec.get(key)}" for key in unlike]
            found.setdefault((task, ", ".join([setting, *said])), []).append(record)
    return dict(sorted(found.items()))


def group_text(record: Record) -> str:
    """What must be alike for runs to stand in one table: budget, device, and how they scored."""
    budget = record.spec["budget"]
    limit = next(f"{_exactly(budget[k])} {k}" for k in LIMITS if budget[k])
    parts = [limit, f"batch {budget['batch']}", str(record.spec["device"])]
    parts += [f"evaluated every {budget['every']}"] if budget["every"] else []
    parts += ["no early stop"] if budget["stop"] != "solved" else []
    parts += [str(record.spec[key]) for key in ("fault", "plugin") if record.spec[key]]
    if record.spec["decoding"] != "greedy":
        parts.append(str(record.spec["decoding"]))
    return ", ".join(parts)


def _exactly(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _table(task: str, group: str, records: list[Record], suite: Mapping[str, Any]) -> list[Row]:
    base = naming.shared_base([record.variant for record in records], suite)
    variants: dict[str, list[Record]] = {}
    for record in records:
        variants.setdefault(naming.name(record.variant, base), []).append(record)
    common = naming.name(base, suite)
    # a variant that only failed has no metric of its own
    metric = next((r.outcome["metric"] for r in records if "metric" in r.outcome), "score")
    rows = [_row(task, group, common, name, metric, runs) for name, runs in variants.items()]
    return sorted(rows, key=_rank)


def _row(task: str, group: str, common: str, name: str, metric: str, records: list[Record]) -> Row:
    outcomes = [record.outcome for record in records]
    scores = [s for o in outcomes if (s := test_score(o)) is not None]
    tokens = [o["to_target"]["tokens"] if o.get("to_target") else math.inf for o in outcomes]
    seconds = [_or_never(record.measured.get("seconds_to_target")) for record in records]
    spent = [record.outcome.get("tokens", 0) for record in records]
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
        "score_sd": statistics.stdev(scores) if len(scores) > 1 else None,
        "other_scores_mean": _others(outcomes, metric),
        "runs_without_score": len(records) - len(scores),
        "tokens_to_target": _median_or_none(tokens),
        "seconds_to_target": _median_or_none(seconds),
        "tokens_spent": max(spent),
        "tokens_per_second": _median(records, "tokens_per_second"),
        "peak_bytes": _median(records, "peak_bytes"),
        "parameters": next((o["parameters"] for o in outcomes if "parameters" in o), None),
        "trained_beside": max(int(record.measured.get("beside", 0)) for record in records),
        "hosts": sorted({str(r.measured["host"]) for r in records if "host" in r.measured}),
        "status": dict(Counter(record.status for record in records)),
        "signature": next(
            (o["signatures"].get(metric) for o in outcomes if "signatures" in o), None
        ),
        "runs": [record.id for record in sorted(records, key=lambda record: record.seed)],
    }


def test_score(outcome: Mapping[str, Any]) -> float | None:
    """The test score that decides; None if the run has none."""
    score = outcome.get("scores", {}).get("test", {}).get(outcome.get("metric"))
    return None if score is None else float(score)


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
    """The median with never as infinity; None if it is never.

    Of an even number the upper of the two middle ones, where the lower alone was reached.
    """
    median = statistics.median(values)
    return None if math.isinf(median) or math.isnan(median) else median


def _median(records: Sequence[Record], key: str) -> float | None:
    values = [record.measured[key] for record in records if record.measured.get(key) is not None]
    return statistics.median(values) if values else None


def _rank(row: Row) -> tuple[float, float, str]:
    """Best first: score, then tokens to target, then name."""
    score = -math.inf if row["score_mean"] is None else row["score_mean"]
    return -score, _or_never(row["tokens_to_target"]), row["variant"]


def cells(row: Row) -> dict[str, str]:
    """A row as texts, by column title; the order is the order of importance."""
    score = metrics.score(row["metric"])
    written = "none"
    if row["score_mean"] is not None:
        written = score.write(row["score_mean"])
        if row["score_sd"] is not None:
            written += f" ±{score.write(row['score_sd']).lstrip('0') or '0'}"
    odd = {k: n for k, n in row["status"].items() if k in ("diverged", "failed")}
    cost = metrics.COSTS
    return {
        "variant": row["variant"],
        score.title: written,
        "solved": f"{row['solved']}/{row['seeds']}",
        "status": ", ".join(f"{n} {status}" for status, n in odd.items()),
        "tokens to target": _to_target(row, "tokens_to_target"),
        "s to target": _to_target(row, "seconds_to_target"),
        "tokens/s": _written(cost["tokens_per_second"], row["tokens_per_second"]),
        "parameters": _written(cost["parameters"], row["parameters"]),
        "peak MiB": _written(cost["peak_bytes"], row["peak_bytes"]),
        **{
            name.replace("_", " "): metrics.score(name.split()[-1]).write(value)
            for name, value in row["other_scores_mean"].items()
        },
    }


def _to_target(row: Row, key: str) -> str:
    """The median, or that it is beyond what was spent."""
    if row[key] is not None:
        return metrics.short(row[key])
    if key == "tokens_to_target" and row["tokens_spent"]:
        return f"> {metrics.short(row['tokens_spent'])}"
    return "never"


def _written(metric: metrics.Metric, value: float | None) -> str:
    return "" if value is None else metric.write(value)
