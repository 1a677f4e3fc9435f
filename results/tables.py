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
WHOLE_CORE = 0.9
"""A run that had less of a core than this was slowed down."""


def summarise(records: Iterable[Record], suite: Mapping[str, Any]) -> list[Row]:
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
        unlike = [key for key in UNSEEN if len({_compared(r, key) for r in group}) > 1]
        signatures = sorted({signed for r in group if (signed := signature(r.outcome))})
        for record in group:
            said = [f"{key} {_compared(record, key)}" for key in unlike]
            if len(signatures) > 1:
                # a run without scores, being failed, goes with the first
                said.append(f"scored by {signature(record.outcome) or signatures[0]}")
            found.setdefault((task, ", ".join([setting, *said])), []).append(record)
    return dict(sorted(found.items()))


def _compared(record: Record, key: str) -> Any:
    """What must be alike. Vectors that a variant starts from belong to it, not to the task."""
    value = record.spec.get(key)
    return value.partition("+")[0] if key == "data" and isinstance(value, str) else value


def signature(outcome: Mapping[str, Any]) -> str | None:
    """How the deciding score was made, where its scorer says so."""
    signed = outcome.get("signatures", {}).get(outcome.get("metric"))
    return None if signed is None else str(signed)


def group_text(record: Record) -> str:
    """What must be alike for runs to stand in one table: budget, device, and how they scored."""
    budget = record.spec["budget"]
    limit = next(f"{_exactly(budget[k])} {k}" for k in LIMITS if budget[k])
    parts = [limit, f"batch {budget['batch']}", str(record.spec["device"])]
    parts += [f"evaluated every {budget['every']}"] if budget["every"] else []
    parts += ["no early stop"] if budget["stop"] != "solved" else []
    parts += [str(record.spec["fault"])] if record.spec["fault"] else []
    if record.spec["decoding"] != "greedy":
        parts.append(str(record.spec["decoding"]))
    return ", ".join(parts)


def budget(setting: str) -> str:
    """What a setting begins with: `800 steps`."""
    return setting.partition(",")[0]


