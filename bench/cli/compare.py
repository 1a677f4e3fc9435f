"""Implements `bench compare`, which says which variant is better, and how surely."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from bench.cli.heeding import refuse_unheeded
from bench.cli.shared import (
    STORE,
    AgainOption,
    CommandError,
    JsonOption,
    NotesOption,
    PluginOption,
    StoreOption,
    TaskOption,
    TheseSeedsOption,
    comparison_errors,
    console,
    load_plugins,
    named_store,
    print_json,
    user_errors,
)

if TYPE_CHECKING:
    from bench.api.compare import Among
    from results.compare.interactions import InteractionRow


AT_EQUAL_COST = "two variants, at equal cost"
ALONG_CURVES = "two variants, along curves"
"""Ways of comparing two variants, as HEEDED names them."""


class _Printing(NamedTuple):
    """Says how rows are printed: as JSON, or as tables with all notes or the first.

    folder: the store that commands name; "" where they need not.
    """

    as_json: bool
    all_notes: bool
    folder: str


def compare(
    context: typer.Context,
    a: Annotated[str | None, typer.Argument(help="A variant, as bench table names it.")] = None,
    b: Annotated[str | None, typer.Argument(help="The variant to compare it with.")] = None,
    axis: Annotated[
        str | None,
        typer.Option(
            metavar="AXIS",
            help="Instead: compare each value of an axis with the base's; `all` gives an overview "
            "of every axis.",
        ),
    ] = None,
    with_store: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Instead: compare this store's runs (a) with those of --store (b)."
        ),
    ] = None,
    dates: Annotated[
        str | None,
        typer.Option(
            metavar="DAY", help="Instead: compare runs begun since a day (a) with earlier ones (b)."
        ),
    ] = None,
    fair: Annotated[
        str | None,
        typer.Option(
            metavar="COSTS",
            help="Compare two variants at equal cost: steps, tokens, seconds, parameters, or each "
            "at its best learning_rate; several separated by commas, or all.",
        ),
    ] = None,
    along: Annotated[
        str | None,
        typer.Option(
            metavar="COST",
            help="Compare two variants at every evaluation of their curves, along steps, tokens or "
            "seconds: who is ahead when, and where the order turns.",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Compare two variants by this score: bleu, chrf, chrf++, ter, cer, wer, or a "
            "score of the task. Default: the one it selects by.",
        ),
    ] = None,
    task: TaskOption = None,
    seeds: TheseSeedsOption = None,
    again: AgainOption = None,
    notes: NotesOption = False,
    as_json: JsonOption = False,
    plugin: PluginOption = None,
    store: StoreOption = STORE,
) -> None:
    """Print effects over shared seeds, with intervals and verdicts.

    Where an effect is not significant yet, the number of seeds that would decide it is printed.
    """
    way = _of_two(_way(a, b, axis, with_store, dates), fair, along)
    refuse_unheeded(context, "compare", way)
    if plugin:
        load_plugins(plugin)
    among = _among(task, seeds)
    printing = _Printing(as_json, notes, named_store(context, store))
    if a is not None and b is not None:
        if way == ALONG_CURVES:
            _compare_along(a, b, str(along), among, printing, store)
        elif way == AT_EQUAL_COST:
            _compare_at_equal_cost(a, b, str(fair), among, printing, store)
        else:
            _compare_variants(a, b, metric, among, printing, store)
    elif axis is not None:
        _compare_axis(axis, among, _seeds(again), printing, store)
    else:
        _compare_sets(with_store, dates, among, printing, store)


def _among(task: list[str] | None, seeds: str | None) -> Among:
    """Return which runs are compared; CommandError for what are no seeds."""
    from bench.api.compare import Among

    return Among(task, _seeds(seeds))


def _seeds(given: str | None) -> range | None:
    """Return the seeds that are meant, None for all; CommandError for what are no seeds."""
    from results.seeds import read_seeds

    with user_errors():
        return None if given is None else read_seeds(given)


def _way(
    a: str | None, b: str | None, axis: str | None, with_store: Path | None, dates: str | None
) -> str:
    """Return which way of comparing was asked for; CommandError unless it is exactly one."""
    ways = {
        "two variants": a is not None or b is not None,
        "--axis": bool(axis),
        "--with-store": bool(with_store),
        "--dates": bool(dates),
    }
    asked = [way for way, wanted in ways.items() if wanted]
    if len(asked) != 1 or (a is None) != (b is None):
        raise CommandError(
            "compare two variants (bench compare cell=gru cell=lstm), or --axis, or --with-store, "
            "or --dates: one of these; bench table shows the variants there are"
        )
    return asked[0]


def _of_two(way: str, fair: str | None, along: str | None) -> str:
    """Return in which way two variants are compared; any other way as it is."""
    if way != "two variants" or (fair is None and along is None):
        return way
    return AT_EQUAL_COST if along is None else ALONG_CURVES


def _compare_axis(
    axis: str, among: Among, again: range | None, printing: _Printing, store: Path
) -> None:
    """Compare the values of one axis, or of all."""
    from bench.api import compare as comparisons
    from results.show import comparisons as shown

    interactions: list[InteractionRow] = []
    with comparison_errors("comparing"):
        if axis == "all":
            rows = comparisons.every_axis(store, among, again)
        else:
            rows, interactions = comparisons.one_axis(store, axis, among, again)
    if printing.as_json:
        print_json([*rows, *interactions])
    elif axis == "all":
        shown.show_every_axis(rows, console(), printing.all_notes)
    else:
        shown.show_effects(rows, interactions, console(), printing.all_notes)


def _compare_sets(
    with_store: Path | None,
    dates: str | None,
    among: Among,
    printing: _Printing,
    store: Path,
) -> None:
    """Compare the runs of two stores, or later runs with earlier ones."""
    from bench.api import compare as comparisons
    from results.show import comparisons as shown

    with comparison_errors("comparing"):
        if with_store is not None:
            rows = comparisons.two_stores(store, with_store, among)
        else:
            assert dates is not None
            rows = comparisons.since(store, dates, among)
    if printing.as_json:
        print_json(rows)
    else:
        shown.show_effects(rows, [], console(), printing.all_notes)


def _compare_variants(
    a: str, b: str, metric: str | None, among: Among, printing: _Printing, store: Path
) -> None:
    """Compare two variants, by the score of their task or another."""
    from bench.api import compare as comparisons
    from results.commands import in_store
    from results.show import comparisons as shown

    with comparison_errors("comparing"):
        found = comparisons.two_variants(store, a, b, among, metric)
    for row in found.effects:
        row["decide"] = in_store(row.get("decide", ""), printing.folder)
    if printing.as_json:
        print_json([*found.effects, *found.chance])
    else:
        shown.show_pairs(found.effects, console(), printing.all_notes)
        shown.show_chance(found.chance, console())


def _compare_at_equal_cost(
    a: str, b: str, fair: str, among: Among, printing: _Printing, store: Path
) -> None:
    """Compare two variants at equal cost of each kind."""
    from bench.api import compare as comparisons
    from results.show import comparisons as shown

    with user_errors():
        modes = comparisons.modes_of_cost(fair)
    with comparison_errors("comparing"):
        rows = comparisons.at_equal_cost(store, a, b, modes, among)
    if printing.as_json:
        print_json(rows)
    else:
        shown.show_equal_cost(rows, console(), printing.all_notes)


def _compare_along(
    a: str, b: str, unit: str, among: Among, printing: _Printing, store: Path
) -> None:
    """Compare two variants at every evaluation."""
    from bench.api import compare as comparisons
    from results.show.along import show_along

    with user_errors(), comparison_errors("comparing"):
        rows = comparisons.along_curves(store, a, b, unit, among)
    if printing.as_json:
        print_json(rows)
    else:
        show_along(rows, console(), printing.all_notes)
