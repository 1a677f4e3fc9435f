"""Implements `bench doctor`, which names why a run or a training script did not learn."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from bench.cli.heeding import refuse_unheeded
from bench.cli.shared import (
    NOTHING_MEASURED,
    STOPPED,
    STORE,
    CommandError,
    JsonOption,
    PluginOption,
    StoreOption,
    TaskOption,
    console,
    load_plugins,
    named_store,
    print_json,
    print_notice,
    reading,
    user_errors,
)
from bench.cli.terminal.busy import Busy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.api.doctor import Cure
    from results.record import Record
    from results.store import Store


class DoctorCommand(TyperCommand):
    """The command of `bench doctor`, which passes on what follows the name of a script."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of the command; those after a script are its own."""
        return super().parse_args(ctx, self._with_script_apart(args))

    def _with_script_apart(self, args: list[str]) -> list[str]:
        """Return the words with `--` before a script, or after the name of a module."""
        valued = {name for p in self.params if not getattr(p, "is_flag", True) for name in p.opts}
        index = 0
        while index < len(args) and args[index] != "--":
            if args[index] in ("-m", "--module"):
                return [*args[: index + 2], "--", *args[index + 2 :]]
            if _is_script(args[index]):
                return [*args[:index], "--", *args[index:]]
            index += 2 if args[index] in valued else 1
        return args


def _is_script(word: str) -> bool:
    return word.endswith(".py") and not word.startswith("-")


def doctor(
    context: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN|SCRIPT.py",
            help="The id of a run, or its first digits; the number of a row of bench table or a "
            "variant, of whose runs the worst is taken; or a training script. Default: the worst "
            "run of the last matrix.",
        ),
    ] = None,
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Arguments of the script.", metavar="ARGUMENT")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Diagnose all runs instead, or those of --task.")
    ] = False,
    confirm: Annotated[
        bool,
        typer.Option(
            "--confirm",
            help="Do the run again as advised, one remedy after another until one helps.",
        ),
    ] = False,
    module: Annotated[
        str | None,
        typer.Option(
            "-m", "--module", metavar="MODULE", help="A module to run as the script, as python -m."
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", metavar="N", min=1, help="Stop the script after so many training steps."
        ),
    ] = None,
    time_limit: Annotated[
        float,
        typer.Option(
            metavar="MINUTES", help="Stop the script after so many minutes; 0 for no limit."
        ),
    ] = 10.0,
    memory_limit: Annotated[
        float,
        typer.Option(metavar="GIB", help="Stop the script when it holds more GiB; 0 for no limit."),
    ] = 0.0,
    task: TaskOption = None,
    as_json: JsonOption = False,
    plugin: PluginOption = None,
    store: StoreOption = STORE,
) -> None:
    """Name why a run or a training script did not learn.

    A script of your own (any file that ends in .py; its arguments follow it, options of this
    command stand before it) is run as it is, in a process of its own, and watched. When it ends or
    is stopped (Ctrl-C, a limit), what was seen until then is judged. Exit codes: 0 judged, whatever
    was found; 2 wrong usage; 3 no training was seen; 130 stopped by Ctrl-C, and judged.

    A run that was not examined is done again with an examination first. Among short runs, only the
    first seeds of a variant are examined while they train.
    """
    script = _script_words(module, run, arguments)
    if script:
        refuse_unheeded(context, "doctor", "a script")
        _doctor_script(script, module is not None, steps, (time_limit, memory_limit), as_json)
        return
    if arguments:
        raise CommandError(f"name one run, not also {arguments[0]}; only a script has arguments")
    if run is not None and everything:
        raise CommandError("--all diagnoses every run; leave out the run, or --all")
    refuse_unheeded(context, "doctor", "--all" if everything else "one run")
    _doctor_runs(context, run, everything, confirm, task, as_json, plugin, store)


def _script_words(module: str | None, run: str | None, arguments: list[str] | None) -> list[str]:
    """Return the name of the module or script to watch and its arguments; [] if none is named."""
    if module is None and (run is None or not _is_script(run)):
        return []
    return [word for word in (module, run, *(arguments or ())) if word is not None]


