"""Tables: the runs of a task, one row a variant, best first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from results import metrics
from results.summary import SummaryRow

WHOLE_CORE = 0.9
"""A run that had less of a core than this was slowed down."""


def timing_notes(beside: int, shares: Iterable[float | None]) -> list[str]:
    """What makes seconds and tokens/s rough."""
    said = [f"timed with up to {beside} other run{'s' * (beside > 1)} beside"] if beside else []
    least = min((share for share in shares if share is not None), default=1.0)
    if least < WHOLE_CORE:
        said.append(f"timed with as little as {least:.0%} of a core, as other programs ran too")
    return said


def cells(row: SummaryRow) -> dict[str, str]:
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


def notes(rows: Sequence[SummaryRow]) -> list[str]:
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


def heading(row: SummaryRow) -> str:
    """Task and setting, over its rows."""
    mark = ", memorised: test = train" if row["memorisation"] else ""
    return f"{row['task']}  ({row['setting']}{mark})"


def by_table(rows: Sequence[SummaryRow]) -> dict[tuple[str, str], list[SummaryRow]]:
    """Rows of each task and setting, in order."""
    groups: dict[tuple[str, str], list[SummaryRow]] = {}
    for row in rows:
        groups.setdefault((row["task"], row["setting"]), []).append(row)
    return groups


def _metric(name: str) -> metrics.Metric:
    """Of `chrf`, or of `longer exact_match`, a further split's."""
    return metrics.score(name.split()[-1])


def _title(name: str) -> str:
    return " ".join([*name.split()[:-1], _metric(name).title])


def _to_target(row: SummaryRow, key: str) -> str:
    """The median, or that it is beyond what was spent."""
    if row[key] is not None:
        return metrics.short(row[key])
    if key == "tokens_to_target" and row["tokens_spent_in_vain"]:
        return f"> {metrics.short(row['tokens_spent_in_vain'])}"
    return "never"
