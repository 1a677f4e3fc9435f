"""Prints tables and small curves on a terminal, of 80 columns or more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from results.escapes import plain
from results.tables.text import (
    WRAPPED,
    Texts,
    TextTable,
    broken_at_commas,
    column_width,
    fitting_titles,
    name_title,
    name_width,
    used_titles,
)

LEFT_ALIGNED = ("run", "status", "findings", "verdict", "holds for", "who is ahead when")
"""Columns of words, aligned to the left like the names; all others to the right."""
COMMAND = ": bench "
"""What comes before a command in a note."""
SPARKLINE_BLOCKS = "▁▂▃▄▅▆▇█"
"""Characters of a sparkline, from the lowest value to the highest."""


class SafeConsole(Console):
    """A console that prints texts as they are: brackets are no styles, control characters are seen.

    Whatever is printed passes `render`, tables and their cells too. Strings are made harmless
    before their width is taken.
    """

    def __init__(self, **options: Any) -> None:
        """Make a console; options: those of rich's own."""
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string as a Text, made harmless."""
        return super().render_str(plain(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the segments of what is printed, made harmless."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else plain(text), style, control)


def print_table(table: TextTable, console: Console, all_notes: bool = True) -> None:
    """Print a table; columns that do not fit are left out from the right, and named below.

    Names are broken after commas. all_notes: False for a verb with an option --notes that was not
    given; of more than three notes only the first are printed then.
    """
    kept = fitting_titles(table.lines, console.width)
    dropped = [title for title in used_titles(table.lines) if title not in kept]
    print_broken(table.heading, console, "bold")
    console.print(_grid(table.lines, kept, name_width(table.lines, kept, console.width)))
    notes = list(table.notes)
    if dropped:
        notes.append(f"not shown at {console.width} columns: {', '.join(dropped)}")
    for note in table._replace(notes=notes).first_notes(all_notes):
        if COMMAND in note:  # on one line however long, to be copied
            console.print(Text(note, "dim"), soft_wrap=True)
        else:
            print_broken(note, console, "dim")


def print_broken(text: str, console: Console, style: str = "") -> None:
    """Print a line that names variants: where it is too long it is broken after commas."""
    console.print(Text(broken_at_commas(plain(text), console.width), style))


def _grid(lines: Sequence[Texts], titles: Sequence[str], width: int) -> Table:
    """Return the table of these columns; the one of names takes `width` cells."""
    name = name_title(titles)
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    for title in titles:
        grid.add_column(
            title,
            justify="left" if title in (name, *LEFT_ALIGNED) else "right",
            overflow="fold" if title in (name, *WRAPPED) else "ellipsis",
            no_wrap=title not in (name, *WRAPPED),
            max_width=column_width(title, lines) if title in WRAPPED else None,
        )
    for line in lines:
        texts = {title: plain(text) for title, text in line.items()}
        texts[name] = broken_at_commas(texts[name], width)
        style = "bold" if re.fullmatch(r"base( \(.*\))?", line[name]) else ""
        grid.add_row(*(Text(texts.get(title, "")) for title in titles), style=style)
    return grid


def sparkline(values: Sequence[float | None], low: float, high: float) -> str:
    """Return one block per value, between low and high; `×` for a value that is not finite."""
    return "".join("×" if value is None else _block(value, low, high) for value in values)


def _block(value: float, low: float, high: float) -> str:
    span = (high - low) or 1.0
    place = (min(max(value, low), high) - low) / span
    last = len(SPARKLINE_BLOCKS) - 1
    return SPARKLINE_BLOCKS[min(int(place * len(SPARKLINE_BLOCKS)), last)]
