"""Writes a guard's verdicts as tables of text, one for each kind of row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from results.guard.verdict import FAIL, UNSURE, GuardRow
from results.tables.text import Texts, TextTable

HEADINGS = {
    "timed": "time, against the reference",
    "exact": "counts, against the baseline",
    "quality": "quality, against the reference",
}
"""Headings of the tables, by kind."""
REGRESSIONS = ("slower", "more", "worse")
"""Verdicts that are worse than before; other changes fail too, as the baseline does not fit."""


def guard_summary(rows: Sequence[GuardRow]) -> str:
    """Return the verdict on everything: `fine`, `regression: 2 slower`, `cannot tell: 1 of 8`."""
    failing = Counter(row["verdict"] for row in rows if row["verdict"] in FAIL)
    if failing:
        counts = ", ".join(f"{count} {verdict}" for verdict, count in failing.most_common())
        kind = "regression" if failing.keys() & set(REGRESSIONS) else "changed"
        return f"{kind}: {counts}"
    unsure = sum(row["verdict"] in UNSURE for row in rows)
    if unsure:
        return f"cannot tell: {unsure} of {len(rows)}"
    return f"fine: {len(rows)} guarded" if rows else "cannot tell: nothing was guarded"


def guard_tables(rows: Sequence[GuardRow]) -> list[TextTable]:
    """Return a table for each kind that has rows. Subjects that did not change are only counted."""
    tables = []
    for kind, heading in HEADINGS.items():
        of_kind = [row for row in rows if row["kind"] == kind]
        if of_kind:
            lines = [guard_line(row) for row in of_kind if row["verdict"] != "same"]
            same = len(of_kind) - len(lines)
            counted = [f"{same:,} the same"] if same else []
            tables.append(TextTable(heading, lines, counted + guard_notes(of_kind)))
    return tables


def guard_line(row: GuardRow) -> Texts:
    """Return a row as texts by column title."""
    if row["kind"] == "timed":
        return _timed_line(row)
    if row["kind"] == "exact":
        return {
            "subject": row["subject"],
            "verdict": row["verdict"],
            "count": row["count"],
            "baseline": "" if row["before"] is None else f"{row['before']:,}",
            "now": "" if row["now"] is None else f"{row['now']:,}",
        }
    return {
        "subject": row["subject"],
        "verdict": row["verdict"],
        "measure": row["measure"],
        "effect": row.get("effect", ""),
        "seeds": str(row.get("pairs", "")),
        "p": _three_decimals(row.get("p")),
        "why": row["why"],
    }


def _timed_line(row: GuardRow) -> Texts:
    changed = [
        f"{name} {before:,} → {now:,}"
        for name, (before, now) in row.get("counts", {}).items()
        if before is not None and now is not None
    ]
    return {
        "subject": row["subject"],
        "verdict": row["verdict"],
        "ratio": _three_decimals(row["ratio"]),
        "interval": "" if row["low"] is None else f"{row['low']:.3f}-{row['high']:.3f}",
        "itself": _three_decimals(row.get("again_ratio")),
        "planted": _three_decimals(row.get("planted_ratio")),
        "rounds": "+".join(map(str, row["rounds"])),
        "counts that differ": ", ".join(changed),
        "why": row.get("why", ""),
    }


def _three_decimals(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def guard_notes(rows: Sequence[GuardRow]) -> list[str]:
    """Return the remarks below the rows of one kind: how far the guard can be trusted."""
    proven = [row for row in rows if "trials" in row]
    if not proven:
        return []
    trials = sum(row["trials"] for row in proven)
    alarms = sum(row["false_alarms"] for row in proven)
    missed = sum(row["missed"] for row in proven)
    notes = [
        f"its own proof: {alarms} of {trials} comparisons of the reference with itself raised an "
        f"alarm, {missed} of {trials} planted slow-downs of 10 % were missed",
    ]
    if any(row["verdict"] in UNSURE for row in proven):
        notes.append("cannot tell: too noisy here, or too short; --minutes gives it more time")
    return notes
