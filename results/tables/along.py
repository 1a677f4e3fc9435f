"""Writes a comparison along curves as a table of text: a line for each evaluation, or for some."""

from __future__ import annotations

from collections.abc import Sequence

from results.compare.along import AlongRow
from results.compare.measures import measure
from results.compare.stretches import cost_text, turns
from results.tables.comparison_notes import rising_notes, rising_text
from results.tables.comparisons import TitledTable, against
from results.tables.summaries import timing_notes
from results.tables.text import Texts, TextTable, grouped_rows

MOST_LINES = 12
"""Evaluations that a table shows, but for those between which the order turns."""


def along_tables(rows: Sequence[AlongRow]) -> list[tuple[list[AlongRow], TitledTable]]:
    """Return for each task and setting its rows, and the table of some of them."""
    groups = grouped_rows(((row["task"], row["setting"]), row) for row in rows)
    return [(group, along_table(group)) for group in groups.values()]


def along_table(rows: Sequence[AlongRow]) -> TitledTable:
    """Return the table of one task and setting; it is empty if curves were not compared."""
    first = rows[0]
    title = against(first["a"], first["b"], first.get("base", ""))
    heading = f"{first['task']}  ({first['setting']})"
    if first["refused"]:
        return TitledTable(title, TextTable(heading, [], []))
    places = _picked([row["ahead"] for row in rows])
    lines = [_line(rows[place]) for place in places]
    return TitledTable(title, TextTable(heading, lines, _notes(rows, len(lines))))


def _picked(leaders: Sequence[str]) -> list[int]:
    """Return places evenly spread, the first and the last, and those where the order turns."""
    count = len(leaders)
    most = min(count, MOST_LINES)
    even = {place * (count - 1) // max(most - 1, 1) for place in range(most)}
    return sorted(even | {place for turn in turns(leaders) for place in turn})


def _line(row: AlongRow) -> Texts:
    known = measure(row["measure"])
    low, high, at = row["low"], row["high"], row["at"]
    band = "" if low is None or high is None else f"{known.write(low)} to {known.write(high)}"
    means = [known.write_value(mean or 0.0) for mean in (row["a_mean"], row["b_mean"])]
    return {
        row["along"]: cost_text(at or 0.0, row["along"]),
        "a": means[0],
        "b": means[1],
        "effect": known.write(row["effect"] or 0.0),
        "95% band": band,
        "ahead": row["ahead"],
    }


def _notes(rows: Sequence[AlongRow], shown: int) -> list[str]:
    first = rows[0]
    sides = [(first["a"], first["rising_a"], first["runs_a"])]
    sides.append((first["b"], first["rising_b"], first["runs_b"]))
    notes = [first["tuned"]] if "tuned" in first else []
    notes += rising_notes([rising_text(*side) for side in sides if side[1]])
    notes.append(f"{measure(first['measure']).title} on valid, {_runs(first)}")
    if shown < len(rows):
        notes[-1] += f", {shown} of {len(rows)} evaluations (--json has all)"
    if first["along"] != "steps":
        notes.append(f"scores at equal {first['along']}, on straight lines between evaluations")
    return notes + timing_notes(first["trained_beside"], [first["core_share"]])


def _runs(row: AlongRow) -> str:
    """Say which runs were compared, and how many seeds were left out."""
    if not row["paired"]:
        return f"{row['runs_a']} and {row['runs_b']} runs without a common seed"
    left = f" ({row['unpaired']} that only one side has are left out)" if row["unpaired"] else ""
    return f"{row['runs_a']} seeds in pairs{left}"
