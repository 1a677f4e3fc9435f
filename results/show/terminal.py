"""Tables and curves on a terminal, 80 columns or whatever there is."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from results.show.tables import by_table, cells, heading, notes
from results.store import Planned
from results.summary import SummaryRow

Table = tuple[str, list[dict[str, str]], list[str]]
"""Heading, texts by column title, and notes: a table before it is written in one form or other."""
GAP = 3
NAME_WIDTH = 28
"""Columns a variant's name keeps even where other columns have to go."""


def show_tables(
    rows: Sequence[SummaryRow], inapplicable: Sequence[Planned], console: Console
) -> None:
    """One table a task and setting, each with what it leaves unsaid below it."""
    groups = by_table(rows)
    last = {row["task"]: row["setting"] for row in rows}
    for (task, setting), group in groups.items():
        _show_table(group, console)
        if last[task] == setting:
            _show_inapplicable([row for row in inapplicable if row.task == task], console)
        console.print()


def _show_table(rows: Sequence[SummaryRow], console: Console) -> None:
    show_texts(heading(rows[0]), [cells(row) for row in rows], notes(rows), console)


def show_texts(
    heading: str, texts: Sequence[dict[str, str]], notes: Sequence[str], console: Console
) -> None:
    """A table of texts by column title, the first of which, a variant for one, is always shown;
    what does not fit is left out from the right and named."""
    kept = fit(texts, console.width)
    dropped = [title for title in titles(texts) if title not in kept]
    console.print(Text(heading, style="bold"))
    table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
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


def titles(texts: Sequence[dict[str, str]]) -> list[str]:
    """Columns in which any row says something, in order of importance."""
    used = dict.fromkeys(title for text in texts for title in text)
    return [title for title in used if any(text.get(title) for text in texts)]


def fit(texts: Sequence[dict[str, str]], width: int) -> list[str]:
    """The titles that fit beside the first, the least important dropped."""
    known = titles(texts)
    widths = {t: max(cell_len(t), *(cell_len(text.get(t, "")) for text in texts)) for t in known}
    room = width - min(widths[known[0]], NAME_WIDTH)
    kept = [known[0]]
    for title in known[1:]:
        room -= widths[title] + GAP
        if room < 0:
            break
        kept.append(title)
    return kept


SPARKLINE_BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float | None], low: float, high: float) -> str:
    """One block a value between low and high; a point that is not finite is `×`."""
    span = (high - low) or 1.0
    drawn = []
    for value in values:
        if value is None:
            drawn.append("×")
        else:
            place = (min(max(value, low), high) - low) / span
            drawn.append(
                SPARKLINE_BLOCKS[min(int(place * len(SPARKLINE_BLOCKS)), len(SPARKLINE_BLOCKS) - 1)]
            )
    return "".join(drawn)