def _exactly(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _table(task: str, group: str, records: list[Record], suite: Mapping[str, Any]) -> list[Row]:
    base = naming.shared_base([record.variant for record in records], suite)
    variants = by_variant(records, base)
    common = naming.name(base, suite)
    # a variant that only failed has no metric of its own
    metric = next((r.outcome["metric"] for r in records if "metric" in r.outcome), "score")
    rows = [_row(task, group, common, name, metric, runs) for name, runs in variants.items()]
    return sorted(rows, key=_rank)


def by_variant(records: list[Record], base: Mapping[str, Any]) -> dict[str, list[Record]]:
    """Runs by their variant's name; where one name is another thing by another plugin or other
    vectors, with what tells them apart."""
    named: dict[str, dict[str, list[Record]]] = {}
    for record in records:
        versions = named.setdefault(naming.name(record.variant, base), {})
        plugin, vectors = record.spec.get("plugin"), record.spec.get("data", "").partition("+")[2]
        said = [f"plugin {plugin}"] * bool(plugin) + [f"vectors {vectors}"] * bool(vectors)
        versions.setdefault(", ".join(said), []).append(record)
    return {
        name if len(versions) == 1 else f"{name} [{said}]": runs
        for name, versions in named.items()
        for said, runs in versions.items()
    }


def _row(task: str, group: str, common: str, name: str, metric: str, records: list[Record]) -> Row:
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


def core_share(records: Iterable[Record]) -> float | None:
    """Of the time of a run, what its process had a core for, at the least; None where no run says.
    What is missing went to other programs, or was waited for."""
    shares = [record.measured.get("core_share") for record in records]
    return min((share for share in shares if share is not None), default=None)


def timing_notes(beside: int, shares: Iterable[float | None]) -> list[str]:
    """What makes seconds and tokens/s rough."""
    said = [f"timed with up to {beside} other run{'s' * (beside > 1)} beside"] if beside else []
    least = min((share for share in shares if share is not None), default=1.0)
    if least < WHOLE_CORE:
        said.append(f"timed with as little as {least:.0%} of a core, as other programs ran too")
    return said


def _deviation(values: Sequence[float]) -> float:
    """As statistics.stdev, which goes by fractions and takes ten times as long."""
    mean = statistics.fmean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


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
    """The median with never as infinity; None if it is never, which it is if the upper of two
    middle ones is."""
    median = statistics.median(values)
    return None if math.isinf(median) or math.isnan(median) else median


def _median(records: Sequence[Record], key: str) -> float | None:
    values = [record.measured[key] for record in records if record.measured.get(key) is not None]
    return statistics.median(values) if values else None


def _rank(row: Row) -> tuple[bool, float, float, str]:
    """Best first: rows whose every run has a score, then score, tokens to target, name."""
    score = -math.inf if row["score_mean"] is None else row["score_mean"]
    partial = row["runs_without_score"] > 0
    return partial, -score, _or_never(row["tokens_to_target"]), row["variant"]


def cells(row: Row) -> dict[str, str]:
    """A row as texts, by column title; the order is the order of importance."""
    score = metrics.score(row["metric"])
    written = "none"
    if row["score_mean"] is not None:
        written = score.write(row["score_mean"])
        if row["score_sd"] is not None:
            written += f" ±{score.write(row['score_sd']).lstrip('0') or '0'}"
        if row["runs_without_score"]:
            written += f" ({row['seeds'] - row['runs_without_score']} of {row['seeds']})"
    odd = {k: n for k, n in row["status"].items() if k in ("diverged", "failed")}
    cost = metrics.COSTS
    return {
        "variant": row["variant"],
        score.title: written,
        "solved": f"{row['solved']}/{row['seeds']}",
        "status": ", ".join(f"{n} {status}" for status, n in odd.items()),
        "findings": ", ".join(
            f"{cause} {n}/{row['examined']}" for cause, n in row["findings"].items()
        ),
        **{
            cost[key].title: _to_target(row, key)
            for key in ("tokens_to_target", "seconds_to_target")
        },
        **{
            cost[key].title: "" if row[key] is None else cost[key].write(row[key])
            for key in ("tokens_per_second", "parameters", "peak_bytes")
        },
        **{_title(name): _metric(name).write(v) for name, v in row["other_scores_mean"].items()},
    }


def notes(rows: Sequence[Row]) -> list[str]:
    """What has to be said below the rows of one task and setting."""
    said = []
    if rows[0]["common"] != "base":
        said.append(f"base here: {rows[0]['common']}")
    beside = max(row["trained_beside"] for row in rows)
    said += timing_notes(beside, (row["core_share"] for row in rows))
    if len({host for row in rows for host in row["hosts"]}) > 1:
        said.append("timed on several machines: seconds and tokens/s do not compare")
    examined, runs = (sum(row[key] for row in rows) for key in ("examined", "seeds"))
    if examined < runs and any(row["findings"] for row in rows):
        said.append(f"findings are of the {examined} of {runs} runs that were examined")
    if rows[0]["signature"]:
        said.append(f"scored by {metrics.score(rows[0]['metric']).title} {rows[0]['signature']}")
    return said


def heading(row: Row) -> str:
    """Task and setting, over its rows."""
    mark = ", memorised: test = train" if row["memorisation"] else ""
    return f"{row['task']}  ({row['setting']}{mark})"


def by_table(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    """Rows of each task and setting, in order."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["task"], row["setting"]), []).append(row)
    return groups


def _metric(name: str) -> metrics.Metric:
    """Of `chrf`, or of `longer exact_match`, a further split's."""
    return metrics.score(name.split()[-1])


def _title(name: str) -> str:
    return " ".join([*name.split()[:-1], _metric(name).title])


def _to_target(row: Row, key: str) -> str:
    """The median, or that it is beyond what was spent."""
    if row[key] is not None:
        return metrics.short(row[key])
    if key == "tokens_to_target" and row["tokens_spent_in_vain"]:
        return f"> {metrics.short(row['tokens_spent_in_vain'])}"
    return "never"
