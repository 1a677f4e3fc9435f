"""Implements `bench list`, which prints the names that matrices and options take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.shared import (
    JsonOption,
    PluginOption,
    console,
    load_plugins,
    print_json,
    say,
)

if TYPE_CHECKING:
    from rich.console import Console

LISTED_KINDS = (
    ("task", "tasks"),
    ("matrix", "matrices"),
    ("axis", "axes of a variant"),
    ("fault", "faults to plant"),
)
"""Kinds of rows in the order of printing, each with its title."""


def list_all(
    markdown: Annotated[
        bool,
        typer.Option("--markdown", help="Print the axes with sources and equations, as Markdown."),
    ] = False,
    as_json: JsonOption = False,
    plugin: PluginOption = None,
) -> None:
    """List tasks, matrices, axes with their values, and faults."""
    load_plugins(plugin)
    from bench.api.listing import listing
    from bench.cli.pages.axes import axes_page

    if markdown:
        say(axes_page())
    elif as_json:
        print_json(listing())
    else:
        _show_listing(listing(), console())


def _show_listing(rows: Sequence[dict[str, Any]], out: Console) -> None:
    from rich.table import Table

    from variants import TOGETHER

    for kind, title in LISTED_KINDS:
        table = Table(title=title, box=None, title_justify="left", title_style="bold")
        table.show_header = False
        table.add_column(no_wrap=True)
        table.add_column()
        table.add_column()
        for row in rows:
            if row["kind"] == kind:
                table.add_row(row["name"], _values(row), row["about"])
        out.print(table)
        out.print()
    shorthands = ", ".join(f"{name} sets {' and '.join(set_)}" for name, set_ in TOGETHER.items())
    out.print(f"A variant is written axis=value,axis=value; {shorthands}; base is all defaults.")
    out.print("A task is written name, or name:setting=value,setting=value.")


def _values(row: dict[str, Any]) -> str:
    """Return a task's settings, an axis's values, or the tasks that a fault applies to, as text."""
    if row["kind"] == "task":
        return ", ".join(f"{key}={value}" for key, value in row["settings"].items()) or "-"
    if row["kind"] == "axis":
        base = row["base"]
        free = "a name" if isinstance(base, str) else f"{base} or another number"
        values = row["values"] or [free]
        return ", ".join(f"{value} (base)" if value == base else str(value) for value in values)
    if row["kind"] == "fault":
        from bench.doctor.faults import FAULTS

        return FAULTS[row["name"]].tasks
    return ""
