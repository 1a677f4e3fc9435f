"""Writes both sources of chance in a difference of scores as a table."""

from __future__ import annotations

from collections.abc import Sequence

from results.compare.measures import measure
from results.compare.sentences import TEXT_SCORES, SentencesRow
from results.tables.text import Texts, TextTable

SOURCES = {
    "seeds": "other seeds, on these {examples}",
    "sentences": "these models, on other {examples}",
    "both": "other seeds, on other {examples}",
}
"""Sources of chance, with what an interval holds for that knows of this one."""
NOT_KEPT = "outputs of these runs were not kept (by an older version); --rerun keeps them"
"""Says why sentences are not known."""


def chance_tables(rows: Sequence[SentencesRow]) -> list[TextTable]:
    """Return a table for each difference, a line for each source of chance."""
    return [_table(row) for row in rows]


def _table(row: SentencesRow) -> TextTable:
    known = measure(row["measure"])
    if row["difference"] is None:
        notes = [f"chance in sentences is not known: {NOT_KEPT}"]
        return TextTable(f"{known.title} over sentences", [], notes)
    examples = _examples(row)
    bounds = [row["sentences_low"], row["sentences_high"], row["both_low"], row["both_high"]]
    if row["difference"] == 0 and not any(bounds):
        same = f"{known.title}: both sides are equal on each of {row['sentences']:,} {examples}"
        return TextTable(known.title, [], [same])
    heading = (
        f"{known.title} of a minus b: {known.write(row['difference'])} over "
        f"{row['sentences']:,} {examples} and {row['seeds']} seed{'s' * (row['seeds'] != 1)}"
    )
    lines = [_line(row, source, examples) for source in SOURCES]
    return TextTable(heading, lines, _notes(row, examples))


def _examples(row: SentencesRow) -> str:
    """Return what the examples of a task are called."""
    return "sentences" if row["measure"] in TEXT_SCORES else "examples"


def _line(row: SentencesRow, source: str, examples: str) -> Texts:
    write = measure(row["measure"]).write
    low, high, p = (_value(row, f"{source}_{key}") for key in ("low", "high", "p"))
    unknown = low is None or high is None or p is None
    return {
        "chance in": examples if source == "sentences" else source,
        "95% interval": "one seed" if unknown else f"{write(low or 0)} to {write(high or 0)}",
        "p": "" if p is None or unknown else f"{p:.3f}",
        "holds for": SOURCES[source].format(examples=examples),
    }


def _value(row: SentencesRow, key: str) -> float | None:
    value = dict(row)[key]
    return float(value) if isinstance(value, int | float) else None


def _notes(row: SentencesRow, examples: str) -> list[str]:
    notes = [
        f"{examples}: paired bootstrap, as sacrebleu --paired-bs; both: seeds and {examples} drawn "
        "anew, which is what a claim about the two variants needs"
    ]
    if row["seeds_without_outputs"]:
        notes.append(
            f"{examples} and both leave out {row['seeds_without_outputs']} seeds without outputs"
        )
    return notes
