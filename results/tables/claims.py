"""Writes claims and their verdicts as tables of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean

from results.compare.claims import ClaimRow
from results.compare.measures import measure
from results.compare.stretches import BAND
from results.grouping import counted_score
from results.record import Record, deciding_metric
from results.stats.flattening import RISING, UNCLEAR, trend_of
from results.tables.comparison_notes import RISING_AT_END, duration_text, more_seeds_note
from results.tables.effects import (
    effect_text,
    interval_text,
    is_large,
    p_text,
    seeds_text,
    verdict_text,
)
from results.tables.text import Texts, TextTable, grouped_rows
from results.tuning import chosen_text

NOT_RUN = "not run yet"
"""Said of a claim or a comparison without runs."""
OPEN_CLAIM = "not significant yet"
"""Said of a claim with a comparison that its seeds do not settle."""
EACH_TUNED = ", each side tuned"
"""Follows a verdict where validation chose values for both sides."""
WHO_IS_AHEAD = "who is ahead when"
"""Title of the column that says what the curves show."""
MORE_OF_CLAIM = "; bench claims run CLAIM --seeds N adds them"
"""Says how seeds are added to a claim."""


def claims_table(heading: str, rows: Sequence[ClaimRow]) -> TextTable:
    """Return a table with a line for each comparison; those of one claim stand together."""
    return TextTable(heading, [_line(row) for row in rows], _notes(rows))


def along_table(rows: Sequence[ClaimRow]) -> TextTable | None:
    """Return a table of who is ahead at which steps; None where no curves tell."""
    lines: list[Texts] = [
        {"claim": f"{row['claim']}: {row['says']}", WHO_IS_AHEAD: row["along"]}
        for row in rows
        if row["along"]
    ]
    notes = [
        f"by the score on validation at each evaluation ({BAND}); verdicts are of each run's best "
        "weights, on test"
    ]
    return TextTable("along the curves", lines, notes) if lines else None


def _line(row: ClaimRow) -> Texts:
    line = {"claim": f"{row['claim']}: {row['says']}", "verdict": claim_verdict_text(row)}
    if row["refused"]:
        return line | {"effect": row["refused"] if row["runs"] else ""}
    effect = effect_text(row)
    if row["near"] is not None and row["a_mean"] is not None:
        effect += f" (a {measure(row['measure']).write_value(row['a_mean'])})"
    return line | {
        "effect": effect,
        "95% interval": interval_text(row),
        "seeds": str(row["pairs"]),
        "p": p_text(row),
    }


def claim_verdict_text(row: ClaimRow) -> str:
    """Return the verdict on a claim: `reproduced`, or why the runs do not settle it.

    For example `not significant yet (about 3 more seeds)`.
    """
    if row["word"] != "undecided":
        return row["word"] + EACH_TUNED * is_tuned(row)
    if row["verdict"] is None:
        return "not compared" if row["runs"] else NOT_RUN
    return verdict_text(row) + EACH_TUNED * is_tuned(row)


def is_tuned(row: ClaimRow) -> bool:
    """Return whether validation chose values for both sides."""
    return row.get("tuned", "").startswith("both")


def verdict_counts(rows: Sequence[ClaimRow]) -> str:
    """Return how many claims have each verdict: `3 claims: 2 reproduced, 1 not run yet`."""
    counts = Counter({row["claim"]: _whole_text(row) for row in rows}.values())
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    return f"{counts.total()} claim{'s' * (counts.total() != 1)}: {verdicts}"


def _whole_text(row: ClaimRow) -> str:
    """Return the verdict on the whole claim that a comparison belongs to."""
    if row["verdict_of_claim"] != "undecided":
        return row["verdict_of_claim"]
    return OPEN_CLAIM if row["runs"] else NOT_RUN


def _notes(rows: Sequence[ClaimRow]) -> list[str]:
    """Count the verdicts of whole claims, say what would decide more, and name the measures."""
    names = {row["measure"] for row in rows if row["pairs"]}
    titles = ", ".join(sorted(measure(name).title for name in names))
    notes = [verdict_counts(rows), *_rising_note(rows), *_decide_notes(rows), *_tuned_notes(rows)]
    notes += more_seeds_note(rows, MORE_OF_CLAIM)
    return [*notes, f"effects on {titles}"] if titles else notes


def _decide_notes(rows: Sequence[ClaimRow]) -> list[str]:
    """Say for each claim with a large open effect which command decides it, and its time."""
    large = (row for row in rows if row["more_seeds"] and is_large(row))
    groups = grouped_rows((row["given"], row) for row in large)
    return [_decide_note(group) for group in groups.values()]


def _decide_note(rows: Sequence[ClaimRow]) -> str:
    widest = max(rows, key=lambda row: row["more_seeds"] or 0)
    more = widest["more_seeds"] or 1
    took = duration_text(more * widest["side_seconds"])
    return (
        f"to decide {widest['claim']}, {seeds_text(more)} of each side, {took} with one worker: "
        f"{widest['decide']}"
    )


def _rising_note(rows: Sequence[ClaimRow]) -> list[str]:
    """Name the claims of which a side still rose when training ended."""
    rising = dict.fromkeys(row["claim"] for row in rows if row["rising_a"] or row["rising_b"])
    return [f"{RISING_AT_END}: {', '.join(rising)}"] if rising else []


def _tuned_notes(rows: Sequence[ClaimRow]) -> list[str]:
    """Say which values were chosen for the sides of each comparison."""
    return [
        f"{row['claim']}, {row['a']} (a) against {row['b']} (b): {row['tuned']}"
        for row in rows
        if "tuned" in row
    ]


def sides_table(sides: Mapping[str, Sequence[Record]]) -> TextTable | None:
    """Return a table of what each side of a claim achieved; None if none was run."""
    lines = [_side_line(side, records) for side, records in sides.items() if records]
    return TextTable("each side", lines, ["found: by bench doctor"]) if lines else None


def _side_line(side: str, records: Sequence[Record]) -> Texts:
    metric = deciding_metric(records)
    known = measure(metric)
    counted = [counted_score(record.outcome, metric) for record in records]
    scores = [score for score in counted if score is not None]
    solved = sum(record.outcome.get("to_target") is not None for record in records)
    return {
        "side": side,
        "loss at the end": _last_loss(records),
        known.title: known.write_value(fmean(scores)) if scores else "none",
        "solved": f"{solved}/{len(records)}",
        "still rising": _rising(records),
        "tuned": chosen_text(records[0]),
        "found": _findings(records),
    }


def _last_loss(records: Sequence[Record]) -> str:
    losses = [curve[-1]["loss"] for r in records if (curve := r.outcome.get("curve"))]
    return "" if not losses or None in losses else f"{fmean(losses):.4f}"


def _rising(records: Sequence[Record]) -> str:
    """Return how many runs still rose when training ended; `cannot tell` if none can be judged."""
    known = [found for record in records if (found := trend_of(record)) not in (None, UNCLEAR)]
    return f"{known.count(RISING)}/{len(records)}" if known else UNCLEAR


def _findings(records: Sequence[Record]) -> str:
    found = Counter(cause for r in records for cause in r.outcome.get("findings", ()))
    examined = sum("findings" in record.outcome for record in records)
    listed = ", ".join(f"{cause} {count}/{examined}" for cause, count in found.items())
    return listed or ("nothing" if examined else "not examined")
