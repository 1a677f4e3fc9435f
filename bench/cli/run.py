"""Implements `bench run`, which trains a benchmark matrix or decides between two variants."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand

from bench.cli.busy import Busy
from bench.cli.execution import execute_with_progress
from bench.cli.heeding import refuse_unheeded
from bench.cli.shared import (
    STORE,
    DeviceOption,
    NotesOption,
    PluginOption,
    StoreOption,
    TaskOption,
    console,
    load_plugins,
    plural,
    print_notice,
    say,
    store_errors,
    user_errors,
    writing,
)

if TYPE_CHECKING:
    from bench.api.run import MatrixOptions, Preview, Work
    from bench.engines.choose import EngineOptions

RERUNS = ("all", "failed")
"""Words that --rerun takes."""


class RunCommand(TyperCommand):
    """The command of `bench run`, whose option --rerun may stand without a word."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of the command; a bare --rerun is for all runs."""
        words: list[str] = []
        for word, following in zip(args, [*args[1:], ""], strict=True):
            words.append(word)
            if word == "--rerun" and following not in RERUNS:
                words.append(RERUNS[0])
        return super().parse_args(ctx, words)


class Wishes(NamedTuple):
    """Says what else is wanted of a matrix's runs, and of its tables."""

    rerun: str
    keep_weights: bool
    layers: bool
    notes: bool


def run(
    context: typer.Context,
    matrix: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A matrix of the suite (see bench list), or FILE.toml. Default: quick.",
        ),
    ] = None,
    task: TaskOption = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="AXIS",
            help="axis=a,b,c: vary this axis around --base, instead of a matrix. Repeatable.",
        ),
    ] = None,
    base: Annotated[
        str,
        typer.Option(
            metavar="VARIANT", help="The variant to vary around, as axis=value,axis=value."
        ),
    ] = "base",
    grid: Annotated[
        bool, typer.Option("--grid", help="With --vary: cross all axes with each other.")
    ] = False,
    until_decided: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="A B",
            help="Two variants, with --task and --base: add seeds until a verdict stands on each "
            "task, or up to --seeds (default: 40).",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Number of seeds, from 0 to N - 1. Default: the matrix's; with --vary as many as "
            "a verdict takes, if these are at most 8, else 3.",
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH", help="Length of training: 500steps, 2000000tokens, 3epochs or 60s."
        ),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(metavar="N", help="With --vary: examples per training step. Default: 32."),
    ] = None,
    decoding: Annotated[
        str | None,
        typer.Option(
            metavar="HOW",
            help="Decoding of the test set: greedy, beam=5 or beam=5,length_penalty=0.6.",
        ),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Plant this fault in every run, for bench doctor to find (see bench list). "
            "Repeatable: several are planted together.",
        ),
    ] = None,
    device: DeviceOption = "auto",
    execution: Annotated[
        str,
        typer.Option(
            metavar="MODE",
            help="replicas: train seeds and learning rates of a variant as one stacked model where "
            "possible; eager: train each run alone; auto: replicas on cuda, else eager.",
        ),
    ] = "auto",
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Number of worker processes, one thread each. Default: one per core."
        ),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="local, or ray to use a Ray cluster (needs the extra ray)."
        ),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="With --engine ray: address of the cluster, or auto for one that runs on this "
            "machine. Default: start one on this machine.",
        ),
    ] = None,
    time_limit: Annotated[
        float,
        typer.Option(metavar="MINUTES", help="Time limit of one run, in minutes; 0 for none."),
    ] = 0.0,
    memory_limit: Annotated[
        float,
        typer.Option(metavar="GIB", help="Memory limit of one run's process, in GiB; 0 for none."),
    ] = 0.0,
    rerun: Annotated[
        str,
        typer.Option(
            "--rerun",
            metavar="[all|failed]",
            help="Do finished runs of the matrix again: all (also without a word), or those that "
            "failed. Each keeps its outcome until it has a new one.",
        ),
    ] = "",
    keep_weights: Annotated[
        bool, typer.Option("--keep-weights", help="Keep each run's best weights, for bench try.")
    ] = False,
    layers: Annotated[
        bool,
        typer.Option(
            "--layers",
            help="Record every parameter and layer at each evaluation, for bench curves --layers "
            "and bench show RUN --layers. Changes no result.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the planned runs and the estimated hours only.")
    ] = False,
    notes: NotesOption = False,
    plugin: PluginOption = None,
    store: StoreOption = STORE,
) -> None:
    """Train a benchmark matrix and print its tables.

    Finished runs are not done again, so a matrix that was stopped resumes.
    """
    from bench.engines.choose import EngineOptions, check_options, is_follower, prepare_start

    varied = bool(vary) or base != "base"
    way = "--vary or --base" if varied else "a matrix"
    refuse_unheeded(context, "run", "--until-decided" if until_decided is not None else way)
    prepare_start()
    load_plugins(plugin)
    from bench.api.run import MatrixOptions
    from tasks.choices import one_of

    with user_errors():
        one_of("kind of runs to do again", rerun or RERUNS[0], RERUNS)
    options = MatrixOptions(
        matrix,
        task or [],
        vary or [],
        base,
        grid,
        seeds,
        budget,
        batch,
        decoding,
        "+".join(fault) if fault else None,
    )
    engines = EngineOptions(engine, workers, address, time_limit, memory_limit, plugin or [])
    with user_errors():
        check_options(engines)
    if until_decided is not None:
        with user_errors():
            _check_until_decided(options)
        _run_until_decided(until_decided, options, engines, device, execution, store)
        return
    work = _planned(options, engines, device, execution, store)
    if not is_follower():
        _print_seeds(options)
    if is_follower():
        _follow(work, store, dry_run)
    elif dry_run:
        _print_preview(work, engines, store)
    else:
        _run_matrix(work, engines, store, Wishes(rerun, keep_weights, layers, notes))


