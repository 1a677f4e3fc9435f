"""Implements `bench doctor`, which names the cause of a run that did not learn."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.shared import (
    STORE,
    CommandError,
    JsonOption,
    PluginOption,
    StoreOption,
    TaskOption,
    console,
    load_plugins,
    print_json,
    print_notice,
    reading,
    user_errors,
)

if TYPE_CHECKING:
    from bench.api.doctor import Cure
    from results.record import Record


def doctor(
    run: Annotated[str | None, typer.Argument(help="The id of a run, or its first digits.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Diagnose all runs instead, or those of --task.")
    ] = False,
    confirm: Annotated[
        bool,
        typer.Option("--confirm", help="Do the run again as advised, and say whether it helped."),
    ] = False,
    task: TaskOption = None,
    as_json: JsonOption = False,
    plugin: PluginOption = None,
    store: StoreOption = STORE,
) -> None:
    """Name the cause of a run that did not learn, and its cure.

    A run that was not examined is done again with an examination first. Among short runs, only the
    first seeds of a variant are examined while they train.
    """
    from bench.api.store import find_run, runs_of
    from results.doctor.rows import diagnose
    from results.doctor.show import show

    if (run is None) != everything or (confirm and run is None):
        raise CommandError(
            "name a run (bench doctor RUN; bench table --json lists their ids), or --all; "
            "--confirm takes one run"
        )
    with reading(store) as opened:
        if run is not None:
            records = list(opened.records([find_run(opened, run)], details=True))
        else:
            records = runs_of(opened, task, details=True)
        suite = opened.base()
    if run is not None and not _is_known(records[0]):
        records = [_examined(records[0], plugin, store)]
    if confirm:
        load_plugins(plugin)
        from bench.api import doctor as doctors

        with user_errors():
            cure = doctors.confirm(records[0], suite, store)
        _show_cure(cure, as_json)
        return
    rows = diagnose(records, suite)
    if as_json:
        print_json(rows)
    else:
        show(rows, console())


def _is_known(record: Record) -> bool:
    """Return whether a run was examined, or ended by an error that says what is wrong."""
    from results.doctor.examined import examined_run

    return record.status == "failed" or examined_run(record) is not None


def _examined(record: Record, plugin: list[Path] | None, store: Path) -> Record:
    took = record.measured.get("run_seconds", 0.0)
    print_notice(f"run {record.id} was not examined; doing it again, which took {took:.1f} s")
    load_plugins(plugin)
    from bench.api.doctor import examine_again

    with user_errors():
        return examine_again(record, store)


def _show_cure(cure: Cure, as_json: bool) -> None:
    if as_json:
        print_json([asdict(cure)])
        return
    out = console()
    out.print(f"{cure.cause}: {cure.change}", soft_wrap=True)
    out.print(f"run {cure.tried[:8]}, {cure.variant}: {cure.said}", soft_wrap=True)
    out.print("it helped" if cure.helped else "it did not help", style="bold")
