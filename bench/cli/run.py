"""Implements `bench run`, which trains a benchmark matrix or decides between two variants."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer
from typer.core import TyperCommand

from bench.cli.execution import execute_with_progress
from bench.cli.heeding import refuse_unheeded
from bench.cli.run_options import (
    AddressOption,
    BaseOption,
    BatchingOption,
    BatchOption,
    BudgetOption,
    DecodingOption,
    DryRunOption,
    EngineOption,
    EveryOption,
    ExecutionOption,
    FaultOption,
    GridOption,
    KeepWeightsOption,
    LayersOption,
    MatrixOption,
    MemoryLimitOption,
    RerunOption,
    SeedsOption,
    StopOption,
    TimeLimitOption,
    TuneOption,
    UntilDecidedOption,
    VaryOption,
    WorkersOption,
)
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
    reading,
    say,
    store_errors,
    user_errors,
    writing,
)
from bench.cli.terminal.busy import Busy
from bench.specs import RERUNS

if TYPE_CHECKING:
    from bench.api.run import MatrixOptions, Preview, Work
    from bench.engines.choose import EngineOptions


class RunCommand(TyperCommand):
    """The command of `bench run`, whose option --rerun may stand without a word."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of the command; a bare --rerun is for all runs."""
        words: list[str] = []
        for word, following in zip(args, [*args, ""][1:], strict=True):
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
    matrix: MatrixOption = None,
    task: TaskOption = None,
    vary: VaryOption = None,
    base: BaseOption = "base",
    grid: GridOption = False,
    tune: TuneOption = None,
    until_decided: UntilDecidedOption = None,
    seeds: SeedsOption = None,
    budget: BudgetOption = None,
    stop: StopOption = None,
    batching: BatchingOption = None,
    batch: BatchOption = None,
    every: EveryOption = None,
    decoding: DecodingOption = None,
    fault: FaultOption = None,
    device: DeviceOption = "auto",
    execution: ExecutionOption = "auto",
    workers: WorkersOption = None,
    engine: EngineOption = "local",
    address: AddressOption = None,
    time_limit: TimeLimitOption = 0.0,
    memory_limit: MemoryLimitOption = 0.0,
    rerun: RerunOption = "",
    keep_weights: KeepWeightsOption = False,
    layers: LayersOption = False,
    dry_run: DryRunOption = False,
    notes: NotesOption = False,
    plugin: PluginOption = None,
    store: StoreOption = STORE,
) -> None:
    """Train a benchmark matrix and print its tables.

    Finished runs are not done again, so a matrix that was stopped resumes.
    """
    from bench.engines.choose import EngineOptions, check_options, is_follower, prepare_start

    refuse_unheeded(context, "run", _way(vary, base, until_decided, bool(tune) and not matrix))
    prepare_start()
    load_plugins(plugin)
    from bench.api.run import MatrixOptions

    _check_rerun(rerun)
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
        stop,
        every,
        tune or [],
        batching,
    )
    engines = EngineOptions(engine, workers, address, time_limit, memory_limit, plugin or [])
    with user_errors():
        check_options(engines)
    if until_decided is not None:
        _run_until_decided(until_decided, options, engines, device, execution, store)
        return

    def planned(redo: bool = True) -> Work:
        return _planned(options, engines, device, execution, store, redo)

    work = planned()
    if is_follower():
        _follow(work, store, dry_run)
        return
    _print_seeds(options)
    if dry_run:
        _print_preview(work, engines, store, rerun)
    else:
        work = _tune(work, engines, store, planned)
        _run_matrix(work, engines, store, Wishes(rerun, keep_weights, layers, notes))


def _check_rerun(rerun: str) -> None:
    """Refuse a kind of runs to do again that there is not."""
    from tasks.choices import one_of

    if rerun:
        with user_errors():
            one_of("kind of runs to do again", rerun, RERUNS)


def _way(
    vary: list[str] | None, base: str, until_decided: tuple[str, str] | None, tuned: bool
) -> str:
    """Return in which way runs were asked for, as HEEDED names it."""
    if until_decided is not None:
        return "--until-decided"
    if vary:
        return "--vary"
    return "--base" if base != "base" or tuned else "a matrix"


