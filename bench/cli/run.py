"""The verbs that write to a store: run, try, drop, rebuild."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.execution import execute_with_progress
from bench.cli.shared import (
    STORE,
    CommandError,
    JsonOption,
    PluginOption,
    StoreOption,
    TaskOption,
    check_tasks,
    chosen_device,
    console,
    find_run,
    load_plugins,
    reading,
    telling,
    usage,
    writes_unicode,
    writing,
)

if TYPE_CHECKING:
    from bench.engines.contract import Engine
    from bench.plan.matrix import Matrix, Plan
    from results.store import Store
    from tasks import Task


def run(
    matrix: Annotated[
        str | None,
        typer.Option(help="A matrix of the suite (bench list), or FILE.toml. Default: quick."),
    ] = None,
    task: TaskOption = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(help="axis=a,b,c to vary around --base instead of a matrix; repeat."),
    ] = None,
    base: Annotated[str, typer.Option(help="With --vary: axis=value,axis=value.")] = "base",
    grid: Annotated[bool, typer.Option("--grid", help="With --vary: cross all axes.")] = False,
    until_decided: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="A B",
            help="Two variants (--task, --base, --budget go with it): seeds are added, what is "
            "nearest to a verdict first, until each task has one, or up to --seeds (40).",
        ),
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Seeds 0 to N - 1.")] = None,
    budget: Annotated[
        str | None, typer.Option(help="500steps, 2000000tokens or 60s of training.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(help="With --vary: examples a step. Default: 32.")
    ] = None,
    decoding: Annotated[
        str | None, typer.Option(help="Of test: greedy, beam=5 or beam=5,length_penalty=0.6.")
    ] = None,
    fault: Annotated[
        str | None,
        typer.Option(help="Plant this in every run, for bench doctor to find; see bench list."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    execution: Annotated[
        str,
        typer.Option(
            help="replicas: seeds and learning rates of a variant as one stacked model, where "
            "that can be; eager: each by itself; auto: replicas on cuda."
        ),
    ] = "auto",
    workers: Annotated[
        int | None, typer.Option(help="Processes, one thread each. Default: one a core.")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="local, or ray: on a Ray cluster (needs the extra ray).")
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            help="With --engine ray: of the cluster, auto for one that runs here. Default: one of "
            "this machine alone is started."
        ),
    ] = None,
    time_limit: Annotated[
        float, typer.Option(help="Minutes that one run may take; 0 for any.")
    ] = 0.0,
    memory_limit: Annotated[
        float, typer.Option(help="GiB that the process of one run may hold; 0 for any.")
    ] = 0.0,
    rerun: Annotated[
        bool, typer.Option("--rerun", help="Forget finished runs and do them again.")
    ] = False,
    keep_weights: Annotated[
        bool, typer.Option("--keep-weights", help="Keep each run's best weights, for bench try.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the runs and the estimated hours.")
    ] = False,
    plugin: PluginOption = None,
    store: StoreOption = STORE,
) -> None:
    """Run a benchmark matrix, go on where it was stopped, and print its tables."""
    from bench.engines.choose import TORCHRUN_ALONE, choose, torchrun_processes, torchrun_rank

    together = torchrun_processes()
    if together > 1:
        # read as torch is loaded; it warns at length of what it was told to look for
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
        others = (until_decided, workers, address, time_limit or None, memory_limit or None)
        if engine != "local" or execution != "auto" or others != (None,) * len(others):
            raise CommandError(TORCHRUN_ALONE)
        execution = f"ddp:{together}"

    from bench.engines.contract import Limits
    from bench.engines.local import LocalEngine, cores
    from bench.plan.estimate import Estimate
    from bench.plan.matrix import plan
    from bench.specs import EXECUTIONS
    from bench.training.process import cached_task
    from tasks.choices import one_of

    load_plugins(plugin)

    def engine_of(where: str, count: int) -> Engine:
        limits = Limits(time_limit * 60, memory_limit * 2**30)
        if dry_run and together > 1:
            return LocalEngine(1, store / "data")
        with _engine_errors():
            return choose(
                engine,
                store,
                where,
                count,
                workers=workers,
                address=address,
                plugins=plugin or [],
                limits=limits,
                processes=together,
            )

    if until_decided is not None:
        from bench.cli.until_decided import MOST, decide, question

        with usage():
            if matrix is not None or vary or grid or dry_run or rerun or keep_weights or not task:
                raise ValueError(
                    "--until-decided needs --task NAME, and goes with --base, --budget, --batch, "
                    "--decoding and --seeds alone"
                )
            asked_pair = question(until_decided, task, base, budget, batch, decoding)
            where = chosen_device(device)
            one_of("execution", execution, ("auto", *EXECUTIONS))
            chosen_engine = engine_of(where, cores())
            most = MOST if seeds is None else seeds
            decide(asked_pair, most, chosen_engine, where, execution, store)
        return
    with usage():
        asked = _matrix(matrix, task or [], vary or [], base, grid, budget, batch)
        asked = asked.changed(seeds, None if vary else budget, decoding, fault)
        labels = sorted({label for block in asked.blocks for label in block.tasks})
        tasks = {label: cached_task(label, store / "data") for label in labels}
        if together == 1:
            one_of("execution", execution, ("auto", *EXECUTIONS))
        planned = plan(asked, tasks, chosen_device(device), store / "data", execution)
    if not planned.specs:
        reasons = "; ".join(sorted({row.reason for row in planned.inapplicable}))
        raise CommandError(f"nothing of this applies: {reasons}")
    with usage():
        if torchrun_rank():
            from bench.engines.torchrun import follow

            if not dry_run:
                with _engine_errors():
                    follow(store / "data", planned.specs[0].device)
            return
        chosen_engine = engine_of(planned.specs[0].device, len(planned.specs))
    try:
        if dry_run:
            _dry(planned, tasks, store, chosen_engine.workers)
            return
        with writing(store) as opened:
            cost = Estimate(tasks, opened.records())
            execute_with_progress(
                opened, planned, cost, chosen_engine, rerun=rerun, keep_weights=keep_weights
            )
            _print_tables(opened, planned)
    finally:
        chosen_engine.close()


@contextmanager
def _engine_errors() -> Iterator[None]:
    """What keeps an engine from starting is the sentence."""
    from bench.engines.contract import EngineError

    try:
        yield
    except EngineError as error:
        raise CommandError(str(error), 3) from error


def _matrix(
    name: str | None,
    labels: list[str],
    vary: list[str],
    base: str,
    grid: bool,
    budget: str | None,
    batch: int | None,
) -> Matrix:
    from bench.plan.matrix import from_options
    from bench.plan.matrix_file import named
    from tasks import canonical

    if vary or base != "base":
        if name is not None:
            raise ValueError("--vary and --base make a matrix of their own; leave --matrix out")
        if not labels:
            raise ValueError("--vary and --base need to know on what; add --task NAME")
        examples = 32 if batch is None else batch
        return from_options(labels, base, vary, grid, budget or "1000steps", examples)
    if grid or batch is not None:
        raise ValueError("--grid and --batch go with --vary; a matrix has its own")
    read = named(name or "quick")
    return read.narrowed([_label(label, canonical) for label in labels]) if labels else read


def _label(label: str, canonical: Callable[[str], str]) -> str:
    return canonical(label) if ":" in label else label


def _dry(planned: Plan, tasks: dict[str, Task], folder: Path, workers: int) -> None:
    """Print what would run, and how long it should take."""
    from collections import Counter
    from dataclasses import asdict

    from bench.cli.progress import duration
    from bench.plan.estimate import Estimate
    from results import naming
    from variants import BASE

    done: set[str] = set()
    stored = []
    if (folder / "store.sqlite3").is_file():
        with reading(folder) as opened:
            done, stored = opened.ids(), list(opened.records())
    cost = Estimate(tasks, stored)
    seeds = Counter(
        (
            spec.task,
            naming.name(spec.variant, asdict(BASE)),
            spec.budget.text(),
            ", as replicas" * (spec.execution == "replicas"),
        )
        for spec in planned.specs
    )
    for (label, variant, limit, how), count in seeds.items():
        print(f"{label}  {variant}  {count} seed{'s' * (count > 1)}, {limit}{how}")
    for row in planned.inapplicable:
        print(f"{row.task}  {row.variant}  not applicable: {row.reason}")
    left = [spec for spec in planned.specs if spec.id not in done]
    total = sum(cost(spec) for spec in left)
    basis = f"from {cost.measured} stored runs" if cost.measured else "by rule of thumb"
    print(
        f"{len(planned.specs)} runs, {len(planned.specs) - len(left)} of them finished; the rest "
        f"takes about {duration(total / workers)} ({total / workers / 3600:.2f} hours) "
        f"with {workers} worker{'s' * (workers > 1)}, {basis}"
    )


def _print_tables(store: Store, planned: Plan) -> None:
    from results.show.terminal import show_tables
    from results.summary import summarise

    records = store.records([spec.id for spec in planned.specs])
    show_tables(summarise(records, store.base()), planned.inapplicable, console())


def try_run(
    run: Annotated[str, typer.Argument(help="A run's id, or its first digits.")],
    text: Annotated[str, typer.Argument(help="A source, as bench show prints them.")],
    decoding: Annotated[
        str | None, typer.Option(help="greedy, beam=5 ...; the run's own if left out.")
    ] = None,
    as_rows: JsonOption = False,
    plugin: PluginOption = None,
    store: StoreOption = STORE,
) -> None:
    """Give a kept model a source of your own."""
    load_plugins(plugin)
    with reading(store) as opened:
        found = find_run(opened, run)
        (record,) = opened.records([found])
        weights = opened.weights(found)
    if not weights.is_file():
        raise CommandError(
            f"run {found} kept no weights; run its matrix with --keep-weights and --rerun"
        )
    from safetensors import SafetensorError

    from bench.corpora import vectors
    from bench.plugins import loading
    from bench.specs import RunSpec
    from bench.training.decoding import read as read_decoding
    from bench.training.evaluation import run_one
    from bench.training.process import cached_task
    from bench.training.weights import load_trained
    from results.export.files import as_json

    with usage():
        spec = RunSpec.read(dict(record.spec))
        task = cached_task(spec.task, store / "data")
        if vectors.digest(task.digest(), spec.variant, store / "data") != spec.data:
            raise ValueError(f"the data of {spec.task} is not what run {found} learned from")
        if loading.digest_of(spec.task, spec.variant) != spec.plugin:
            raise ValueError(
                f"run {found} was made with a plugin that is not loaded as it was; give it with "
                "--plugin"
            )
        how = read_decoding(decoding or spec.decoding)
        ids = task.encode(text)
        if not len(ids):
            raise ValueError("the source is empty; type at least one symbol")
    try:
        model = load_trained(spec, task, store / "data", weights)
    except (SafetensorError, RuntimeError) as error:
        raise CommandError(
            f"{weights} is damaged; run its matrix with --keep-weights and --rerun"
        ) from error
    given = run_one(model, task, ids, "cpu", decoding=how)
    print(as_json([given], ascii_only=not writes_unicode()) if as_rows else given["output"])


def drop(
    runs: Annotated[list[str] | None, typer.Argument(help="Ids, or their first digits.")] = None,
    task: TaskOption = None,
    status: Annotated[
        list[str] | None, typer.Option(help="solved, finished, diverged or failed; repeat.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every run.")] = False,
    store: StoreOption = STORE,
) -> None:
    """Remove runs from the store, with their journals and weights."""
    from results.record import STATUSES
    from tasks.choices import one_of

    if not (runs or task or status or every):
        raise CommandError("nothing was chosen; give ids, --task, --status or --all")
    with usage():
        for name in status or []:
            one_of("status", name, STATUSES)
    with reading(store):
        pass  # nothing to drop from a store that is not there, and none is made
    with writing(store) as opened:
        chosen = {find_run(opened, run) for run in runs or []}
        if task:
            check_tasks(opened.records(), task)
        if task or status or every:
            chosen |= {
                record.id
                for record in opened.records()
                if (not status or record.status in status)
                and (not task or record.task in task or record.task.split(":")[0] in task)
            }
        count = opened.drop(sorted(chosen))
    print(f"{count} run{'s' * (count != 1)} removed")


def rebuild(store: StoreOption = STORE) -> None:
    """Make the database again from the journals."""
    from dataclasses import asdict

    from results import store as stores
    from variants import BASE

    with telling():
        count = stores.rebuild(store, asdict(BASE))
    print(f"{count} run{'s' * (count != 1)} in the database again")
