"""bench compare: is one better than another, and how surely?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.shared import (
    STORE,
    CommandError,
    JsonOption,
    StoreOption,
    TaskOption,
    chosen,
    console,
    print_json,
    reading,
    usage,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from results.compare.pairs import ComparisonRow


def compare(
    a: Annotated[str | None, typer.Argument(help="A variant, as bench table names it.")] = None,
    b: Annotated[str | None, typer.Argument(help="Another, to hold it against.")] = None,
    axis: Annotated[
        str | None,
        typer.Option(
            help="Instead of two variants: each value of an axis against the base's; `all` for an "
            "overview of every axis."
        ),
    ] = None,
    with_store: Annotated[
        Path | None,
        typer.Option(help="Instead: this store's runs (a) against those of --store (b)."),
    ] = None,
    dates: Annotated[
        str | None,
        typer.Option(help="Instead: runs begun since a day (a) against earlier ones (b)."),
    ] = None,
    fair: Annotated[
        str | None,
        typer.Option(
            help="Two variants at equal cost: steps, tokens, seconds, parameters, or each at its "
            "best learning_rate; several with commas, or all."
        ),
    ] = None,
    task: TaskOption = None,
    as_rows: JsonOption = False,
    store: StoreOption = STORE,
) -> None:
    """Paired effects over shared seeds, with interval, verdict, and the seeds still wanting."""
    from results.compare.pairs import ComparisonError
    from results.show import verdicts

    ways = [a is not None or b is not None, axis, with_store, dates]
    if sum(map(bool, ways)) != 1 or (a is None) != (b is None):
        raise CommandError(
            "compare two variants (bench compare cell=gru cell=lstm), or --axis, or --with-store, "
            "or --dates: one of these; bench table shows the variants there are"
        )
    if fair is not None and a is None:
        raise CommandError("--fair compares two variants; name them: bench compare A B --fair all")
    try:
        if fair is not None and a is not None and b is not None:
            _fair(a, b, fair, task, store, as_rows)
            return
        rows, crossed = _rows(a, b, axis, with_store, dates, task, store)
    except ComparisonError as error:
        raise CommandError(str(error)) from error
    if as_rows:
        print_json([*rows, *crossed])
    elif axis == "all":
        verdicts.show_every_axis(rows, console())
    elif a is not None:
        verdicts.show_pairs(rows, console())
    else:
        verdicts.show_effects(rows, crossed, console(), "a" if axis else "variant")


def _rows(
    a: str | None,
    b: str | None,
    axis: str | None,
    other: Path | None,
    since: str | None,
    task: list[str] | None,
    folder: Path,
) -> tuple[list[ComparisonRow], list[ComparisonRow]]:
    from results.compare import axis_effects, pairs, stores
    from results.show import verdicts

    with reading(folder) as opened:
        records, suite = chosen(opened, task), opened.base()
    if a is not None and b is not None:
        return pairs.compare_variants(records, suite, a, b), []
    if axis == "all":
        return axis_effects.every_axis(records, suite, verdicts.OVERVIEW), []
    if axis is not None:
        effects = axis_effects.effects(records, suite, axis)
        return effects, axis_effects.interactions(records, suite, axis)
    if other is not None:
        with reading(other) as opened:
            theirs = chosen(opened, task)
        return stores.compare_run_sets(theirs, records, suite, str(other), str(folder)), []
    assert since is not None
    after, before = stores.by_day(records, since)
    return stores.compare_run_sets(after, before, suite, f"since {since}", f"before {since}"), []


def _fair(a: str, b: str, modes: str, task: list[str] | None, folder: Path, as_rows: bool) -> None:
    from results.compare import equal_cost
    from results.show import verdicts
    from tasks.choices import one_of

    with usage():
        asked = equal_cost.MODES if modes == "all" else tuple(modes.split(","))
        for mode in asked:
            one_of("what is equal", mode, (*equal_cost.MODES, "all"))
    with reading(folder) as opened:
        records, suite = chosen(opened, task, details=True), opened.base()

    def unmatched(label: str, variant: Mapping[str, Any], count: int) -> str:
        from bench.plan.equal_size import hidden_for
        from bench.training.process import cached_task

        hidden = hidden_for(variant, cached_task(label, folder / "data"), count)
        if hidden is None:
            return ", and no hidden size would have them"
        return f"; hidden={hidden} would have them"

    rows = equal_cost.compare_at_equal_cost(records, suite, a, b, asked, unmatched)
    if as_rows:
        print_json(rows)
    else:
        verdicts.show_fair(rows, console())
