"""Shortens long tables: rows that say the same are counted, what tells rows apart leads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from results import metrics
from results.summary import SummaryRow
from results.tables.text import Texts

SHOWN_OF_EQUAL = 5
"""Rows with the same result that are shown, the best of them; the others are counted."""
FEWEST_FOLDED = 3
"""Rows that are worth a line which says how many there are."""


class Folded(NamedTuple):
    """Rows with one result that follow each other: some to show, the others to count."""

    shown: list[SummaryRow]
    hidden: list[SummaryRow]


def folded(rows: Sequence[SummaryRow]) -> list[Folded]:
    """Return the rows of one table in groups of equal result, best first.

    Equal are rows with the same score, as written, and the same share solved. The base is always
    shown, and so is every row with something broken or found.
    """
    groups: list[list[SummaryRow]] = []
    for row in rows:
        if groups and _result(groups[-1][0]) == _result(row):
            groups[-1].append(row)
        else:
            groups.append([row])
    return [_fold(group) for group in groups]


def _result(row: SummaryRow) -> tuple[str, int, int]:
    return score_text(row), row["solved"], row["seeds"]


def _fold(group: list[SummaryRow]) -> Folded:
    kept = [
        row
        for place, row in enumerate(group)
        if place < SHOWN_OF_EQUAL or row["variant"] == "base" or _stands_out(row)
    ]
    if len(group) - len(kept) < FEWEST_FOLDED:
        return Folded(group, [])
    return Folded(kept, [row for row in group if row not in kept])


def _stands_out(row: SummaryRow) -> bool:
    return bool(row["findings"]) or bool({"failed", "diverged"} & set(row["status"]))


def fold_line(hidden: Sequence[SummaryRow]) -> Texts:
    """Return the line that stands for rows that are not shown."""
    first = hidden[0]
    solved = "all solved" if first["solved"] == first["seeds"] else "solved"
    line = {"variant": f"({len(hidden)} more, {solved} {first['solved']}/{first['seeds']}: --all)"}
    line[metrics.score(first["metric"]).title] = score_text(first)
    reached = [row["tokens_to_target"] for row in hidden]
    known = [tokens for tokens in reached if tokens is not None]
    if len(known) == len(reached):
        write = metrics.COSTS["tokens_to_target"].write
        low, high = write(min(known)), write(max(known))
        line[metrics.COSTS["tokens_to_target"].title] = low if low == high else f"{low}–{high}"
    return line


def telling_first(lines: Sequence[Texts], score: str) -> list[Texts]:
    """Return lines with the tokens to the target before a score that is the same in most of them.

    score: the title of the score's column.
    """
    tokens = metrics.COSTS["tokens_to_target"].title
    if _most_alike(lines, tokens) or not _most_alike(lines, score):
        return list(lines)
    return [_moved(line, tokens, score) for line in lines]


def _most_alike(lines: Sequence[Texts], title: str) -> bool:
    """Return whether more than half of the lines have one text in a column."""
    ((_, count),) = Counter(line.get(title, "") for line in lines).most_common(1)
    return count > len(lines) / 2


def _moved(line: Texts, title: str, before: str) -> Texts:
    """Return a line with the column of this title moved before another."""
    moved: Texts = {}
    for known, text in line.items():
        if known == before:
            moved[title] = line[title]
        if known != title:
            moved[known] = text
    return moved


def score_text(row: SummaryRow) -> str:
    """Write the mean score and its deviation; runs without a score count as the worst one."""
    if row["score_mean"] is None or row["runs_without_score"] == row["seeds"]:
        return "none"
    write = metrics.score(row["metric"]).write
    text = write(row["score_mean"])
    if row["score_sd"] is not None:
        text += f" ±{write(row['score_sd']).lstrip('0') or '0'}"
    return text
