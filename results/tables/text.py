"""Defines a table of text, and chooses the columns that fit a width."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from rich.cells import cell_len

Texts = dict[str, str]
"""A line of a table: texts by the titles of their columns, the most important first."""
GAP = 3
"""Characters between two columns."""
NAME_WIDTH = 28
"""Characters that the column of names keeps, even where other columns do not fit."""
LEADING = ("#", "run")
"""Columns before the names: what opens a row."""
WRAPPED = {"verdict": 24, "findings": 24, "who is ahead when": 44}
"""Columns of words that may take several lines, and the characters that they keep."""
MOST_NOTES = 3
"""Lines below a table, unless all notes are asked for."""

RowT = TypeVar("RowT")
KeyT = TypeVar("KeyT", bound=Hashable)


class TextTable(NamedTuple):
    """Holds a table before it is printed or exported."""

    heading: str
    lines: list[Texts]
    notes: list[str]

    def first_notes(self, everything: bool = False) -> list[str]:
        """Return the notes, or as many as may stand below a table and how many there are more."""
        if everything or len(self.notes) <= MOST_NOTES:
            return self.notes
        kept = self.notes[: MOST_NOTES - 1]
        return [*kept, f"{len(self.notes) - len(kept)} more notes: --notes prints them"]


def grouped_rows(rows: Iterable[tuple[KeyT, RowT]]) -> dict[KeyT, list[RowT]]:
    """Group rows by the key that each comes with, in the order of first appearance."""
    groups: dict[KeyT, list[RowT]] = {}
    for key, row in rows:
        groups.setdefault(key, []).append(row)
    return groups


def used_titles(lines: Sequence[Texts]) -> list[str]:
    """Return the titles of columns in which any line has text, in order of importance."""
    known = dict.fromkeys(title for line in lines for title in line)
    return [title for title in known if any(line.get(title) for line in lines)]


def fitting_titles(lines: Sequence[Texts], width: int) -> list[str]:
    """Return the titles that fit: the leading ones, the name's, then others by importance."""
    titles = used_titles(lines)
    name = name_title(titles)
    leading = [title for title in titles if title in LEADING]
    room = width - sum(column_width(title, lines) + GAP for title in leading)
    room -= min(column_width(name, lines), NAME_WIDTH)
    kept = [*leading, name]
    # stop at the first that does not fit: a less important one must not take its place
    for title in titles:
        if title not in kept:
            room -= column_width(title, lines) + GAP
            if room < 0:
                break
            kept.append(title)
    return kept


def name_title(titles: Sequence[str]) -> str:
    """Return the title of the column of names: the first that is not a leading one."""
    return next(title for title in titles if title not in LEADING)


def name_width(lines: Sequence[Texts], kept: Sequence[str], width: int) -> int:
    """Return the width that is left for names beside the other columns that are kept."""
    name = name_title(kept)
    others = sum(column_width(title, lines) + GAP for title in kept if title != name)
    return max(min(column_width(name, lines), width - others), 1)


def broken_at_commas(text: str, width: int) -> str:
    """Return a name on as many lines as it needs, broken after commas or else between words.

    A part that is longer than a line is broken where it must be.
    """
    lines = [""]
    for piece in re.findall(r"[^,\s]+[,\s]*|[,\s]+", text):
        if lines[-1] and cell_len(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def column_width(title: str, lines: Sequence[Texts]) -> int:
    """Return the cells that a column needs, of which a Chinese character takes two."""
    widest = max(cell_len(title), *(cell_len(line.get(title, "")) for line in lines))
    if title not in WRAPPED:
        return widest
    words = [word for line in lines for word in line.get(title, "").split()]
    longest = max(map(cell_len, words), default=0)
    return min(widest, max(WRAPPED[title], longest))