def _planned(
    options: MatrixOptions,
    engines: EngineOptions,
    device: str,
    execution: str,
    store: Path,
    redo: bool,
) -> Work:
    from bench.api.device import device_of
    from bench.api.run import data_notes, matrix_of, plan_runs
    from bench.engines.choose import execution_of

    with user_errors(), Busy("building tasks and planning runs"):
        mode = execution_of(execution, engines)
        work = plan_runs(matrix_of(options), device_of(device), mode, store, redo)
    for note in data_notes(work, store) if redo else ():
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


def _tune(work: Work, engines: EngineOptions, store: Path, planned: Callable[[bool], Work]) -> Work:
    """Train the runs that tune, and return the plan of those that are reported."""
    from results.show.tuning import show_choices

    while not work.final:
        say(f"tuning: {plural(len(work.plan.specs), 'run')}, which choose by validation alone")
        _train(work, engines, store, Wishes("", False, False, False))
        work = planned(False)
    if work.choices:
        with reading(store) as opened:
            suite = opened.base()
        show_choices(work.choices, suite, console())
    return work


def _train(work: Work, engines: EngineOptions, store: Path, wishes: Wishes) -> None:
    """Train the runs of a plan that the store does not hold."""
    from bench.engines.choose import engine_of

    specs = work.plan.specs
    with user_errors(), Busy("starting the engine"):
        chosen = engine_of(engines, specs[0].device, len(specs), store)
    with closing(chosen), writing(store) as opened:
        execute_with_progress(
            opened,
            work.plan,
            work.cost(opened.all_runs()),
            chosen,
            rerun=wishes.rerun,
            keep_weights=wishes.keep_weights,
            layers=wishes.layers,
        )


def _run_matrix(work: Work, engines: EngineOptions, store: Path, wishes: Wishes) -> None:
    """Train the runs of a plan and print its tables."""
    from results.grouping import grouped
    from results.selection import table_labels
    from results.show.tables import show_tables
    from results.summary import summarise, summarise_groups

    _train(work, engines, store, wishes)
    with reading(store) as opened:
        everything, suite = list(opened.records()), opened.base()
    ids = {spec.id for spec in work.plan.specs}
    groups = grouped(record for record in everything if record.id in ids)
    labels = table_labels(groups, summarise(everything, suite), suite)
    left_out = work.plan.inapplicable
    rows = summarise_groups(groups, suite)
    show_tables(rows, left_out, console(), labels, all_notes=wishes.notes)


def _print_preview(work: Work, engines: EngineOptions, store: Path, rerun: str) -> None:
    """Print the planned runs and how long they take, without training."""
    from bench.api.run import preview
    from bench.engines.choose import worker_count

    specs = work.plan.specs
    with user_errors():
        workers = worker_count(engines, specs[0].device, len(specs), store)
        planned = preview(work, store, rerun)
        later = None if work.later is None else preview(work._replace(plan=work.later), store)
    _print_rows(planned)
    if later is not None:
        console().print(
            "The runs above tune; where a choice is the smallest or largest value, one more is "
            "tried of all variants. Then each is run with its choice:"
        )
        _print_rows(later)
        planned = planned._replace(
            runs=planned.runs + later.runs, seconds=planned.seconds + later.seconds
        )
    _print_total(planned, workers)


def _print_rows(planned: Preview) -> None:
    for row in planned.rows:
        how = ", as replicas" * (row.execution == "replicas")
        say(f"{row.task}  {row.variant}  {plural(row.seeds, 'seed')}, {row.budget}{how}")
    for left_out in planned.inapplicable:
        say(f"{left_out.task}  {left_out.variant}  not applicable: {left_out.reason}")


def _print_total(planned: Preview, workers: int) -> None:
    from bench.cli.terminal.busy import duration

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

    with user_errors():
        _check_until_decided(options)
    with user_errors(), Busy("building tasks and planning runs"):
        pair = until_decided.variant_pair(
            names,
            list(options.tasks),
            options.base,
            options.budget,
            options.batch,
            options.decoding,
            options.every,
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
