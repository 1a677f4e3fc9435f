"""Implements `bench list`, which prints the names that matrices and options take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.heeding import refuse_unheeded
from bench.cli.kept_listing import kept_listing
from bench.cli.shared import (
    CommandError,
    JsonOption,
    PluginOption,
    console,
    load_plugins,
    print_json,
    say,
)

if TYPE_CHECKING:
    from rich.console import Console

LISTED_KINDS = {
    "tasks": ("task", "tasks"),
    "matrices": ("matrix", "matrices"),
    "axes": ("axis", "axes of a variant"),
    "faults": ("fault", "faults to plant"),
}
"""Kinds of rows by what they are asked for, in the order of printing, each with its title."""


def list_all(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            help="A task, matrix, axis, value or fault to say more of; or tasks, matrices, axes or "
            "faults, or all. Default: an index."
        ),
    ] = None,
    markdown: Annotated[
        bool,
        typer.Option("--markdown", help="Print the axes with sources and equations, as Markdown."),
    ] = False,
    as_json: JsonOption = False,
    plugin: PluginOption = None,
) -> None:
    """List tasks, matrices, axes with their values, and faults."""
    refuse_unheeded(context, "list", "--markdown" if markdown else "names")
    if markdown:
        load_plugins(plugin)
        from bench.cli.pages.axes import axes_page

        say(axes_page())
        return
    rows = _rows(plugin)
    chosen = rows if name in (None, "all") else _chosen(rows, str(name))
    if as_json:
        print_json([{key: row[key] for key in row if key not in SHOWN_KEYS} for row in chosen])
    elif name is None:
        _show_index(rows, console())
    else:
        _show_rows(chosen, console(), str(name))


SHOWN_KEYS = ("together", "tasks", "meanings")
"""Keys of rows that are for tables and not for JSON."""


def _rows(plugin: list[Any] | None) -> list[dict[str, Any]]:
    """Return the rows, from the last time where nothing that they are made of has changed."""

    def made() -> list[dict[str, Any]]:
        load_plugins(plugin)
        from bench.api.listing import described_listing

        return described_listing()

    return kept_listing(made, keep=not plugin)


def _chosen(rows: Sequence[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Return the rows of a kind, or those that a name stands for: also of a value, its axes."""
    if name in LISTED_KINDS:
        return [row for row in rows if row["kind"] == LISTED_KINDS[name][0]]
    found = [row for row in rows if name in (row["name"], *row.get("together", ()))]
    found = found or [row for row in rows if name in _offered(row)]
    if not found:
        _refuse_name(rows, name)
    return found


def _offered(row: dict[str, Any]) -> Sequence[str]:
    """Return the values of a row that is an axis with named ones."""
    return row.get("values") or ()


def _refuse_name(rows: Sequence[dict[str, Any]], name: str) -> None:
    """Raise a CommandError for a name that no row has, with the names that are near it."""
    from tasks.choices import one_of

    known = [*LISTED_KINDS, *(row["name"] for row in rows)]
    known += [value for row in rows for value in _offered(row)]
    try:
        one_of("name", name, sorted(dict.fromkeys(known)))
    except ValueError as error:
        _, _, hint = str(error).rpartition("; ")
        raise CommandError(
            f"nothing is called {name!r} (bench list prints all names); {hint}"
        ) from None


def _show_index(rows: Sequence[dict[str, Any]], out: Console) -> None:
    """Print the names of all rows on one screen."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column()
    for title, (kind, _) in LISTED_KINDS.items():
        names = [_indexed(row) for row in rows if row["kind"] == kind]
        table.add_row(title, Text(", ".join(names)))
    out.print(table)
    out.print("\nbench list NAME says more of one (bench list cell), bench list axes of a kind.")
    out.print("A variant is written axis=value,axis=value; base is all defaults.")
    out.print("A task is written name, or name:setting=value,setting=value.")


def _indexed(row: dict[str, Any]) -> str:
    """Return a name, with the number of an axis's values."""
    values = row.get("values")
    return f"{row['name']} ({len(values)})" if values else str(row["name"])


def _show_rows(rows: Sequence[dict[str, Any]], out: Console, asked: str) -> None:
    """Print tables of rows; of one axis its values too, or that alone which was asked for."""
    for kind, title in LISTED_KINDS.values():
        _show_kind([row for row in rows if row["kind"] == kind], title, out)
    if len(rows) == 1:
        _show_meanings(rows[0].get("meanings") or {}, out, asked)
    together = {short: row["name"] for row in rows for short in row.get("together", ())}
    for short in together:
        out.print(f"{short} sets encoder_{short} and decoder_{short} together.")


def _show_meanings(meanings: Mapping[str, str], out: Console, asked: str) -> None:
    """Print what each value of an axis means, or that alone which was asked for."""
    from rich.text import Text

    for value, meaning in meanings.items():
        if asked not in meanings or value == asked:
            out.print(Text.assemble((value, "bold"), f": {meaning}"))


def _show_kind(rows: Sequence[dict[str, Any]], title: str, out: Console) -> None:
    """Print the table of one kind of rows, unless it is empty."""
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return
    table = Table(title=title, box=None, title_justify="left", title_style="bold")
    table.show_header = False
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_column()
    for row in rows:
        table.add_row(row["name"], Text(_values(row)), Text(row["about"]))
    out.print(table)
    out.print()


def _values(row: dict[str, Any]) -> str:
    """Return a task's settings, an axis's values, or the tasks that a fault applies to, as text."""
    if row["kind"] == "task":
        return ", ".join(f"{key}={value}" for key, value in row["settings"].items()) or "-"
    if row["kind"] == "axis":
        base = row["base"]
        free = "a name" if isinstance(base, str) else f"{base} or another number"
        values = row["values"] or [free]
        return ", ".join(f"{value} (base)" if value == base else str(value) for value in values)
    return str(row.get("tasks", ""))
