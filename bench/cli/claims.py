"""Implements `bench claims`, which tries what others reported."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.execution import execute_with_progress
from bench.cli.heeding import refuse_excluded
from bench.cli.shared import (
    CHECK_FAILED,
    STORE,
    DeviceOption,
    JsonOption,
    NotesOption,
    StoreOption,
    console,
    named_store,
    plural,
    print_json,
    say,
    user_errors,
    writing,
)
from bench.cli.terminal.busy import Busy

if TYPE_CHECKING:
    from pathlib import Path

    from bench.api.claims import PlannedClaim
    from results.compare.claims import ClaimRow

claims_app = typer.Typer(
    help="Try what others reported.", no_args_is_help=True, rich_markup_mode=None
)
ClaimsArgument = Annotated[
    list[str] | None,
    typer.Argument(help="Names of claims (see bench claims list), or FILE.toml. Default: all."),
]
SeedsOfClaimOption = Annotated[
    str | None,
    typer.Option(
        metavar="N|A:B",
        help="Seeds of each side: N, from 0 to N - 1, or A:B, from A to B - 1. Default: the "
        "claim's.",
    ),
]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Exit with 1 unless every claim is reproduced.")
]


@claims_app.command("run")
def run_claims(
    context: typer.Context,
    claims: ClaimsArgument = None,
    seeds: SeedsOfClaimOption = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Number of worker processes, one thread each. Default: one per core."
        ),
    ] = None,
    device: DeviceOption = "auto",
    strict: StrictOption = False,
    notes: NotesOption = False,
    as_json: JsonOption = False,
    store: StoreOption = STORE,
) -> None:
    """Do the runs that claims need, and print the verdicts."""
    refuse_excluded(context, "claims run")
    from bench.api import claims as trials
    from bench.api.device import device_of
    from bench.engines.choose import (
        EngineOptions,
        check_options,
        check_runs_are_independent,
        engine_of,
    )

    options = EngineOptions(workers=workers)
    with user_errors(), Busy("building tasks and planning runs"):
        check_runs_are_independent()
        check_options(options)
        where = device_of(device)
        planned = trials.planned_claims(claims or [], where, store, seeds, redo=True)
        tuning = len(trials.tuning_plan(planned).specs)
        runs = max(len(trials.whole_plan(planned).specs), tuning)
        engine = engine_of(options, where, runs, store)
    if tuning:
        console(as_json).print(f"first {plural(tuning, 'run')}, which choose by validation alone")
    run = partial(execute_with_progress, to_stderr=as_json)
    with closing(engine), writing(store) as opened:
        rows = trials.run_claims(planned, opened, engine, run)
    _show(rows, as_json, notes, strict, named_store(context, store))


@claims_app.command("list")
def list_claims(
    context: typer.Context,
    claims: ClaimsArgument = None,
    seeds: SeedsOfClaimOption = None,
    device: DeviceOption = "auto",
    strict: StrictOption = False,
    notes: NotesOption = False,
    as_json: JsonOption = False,
    store: StoreOption = STORE,
) -> None:
    """List claims with their verdicts by the runs in the store."""
    refuse_excluded(context, "claims list")
    from bench.api.claims import stored_verdicts

    with user_errors():
        rows = stored_verdicts(_planned(claims, device, store, seeds), store)
    _show(rows, as_json, notes, strict, named_store(context, store))


@claims_app.command("show")
def show_claim(
    context: typer.Context,
    claim: Annotated[
        str | None,
        typer.Argument(help="The name of a claim, or FILE.toml. Needed without --markdown."),
    ] = None,
    markdown: Annotated[
        bool,
        typer.Option(
            "--markdown", help="Print a table of all claims, or of this one, as Markdown."
        ),
    ] = False,
    seeds: SeedsOfClaimOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    store: StoreOption = STORE,
) -> None:
    """Show the source, the reported figures and the verdict of a claim."""
    refuse_excluded(context, "claims show")
    from bench.api.claims import described, stored_records, stored_verdicts
    from bench.cli.pages.claims import claims_page
    from results.show.claims import show_one

    with user_errors():
        if claim is None and not markdown:
            raise ValueError("name a claim (see bench claims list), or give --markdown for all")
        planned = _planned([claim] if claim else None, device, store, seeds)
        rows = stored_verdicts(planned, store)
        sides = [stored_records(entry, store) for entry in planned]
    if as_json:
        print_json(rows)
    elif markdown:
        say(claims_page([described(entry) for entry in planned], rows))
    else:
        show_one(described(planned[0]), rows, sides[0], console())


def _planned(
    claims: list[str] | None, device: str, store: Path, seeds: str | None
) -> list[PlannedClaim]:
    from bench.api.claims import planned_claims
    from bench.api.device import device_of

    return planned_claims(claims or [], device_of(device), store, seeds)


def _show(rows: list[ClaimRow], as_json: bool, all_notes: bool, strict: bool, folder: str) -> None:
    """Print rows; folder: the store that commands name, "" where they need not."""
    from results.commands import in_store
    from results.show.claims import show_all

    for row in rows:
        row["decide"] = in_store(row.get("decide", ""), folder)
    if as_json:
        print_json(rows)
    else:
        show_all(rows, console(), all_notes)
    if strict and any(row["verdict_of_claim"] != "reproduced" for row in rows):
        raise typer.Exit(CHECK_FAILED)
