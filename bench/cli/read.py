"""Implements `bench table`, `curves` and `show`, which print results. None loads torch."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli.shared import (
    STORE,
    JsonOption,
    RunArgument,
    StoreOption,
    TaskOption,
    console,
    print_json,
    reading,
    user_errors,
)


def table(task: TaskOption = None, as_json: JsonOption = False, store: StoreOption = STORE) -> None:
    """Print scores, tokens to the target, speed and size per task."""
    from bench.api.store import runs_of
    from results.show.tables import show_tables
    from results.summary import summarise

    with reading(store) as opened:
        rows = summarise(runs_of(opened, task), opened.base())
        plan = opened.plan()
    if as_json:
        print_json(rows)
    else:
        show_tables(rows, [planned for planned in plan if planned.id is None], console())


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

    with reading(store) as opened:
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
        rows = average_curves(records, suite, metric or "valid_loss")
        rows = only_variants(rows, variant) if variant else rows
    if as_json:
        print_json(rows)
    else:
        show_curves(rows, console())


def show_one_run(
    run: RunArgument,
    layers: Annotated[
        bool,
        typer.Option(
            "--layers", help="Show every parameter and layer over training, if bench run --layers."
        ),
    ] = False,
    as_json: JsonOption = False,
    store: StoreOption = STORE,
) -> None:
    """Show the settings, curve, layers and sample outputs of one run."""
    from bench.api.store import find_run
    from results.show.layers import show_layers
    from results.show.run import show_run

    with reading(store) as opened:
        (record,) = opened.records([find_run(opened, run)], details=True)
        suite = opened.base()
    if as_json:
        print_json([record.plain()])
    elif layers:
        show_layers(record, console())
    else:
        show_run(record, suite, console())
