"""Implements `bench table`, `runs`, `curves`, `show` and `score`, which print results.

None loads torch, unless plugins are loaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.heeding import refuse_excluded, refuse_unheeded
from bench.cli.shared import (
    STORE,
    AllRowsOption,
    JsonOption,
    NotesOption,
    PluginOption,
    RunArgument,
    StoreOption,
    TaskOption,
    console,
    load_plugins,
    print_json,
    print_notice,
    reading,
    say,
    user_errors,
)
from bench.cli.terminal.busy import Busy


def table(
    context: typer.Context,
    task: TaskOption = None,
    every: AllRowsOption = False,
    notes: NotesOption = False,
    as_json: JsonOption = False,
    store: StoreOption = STORE,
) -> None:
    """Print scores, tokens to the target, speed and size per task.

    The number of a row opens it: bench show 3, bench doctor 3.
    """
    refuse_excluded(context, "table")
    from bench.api.store import runs_of
    from results.grouping import grouped
    from results.selection import table_labels
    from results.show.tables import show_tables
    from results.summary import summarise, summarise_groups

    with reading(store) as opened, Busy("reading the store"):
        records, suite = runs_of(opened, task), opened.base()
        everything = runs_of(opened) if task else records
        plan = opened.plan()
    groups = grouped(records)
    rows = summarise_groups(groups, suite)
    if as_json:
        print_json(rows)
        return
    labels = table_labels(groups, summarise(everything, suite) if task else rows, suite)
    left_out = [planned for planned in plan if planned.id is None]
    show_tables(rows, left_out, console(), labels, unfolded=every, all_notes=notes)


def runs(
    task: TaskOption = None,
    tuning: Annotated[
        bool,
        typer.Option(
            "--tuning",
            help="List the runs that tune instead, with scores on validation, and what was chosen.",
        ),
    ] = False,
    as_json: JsonOption = False,
    store: StoreOption = STORE,
) -> None:
    """List finished runs with the ids that other verbs take."""
    from bench.api.store import run_rows, runs_of, tuning_runs
    from results.grouping import grouped
    from results.selection import table_bases
    from results.show.runs import show_runs
    from results.show.tuning import show_choices
    from results.tuning import choices

    with reading(store) as opened:
        rows, suite = run_rows(opened, task, tuning=tuning), opened.base()
        listed = tuning_runs(opened, task) if tuning else runs_of(opened, task)
    if as_json:
        print_json(rows)
        return
    if tuning:
        say("runs that tune, with their scores on validation; none of them was tested")
    show_runs(rows, console(), table_bases(grouped(listed), suite))
    if tuning:
        show_choices(choices(listed).values(), suite, console())


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
    from results.grouping import grouped
    from results.layers import layer_curves
    from results.selection import table_bases
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
        show_curves(rows, console(), table_bases(grouped(records), suite))


TestedSplitOption = Annotated[
    str | None,
    typer.Option(
        metavar="SPLIT", help="A split that is scored at the end, such as test or unseen."
    ),
]


def show_one_run(
    context: typer.Context,
    run: RunArgument,
    other: Annotated[
        str | None,
        typer.Argument(help="Another run: where the outputs of both differ, side by side."),
    ] = None,
    task: TaskOption = None,
    errors: Annotated[
        bool,
        typer.Option(
            "--errors", help="Show what it gets wrong on test: worst first, by length, by token."
        ),
    ] = False,
    split: TestedSplitOption = None,
    layers: Annotated[
        bool,
        typer.Option(
            "--layers", help="Show every parameter and layer over training, if bench run --layers."
        ),
    ] = False,
    as_json: JsonOption = False,
    plugin: PluginOption = None,
    store: StoreOption = STORE,
) -> None:
    """Show one run in full, its errors, or two runs side by side.

    In full are settings, curve, layers and sample outputs.
    """
    way = "two runs" if other is not None else "--errors" if errors else "one run"
    refuse_unheeded(context, "show", way)
    if plugin:
        load_plugins(plugin)
    if other is not None:
        _show_two_runs(store, run, other, task, split or "test", as_json)
    elif errors:
        _show_errors(store, run, task, split or "test", as_json)
    else:
        _show_in_full(store, run, task, layers, as_json)


def _show_in_full(
    store: Path, run: str, task: list[str] | None, layers: bool, as_json: bool
) -> None:
    """Print the settings, the curve and sample outputs of a run, or its parameters and layers."""
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


def _show_errors(store: Path, run: str, task: list[str] | None, split: str, as_json: bool) -> None:
    """Print what a run gets wrong; as JSON, a row for each example of the split."""
    from bench.api.outputs import mistakes
    from results.show.outputs import show_mistakes

    with reading(store) as opened:
        suite = opened.base()
    with user_errors(), Busy("reading the outputs"):
        found = mistakes(store, run, task, split)
    if as_json:
        print_json(found.rows)
    else:
        show_mistakes(found, suite, console())


def _show_two_runs(
    store: Path, a: str, b: str, task: list[str] | None, split: str, as_json: bool
) -> None:
    """Print where the outputs of two runs differ; as JSON, both rows of each such example."""
    from bench.api.outputs import difference
    from results.show.outputs import show_difference

    with reading(store) as opened:
        suite = opened.base()
    with user_errors(), Busy("reading the outputs"):
        found = difference(store, a, b, task, split)
    if as_json:
        print_json([row for pair in found.pairs for row in pair])
    else:
        show_difference(found, suite, console())


def score(
    run: Annotated[
        str,
        typer.Argument(
            help="The id of a run, or its first digits; or the number of a row of bench table, or "
            "a variant, all of whose runs are scored."
        ),
    ],
    metric: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="bleu, chrf, chrf++, ter, cer, wer, or a score of the task."
        ),
    ],
    task: TaskOption = None,
    split: TestedSplitOption = None,
    as_json: JsonOption = False,
    plugin: PluginOption = None,
    store: StoreOption = STORE,
) -> None:
    """Score outputs of runs again, by another metric.

    Nothing is trained or decoded: the outputs were kept.
    """
    from bench.api.rescore import rescore
    from results.show.outputs import show_scores

    if plugin:
        load_plugins(plugin)
    with user_errors(), Busy("scoring"):
        rows = [one._asdict() for one in rescore(store, run, metric, task, split)]
    if as_json:
        print_json(rows)
    else:
        show_scores(rows, console())
