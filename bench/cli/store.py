"""Implements `bench status`, `drop` and `rebuild`, which manage a store."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.shared import (
    STORE,
    JsonOption,
    StoreOption,
    TaskOption,
    console,
    plural,
    print_json,
    reading,
    store_errors,
    user_errors,
)

if TYPE_CHECKING:
    from rich.console import Console

    from bench.api.store import Status

LISTED = ("running", "failed", "diverged")
"""States whose runs are listed one by one."""


def status(as_json: JsonOption = False, store: StoreOption = STORE) -> None:
    """Print how far the matrix that was last asked for is."""
    from bench.api import store as stores

    with reading(store) as opened:
        found = stores.status(opened)
    if as_json:
        print_json(found.rows)
    else:
        _show_status(found, console())


def _show_status(found: Status, out: Console) -> None:
    out.print(f"last asked for: {found.planned} runs")
    for state, count in Counter(str(row["state"]) for row in found.rows).most_common():
        out.print(f"  {count:6} {state}")
    if found.others:
        out.print(f"  {found.others:6} finished runs of other matrices")
    out.print("a driver is at work" if found.active else "no driver is at work")
    if found.engine:
        _show_engine(found.engine, out)
    for row in found.rows:
        if row["state"] in LISTED:
            name = f"{row['task']} {row['variant']} seed {row['seed']}"
            out.print(f"  {row['state']}: {row['run']} {name}", soft_wrap=True)


def _show_engine(engine: dict[str, Any], out: Console) -> None:
    """Print which nodes work, as the driver last reported."""
    nodes = engine["nodes"]
    out.print(
        f"  engine {engine['engine']}, {plural(len(nodes), 'node')}: "
        f"{engine['running']} running, {engine['retried']} begun again after a process or node died"
    )
    for node in nodes:
        gpus = f", {node['gpus']:g} GPUs" if node.get("gpus") else ""
        out.print(f"    {node['name']}: {node['cpus']:g} CPUs{gpus}", soft_wrap=True)


def drop(
    runs: Annotated[
        list[str] | None, typer.Argument(help="Ids of runs, or their first digits.")
    ] = None,
    task: TaskOption = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATUS",
            help="Only runs that are solved, finished, diverged or failed. Repeatable.",
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Remove every run.")] = False,
    store: StoreOption = STORE,
) -> None:
    """Remove runs from the store, with their journals and weights."""
    from bench.api import store as stores

    with user_errors():
        count = stores.drop(store, runs or [], task or [], status or [], every)
    print(f"{plural(count, 'run')} removed")


def rebuild(store: StoreOption = STORE) -> None:
    """Rebuild the database of the store from its journals."""
    from bench.api import store as stores

    with store_errors():
        count = stores.rebuild(store)
    print(f"{plural(count, 'run')} in the database again")
