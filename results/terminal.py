"""Tables and curves on a terminal, 80 columns or whatever there is."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from results.store import Planned
from results.tables import Row, by_table, cells, heading, notes

GAP = 3
SHARED = 28
"""Columns a variant's name keeps even where other columns have to go."""


def show_tables(rows: Sequence[Row], inapplicable: Sequence[Planned], console: Console) -> None:
    """One table a task and setting, each with what it leaves unsaid below it."""
    groups = by_table(rows)
    last = {row["task"]: row["setting"] for row in rows}
    for (task, setting), group in groups.items():
        _show_table(group, console)
        if last[task] == setting:
            _show_inapplicable([row for row in inapplicable if row.task == task], console)
        console.print()


def _show_table(rows: Sequence[Row], console: Console) -> None:
    show_texts(heading(rows[0]), [cells(row) for row in rows], notes(rows), console)


def show_texts(
    heading: str, texts: Sequence[dict[str, str]], notes: Sequence[str], console: Console
) -> None:
    """A table of texts by column title, the first of which, a variant for one, is always shown;
    what does not fit is left out from the right and named."""
    titles = [title for title in _titles(texts) if any(text.get(title) for text in texts)]
    kept, dropped = _fit(titles, texts, console.width)
    console.print(Text(heading, style="bold"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    for title in kept:
        left = title in (kept[0], "status", "findings", "verdict")
        table.add_column(
            title,
            justify="left" if left else "right",
            overflow="fold" if title == kept[0] else "ellipsis",
            no_wrap=title != kept[0],
        )
    for text in texts:
        is_base = text[kept[0]] == "base"
        table.add_row(
            *(Text(text.get(title, "")) for title in kept), style="bold" if is_base else ""
        )
    console.print(table)
    said = list(notes)
    if dropped:
        said.append(f"not shown at {console.width} columns: {', '.join(dropped)}")
    for note in said:
        console.print(Text(note, style="dim"))


def _show_inapplicable(rows: Sequence[Planned], console: Console) -> None:
    for reason in dict.fromkeys(row.reason for row in rows):
        console.print(Text(f"not applicable: {reason}", style="dim"))


def _titles(texts: Sequence[dict[str, str]]) -> list[str]:
    """All titles in order of importance."""
    return list(dict.fromkeys(title for text in texts for title in text))


def _fit(
    titles: list[str], texts: Sequence[dict[str, str]], width: int
) -> tuple[list[str], list[str]]:
    """The titles that fit beside the first, the least important dropped, and those."""
    widths = {t: max(cell_len(t), *(cell_len(text.get(t, "")) for text in texts)) for t in titles}
    room = width - min(widths[titles[0]], SHARED)
    kept, dropped = [titles[0]], list[str]()
    for title in titles[1:]:
        room -= widths[title] + GAP
        if room >= 0 and not dropped:
            kept.append(title)
        else:
            dropped.append(title)
    return kept, dropped


BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float | None], low: float, high: float) -> str:
    """One block a value between low and high; a point that is not finite is `×`."""
    span = (high - low) or 1.0
    drawn = []
    for value in values:
        if value is None:
            drawn.append("×")
        else:
            place = (min(max(value, low), high) - low) / span
            drawn.append(BLOCKS[min(int(place * len(BLOCKS)), len(BLOCKS) - 1)])
    return "".join(drawn)