def _planned(
    options: MatrixOptions, engines: EngineOptions, device: str, execution: str, store: Path
) -> Work:
    from bench.api.device import device_of
    from bench.api.run import data_notes, matrix_of, plan_runs
    from bench.engines.choose import execution_of

    with user_errors(), Busy("building tasks and planning runs"):
        mode = execution_of(execution, engines)
        work = plan_runs(matrix_of(options), device_of(device), mode, store)
    for note in data_notes(work, store):
        print_notice(note)
    return work


def _print_seeds(options: MatrixOptions) -> None:
    """Print how many seeds a verdict takes, if these are more than there will be."""
    from bench.api.run import matrix_of, seeds_sentence

    if sentence := seeds_sentence(matrix_of(options)):
        console().print(sentence, markup=False)


def _follow(work: Work, store: Path, dry_run: bool) -> None:
    """Train what the process that has the store sends, which prints everything too."""
    from bench.engines.choose import follow

    if not dry_run:
        with user_errors():
            follow(work.plan.specs[0].device, store)


def _run_matrix(work: Work, engines: EngineOptions, store: Path, wishes: Wishes) -> None:
    """Train the runs of a plan and print its tables."""
    from bench.engines.choose import engine_of
    from results.selection import table_labels
    from results.show.tables import show_tables
    from results.summary import summarise

    specs = work.plan.specs
    with user_errors():
        chosen = engine_of(engines, specs[0].device, len(specs), store)
    with closing(chosen), writing(store) as opened:
        cost = work.cost(opened.records())
        execute_with_progress(
            opened,
            work.plan,
            cost,
            chosen,
            rerun=wishes.rerun,
            keep_weights=wishes.keep_weights,
            layers=wishes.layers,
        )
        everything, suite = list(opened.records()), opened.base()
    ids = {spec.id for spec in specs}
    records = [record for record in everything if record.id in ids]
    labels = table_labels(records, summarise(everything, suite), suite)
    left_out = work.plan.inapplicable
    show_tables(summarise(records, suite), left_out, console(), labels, all_notes=wishes.notes)


def _print_preview(work: Work, engines: EngineOptions, store: Path) -> None:
    """Print the planned runs and how long they take, without training."""
    from bench.api.run import preview
    from bench.engines.choose import worker_count

    specs = work.plan.specs
    with user_errors():
        workers = worker_count(engines, specs[0].device, len(specs), store)
        planned = preview(work, store)
    _print_plan(planned, workers)


def _print_plan(planned: Preview, workers: int) -> None:
    from bench.cli.busy import duration

    for row in planned.rows:
        how = ", as replicas" * (row.execution == "replicas")
        say(f"{row.task}  {row.variant}  {plural(row.seeds, 'seed')}, {row.budget}{how}")
    for left_out in planned.inapplicable:
        say(f"{left_out.task}  {left_out.variant}  not applicable: {left_out.reason}")
    basis = f"from {planned.measured} stored runs" if planned.measured else "by rule of thumb"
    seconds = planned.seconds / workers
    say(
        f"{planned.runs} runs, {planned.finished} of them finished; the rest takes about "
        f"{duration(seconds)} ({seconds / 3600:.2f} hours) with {plural(workers, 'worker')}, "
        f"{basis}"
    )


def _check_until_decided(options: MatrixOptions) -> None:
    """Raise a ValueError if it is not said on what two variants are to be compared."""
    from bench.engines.choose import check_runs_are_independent

    check_runs_are_independent()
    if not options.tasks:
        raise ValueError("--until-decided needs --task NAME: the task to compare the two on")


def _run_until_decided(
    names: tuple[str, str],
    options: MatrixOptions,
    engines: EngineOptions,
    device: str,
    execution: str,
    store: Path,
) -> None:
    """Add seeds to two variants until a verdict stands, and print every look at them."""
    from bench.api import until_decided
    from bench.api.device import device_of
    from bench.engines.choose import engine_of, execution_of
    from bench.engines.local import cores

    with user_errors(), Busy("building tasks and planning runs"):
        pair = until_decided.variant_pair(
            names,
            list(options.tasks),
            options.base,
            options.budget,
            options.batch,
            options.decoding,
        )
        where, mode = device_of(device), execution_of(execution, engines)
        most = until_decided.most_seeds(options.seeds)
        until_decided.check(pair, where, mode, store)
        chosen = engine_of(engines, where, cores(), store)
    out, final = console(), []
    with closing(chosen), store_errors():
        for look in until_decided.decide(
            pair, chosen, where, mode, store, most, execute_with_progress
        ):
            out.print(look.line, soft_wrap=True)
            if look.final:
                final.append(look)
    for look in final:
        out.print(look.sentence, soft_wrap=True, style="bold")
