"""Prints tables and small curves on a terminal, of 80 columns or more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from results.escapes import plain
from results.tables.text import Texts, TextTable, fitting_titles, used_titles

LEFT_ALIGNED = ("status", "findings", "verdict")
"""Columns of words, aligned to the left like the first column; all others to the right."""
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


def print_table(table: TextTable, console: Console) -> None:
    """Print a table; columns that do not fit are left out from the right, and named below."""
    kept = fitting_titles(table.lines, console.width)
    dropped = [title for title in used_titles(table.lines) if title not in kept]
    console.print(Text(table.heading, style="bold"))
    console.print(_grid(table.lines, kept))
    notes = list(table.notes)
    if dropped:
        notes.append(f"not shown at {console.width} columns: {', '.join(dropped)}")
    for note in notes:
        console.print(Text(note, style="dim"))


def _grid(lines: Sequence[Texts], titles: Sequence[str]) -> Table:
    first = titles[0]
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    for title in titles:
        grid.add_column(
            title,
            justify="left" if title in (first, *LEFT_ALIGNED) else "right",
            overflow="fold" if title == first else "ellipsis",
            no_wrap=title != first,
        )
    for line in lines:
        style = "bold" if line[first] == "base" else ""
        grid.add_row(*(line.get(title, "") for title in titles), style=style)
    return grid


def sparkline(values: Sequence[float | None], low: float, high: float) -> str:
    """Return one block per value, between low and high; `×` for a value that is not finite."""
    return "".join("×" if value is None else _block(value, low, high) for value in values)


def _block(value: float, low: float, high: float) -> str:
    span = (high - low) or 1.0
    place = (min(max(value, low), high) - low) / span
    last = len(SPARKLINE_BLOCKS) - 1
    return SPARKLINE_BLOCKS[min(int(place * len(SPARKLINE_BLOCKS)), last)]