def _doctor_script(
    words: list[str],
    module: bool,
    steps: int | None,
    limits: tuple[float, float],
    as_json: bool,
) -> None:
    """Run a script under the doctor's eyes and print what was found.

    words: its name and arguments. limits: minutes and GiB; 0 for none.
    """
    if not module and not Path(words[0]).is_file():
        raise CommandError(f"there is no file {words[0]}; give the path of a training script")
    from bench.api.script import diagnose_script
    from bench.engines.contract import Limits
    from bench.watching.asked import Script
    from results.doctor.watched.show import show

    with user_errors():
        allowed = Limits(limits[0] * 60, limits[1] * 2**30)
    print_notice(
        f"running {words[0]} as it is: its code does what it does without bench; Ctrl-C stops it "
        "and judges what was seen"
    )
    with user_errors():
        found = diagnose_script(
            Script(words[0], tuple(words[1:]), module),
            allowed,
            steps,
            to_stderr=as_json,
            on_interrupt=lambda: print_notice("judging what was seen; Ctrl-C again kills it"),
        )
    print_notice(f"{found.ended}; {found.watched.steps:,} training steps")
    if as_json:
        print_json([found.row()])
    else:
        show(found.watched, found.findings, console())
    if found.interrupted:
        raise typer.Exit(STOPPED)
    if not found.findings and not found.watched.steps:
        raise typer.Exit(NOTHING_MEASURED)


def _doctor_runs(
    context: typer.Context,
    run: str | None,
    everything: bool,
    confirm: bool,
    task: list[str] | None,
    as_json: bool,
    plugin: list[Path] | None,
    store: Path,
) -> None:
    from bench.api.store import runs_of
    from results.doctor.rows import diagnose
    from results.doctor.show import show

    if plugin:  # a file that is wrong is told, also where the run need not be done again
        load_plugins(plugin)
    with reading(store) as opened:
        suite = opened.base()
        if everything:
            records = runs_of(opened, task, details=True)
        else:
            records = list(opened.records([_chosen(opened, run, task)], details=True))
        everyone = list(opened.records())
        kept = {one.id for one in records if opened.training_state(one.id).is_file()}
    if not everything and not _is_known(records[0]):
        records = [_examined(records[0], plugin, store)]
    if confirm:
        load_plugins(plugin)
        from bench.api import doctor as doctors

        with user_errors(), Busy(f"doing run {records[0].id[:8]} again as advised", "step") as busy:
            cures = list(doctors.confirm(records[0], suite, store, busy.count))
        _show_cures(cures, as_json)
        return
    rows = diagnose(records, suite, everyone, kept.__contains__)
    if as_json:
        print_json(rows)
    else:
        show(rows, console(), named_store(context, store))


def _chosen(opened: Store, run: str | None, task: list[str] | None) -> str:
    """Return the id of the run that was asked for, and say which of several it is."""
    from bench.api.store import choose, worst_of_last

    chosen = worst_of_last(opened, task) if run is None else choose(opened, run, task)
    if chosen.said:
        print_notice(chosen.said)
    return chosen.run.id


def _is_known(record: Record) -> bool:
    """Return whether a run was examined, or ended by an error that says what is wrong."""
    from results.doctor.examined import examined_run

    return record.status == "failed" or examined_run(record) is not None


def _examined(record: Record, plugin: list[Path] | None, store: Path) -> Record:
    took = record.measured.get("run_seconds", 0.0)
    print_notice(f"run {record.id} was not examined; doing it again, which took {took:.1f} s")
    load_plugins(plugin)
    from bench.api.doctor import examine_again

    with user_errors(), Busy(f"examining run {record.id[:8]}", "step") as busy:
        return examine_again(record, store, busy.count)


def _show_cures(cures: Sequence[Cure], as_json: bool) -> None:
    """Print what came of each remedy, in the order in which they were tried."""
    if as_json:
        print_json([asdict(cure) for cure in cures])
        return
    out = console()
    for number, cure in enumerate(cures):
        if not number:
            out.print(f"{cure.cause}: {cure.change}", soft_wrap=True)
        out.print(f"run {cure.tried[:8]}, {cure.variant}: {cure.said}", soft_wrap=True)
        less = "it helped the loss alone" if cure.helped else "it did not help"
        out.print("it helped" if cure.scored else less, style="bold")
