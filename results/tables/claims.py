"""Writes claims and their verdicts as tables of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean

from results.compare.claims import ClaimRow
from results.compare.measures import measure
from results.grouping import counted_score
from results.record import Record
from results.tables.comparison_notes import more_seeds_note
from results.tables.effects import effect_text, interval_text, p_text
from results.tables.text import Texts, TextTable


def claims_table(heading: str, rows: Sequence[ClaimRow]) -> TextTable:
    """Return a table with a line for each comparison; those of one claim stand together."""
    return TextTable(heading, [_line(row) for row in rows], _notes(rows))


def _line(row: ClaimRow) -> Texts:
    line = {"claim": f"{row['claim']}: {row['says']}", "here": claim_verdict_text(row)}
    if row["refused"]:
        return line | {"effect": "no runs" if not row["pairs"] else row["refused"]}
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
    """Return the verdict on a claim: `reproduced`, or `undecided: 3 more`."""
    more = row["more_seeds"] if row["word"] == "undecided" else None
    return row["word"] + (f": {more} more" if more else "")


def verdict_counts(rows: Sequence[ClaimRow]) -> str:
    """Return how many claims have each verdict: `3 claims: 2 reproduced, 1 undecided`."""
    counts = Counter({row["claim"]: row["verdict_of_claim"] for row in rows}.values())
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    return f"{counts.total()} claims: {verdicts}"


def _notes(rows: Sequence[ClaimRow]) -> list[str]:
    """Count the verdicts of whole claims, and name the measures."""
    names = {row["measure"] for row in rows if row["pairs"]}
    titles = ", ".join(sorted(measure(name).title for name in names))
    notes = [verdict_counts(rows), *more_seeds_note(rows)]
    return [*notes, f"effects on {titles}"] if titles else notes


def sides_table(sides: Mapping[str, Sequence[Record]]) -> TextTable | None:
    """Return a table of what each side of a claim achieved; None if none was run."""
    lines = [_side_line(side, records) for side, records in sides.items() if records]
    return TextTable("each side", lines, ["found: by bench doctor"]) if lines else None


def _side_line(side: str, records: Sequence[Record]) -> Texts:
    metric = next((str(r.outcome["metric"]) for r in records if "metric" in r.outcome), "score")
    known = measure(metric)
    counted = [counted_score(record.outcome, metric) for record in records]
    scores = [score for score in counted if score is not None]
    solved = sum(record.outcome.get("to_target") is not None for record in records)
    return {
        "side": side,
        "loss at the end": _last_loss(records),
        known.title: known.write_value(fmean(scores)) if scores else "none",
        "solved": f"{solved}/{len(records)}",
        "found": _findings(records),
    }


def _last_loss(records: Sequence[Record]) -> str:
    losses = [curve[-1]["loss"] for r in records if (curve := r.outcome.get("curve"))]
    return "" if not losses or None in losses else f"{fmean(losses):.4f}"


def _findings(records: Sequence[Record]) -> str:
    found = Counter(cause for r in records for cause in r.outcome.get("findings", ()))
    examined = sum("findings" in record.outcome for record in records)
    listed = ", ".join(f"{cause} {count}/{examined}" for cause, count in found.items())
    return listed or ("nothing" if examined else "not examined")
