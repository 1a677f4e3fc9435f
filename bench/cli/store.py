"""Implements what manages a store: `status`, `drop`, `undrop`, `merge`, `verify`, `rebuild`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.heeding import refuse_excluded
from bench.cli.shared import (
    CHECK_FAILED,
    STORE,
    CommandError,
    JsonOption,
    StoreOption,
    TaskOption,
    console,
    named_store,
    plural,
    print_json,
    print_notice,
    reading,
    say,
    store_errors,
    user_errors,
)
from bench.cli.terminal.busy import Busy

if TYPE_CHECKING:
    from rich.console import Console

    from bench.api.store import Status
    from results.record import Record
    from results.store import MergedRun

LISTED = ("running", "failed", "diverged")
"""States whose runs are listed one by one."""


def status(
    context: typer.Context,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Go on showing it until the runs are done or Ctrl-C is pressed, which leaves them "
            "alone.",
        ),
    ] = False,
    as_json: JsonOption = False,
    store: StoreOption = STORE,
) -> None:
    """Print how far the matrix that was last asked for is."""
    from bench.api import store as stores

    refuse_excluded(context, "status")
    if watch:
        from bench.cli.terminal.following import follow

        with store_errors():
            follow(store, console())
        return
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


YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask in a terminal.")]


def drop(
    context: typer.Context,
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
    purge: Annotated[
        bool,
        typer.Option("--purge", help="Instead: delete for good what was dropped before."),
    ] = False,
    yes: YesOption = False,
    store: StoreOption = STORE,
) -> None:
    """Remove runs from the store; bench undrop brings them back.

    Their journals and weights are kept until `bench drop --purge`.
    """
    from bench.api import store as stores

    refuse_excluded(context, "drop")
    if purge:
        _agree(f"what was dropped from {store} will be deleted for good", yes)
        with user_errors():
            count = stores.purge(store)
        say(f"{plural(count, 'dropped run')} deleted")
        return
    with user_errors(), reading(store) as opened:
        chosen = stores.chosen(opened, runs or [], task or [], status or [], every)
    _agree(f"{plural(len(chosen), 'run')} will be removed: {_counted(chosen)}", yes)
    with user_errors():
        count = stores.drop(store, [record.id for record in chosen])
    say(f"{plural(count, 'run')} removed; bench undrop brings them back until bench drop --purge")


def _counted(records: Sequence[Record]) -> str:
    """Return how many runs there are of each task and status, as text."""
    counts = Counter((record.task, record.status) for record in records)
    return ", ".join(f"{count} {status} of {task}" for (task, status), count in counts.items())


def _agree(sentence: str, yes: bool) -> None:
    """Say what will be done and, in a terminal, ask; a CommandError if the answer is no."""
    print_notice(sentence)
    if not yes and sys.stdin is not None and sys.stdin.isatty():
        sys.stderr.write("go on? [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise CommandError("nothing was removed; answer y, or give --yes")


def undrop(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="Ids of dropped runs, or their first digits. Default: all."),
    ] = None,
    store: StoreOption = STORE,
) -> None:
    """Bring dropped runs back, with their weights."""
    from bench.api import store as stores

    with user_errors():
        count = stores.undrop(store, runs or [])
    say(f"{plural(count, 'run')} brought back")


def merge(
    other: Annotated[
        Path, typer.Argument(metavar="STORE", help="The folder of another store, only read.")
    ],
    as_json: JsonOption = False,
    store: StoreOption = STORE,
) -> None:
    """Take the runs of another store into this one.

    Their outputs and weights come with them. A run that both have stays as it is here, unless it
    failed here alone. Speeds stay with the machine that they were measured on, and are not compared
    with those of another.
    """
    from bench.api import store as stores

    with store_errors(), Busy("merging"):
        merged = stores.merge(store, other)
    if as_json:
        print_json([one._asdict() for one in merged])
    else:
        _show_merged(merged, other)


MERGED = {
    "taken": "taken",
    "known": "here already",
    "replaced": "taken in place of ones that failed here",
    "completed": "here already, completed by outputs or weights",
    "different": "here already with another outcome, which stays",
    "left out": "left out",
}
"""What a merge did with runs, in words."""


def _measured_on(runs: Sequence[MergedRun]) -> str:
    """Say which machines these runs were measured on."""
    machines = sorted({one.machine for one in runs if one.machine})
    return f" (measured on {', '.join(machines)})"


def _show_merged(merged: Sequence[MergedRun], other: Path) -> None:
    say(f"{plural(len(merged), 'run')} in {other}")
    for what, words in MERGED.items():
        runs = [one for one in merged if one.what == what]
        if runs:
            measured = _measured_on(runs) if what == "taken" else ""
            say(f"  {len(runs):6} {words}{measured}")
    for one in merged:
        if one.why or one.what == "different":
            say(f"  {one.what}: {one.run} {one.why}".rstrip())


def verify(context: typer.Context, as_json: JsonOption = False, store: StoreOption = STORE) -> None:
    """Check that the runs of the store are as they were written.

    Every run is compared with its journal and its digest. Exit code 1 if something is wrong;
    bench rebuild mends the database.
    """
    from bench.api import store as stores
    from results.commands import in_store

    with store_errors():
        found = stores.verify(store)
    if as_json:
        print_json([problem._asdict() for problem in found.problems])
    else:
        for problem in found.problems:
            say(f"{problem.run or 'database'}: {problem.what}")
        say(f"{plural(found.runs, 'run')} compared, {found.unfinished} begun and not finished")
    if found.problems:
        raise CommandError(
            f"{plural(len(found.problems), 'problem')} found; mend the database with: "
            + in_store("bench rebuild", named_store(context, store)),
            CHECK_FAILED,
        )


def rebuild(store: StoreOption = STORE) -> None:
    """Rebuild the database of the store from its journals."""
    from bench.api import store as stores

    with store_errors(), Busy("rebuilding from the journals"):
        count = stores.rebuild(store)
    say(f"{plural(count, 'run')} in the database again")
