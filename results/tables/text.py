"""Defines a table of text, and chooses the columns that fit a width."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from rich.cells import cell_len

Texts = dict[str, str]
"""A line of a table: texts by the titles of their columns, the most important first."""
GAP = 3
"""Characters between two columns."""
NAME_WIDTH = 28
"""Characters that the first column keeps, even where other columns do not fit."""

RowT = TypeVar("RowT")
KeyT = TypeVar("KeyT", bound=Hashable)


class TextTable(NamedTuple):
    """Holds a table before it is printed or exported."""

    heading: str
    lines: list[Texts]
    notes: list[str]


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
    """Return the first column's title and those that fit next to it, in order of importance."""
    first, *others = used_titles(lines)
    room = width - min(_width(first, lines), NAME_WIDTH)
    kept = [first]
    # stop at the first that does not fit: a less important one must not take its place
    for title in others:
        room -= _width(title, lines) + GAP
        if room < 0:
            break
        kept.append(title)
    return kept


def _width(title: str, lines: Sequence[Texts]) -> int:
    """Return the width of a column in terminal cells, of which a Chinese character takes two."""
    return max(cell_len(title), *(cell_len(line.get(title, "")) for line in lines))
