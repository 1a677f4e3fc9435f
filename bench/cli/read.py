"""Implements `bench table`, `runs`, `curves` and `show`, which print results. None loads torch."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli.shared import (
    STORE,
    AllRowsOption,
    JsonOption,
    NotesOption,
    RunArgument,
    StoreOption,
    TaskOption,
    console,
    print_json,
    print_notice,
    reading,
    user_errors,
)
from bench.cli.terminal.busy import Busy


def table(
    task: TaskOption = None,
    every: AllRowsOption = False,
    notes: NotesOption = False,
    as_json: JsonOption = False,
    store: StoreOption = STORE,
) -> None:
    """Print scores, tokens to the target, speed and size per task.

    The number of a row opens it: bench show 3, bench doctor 3.
    """
    from bench.api.store import runs_of
    from results.selection import table_labels
    from results.show.tables import show_tables
    from results.summary import summarise

    with reading(store) as opened, Busy("reading the store"):
        records, suite = runs_of(opened, task), opened.base()
        everything = runs_of(opened) if task else records
        plan = opened.plan()
    rows = summarise(records, suite)
    if as_json:
        print_json(rows)
        return
    labels = table_labels(records, summarise(everything, suite) if task else rows, suite)
    left_out = [planned for planned in plan if planned.id is None]
    show_tables(rows, left_out, console(), labels, unfolded=every, all_notes=notes)


def runs(task: TaskOption = None, as_json: JsonOption = False, store: StoreOption = STORE) -> None:
    """List finished runs with the ids that other verbs take."""
    from bench.api.store import run_rows
    from results.show.runs import show_runs

    with reading(store) as opened:
        rows = run_rows(opened, task)
    if as_json:
        print_json(rows)
    else:
        show_runs(rows, console())


def curves(
    task: TaskOption = None,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The metric to draw, for example loss. Default: valid_loss; with --layers "
            "update_ratio.",
        ),
    ] = None,
    layers: Annotated[
        bool,
        typer.Option(
            "--layers",
            help="A curve for each parameter and layer, of runs made with bench run --layers.",
        ),
    ] = False,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VARIANT",
            help="Only this variant, as bench table names it; up to 6 share a chart. Repeatable.",
        ),
    ] = None,
    as_json: JsonOption = False,
    store: StoreOption = STORE,
) -> None:
    """Draw a metric against training steps, averaged over seeds."""
    from bench.api.store import runs_of
    from results.curves import average_curves, only_variants
    from results.layers import layer_curves
    from results.show.curves import show_curves
    from results.show.layers import show_layer_curves

    with reading(store) as opened, Busy("reading the store"):
        records = runs_of(opened, task, details=True)
        suite = opened.base()
    if layers:
        with user_errors():
            found = layer_curves(records, suite, metric or "update_ratio")
            found = only_variants(found, variant) if variant else found
        if as_json:
            print_json(found)
        else:
            show_layer_curves(found, console())
        return
    with user_errors():
        rows = average_curves(records, suite, metric or "valid_loss", variant or ())
    if as_json:
        print_json(rows)
    else:
        show_curves(rows, console())


def show_one_run(
    run: RunArgument,
    task: TaskOption = None,
    layers: Annotated[
        bool,
        typer.Option(
            "--layers", help="Show every parameter and layer over training, if bench run --layers."
        ),
    ] = False,
    as_json: JsonOption = False,
    store: StoreOption = STORE,
) -> None:
    """Show settings, curve, layers and sample outputs of one run."""
    from bench.api.store import choose
    from results.show.layers import show_layers
    from results.show.run import show_run

    with reading(store) as opened:
        chosen = choose(opened, run, task)
        (record,) = opened.records([chosen.run.id], details=True)
        suite = opened.base()
    if chosen.said:
        print_notice(chosen.said)
    if as_json:
        print_json([record.plain()])
    elif layers:
        show_layers(record, console())
    else:
        show_run(record, suite, console())
