"""Trains what a store lacks and returns its tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from difflib import get_close_matches
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from bench.api.device import device_of
from bench.api.run import MatrixOptions, Work, begin, matrix_of, plan_runs
from bench.engines.choose import EngineOptions, engine_of, execution_of
from bench.engines.driver import drive
from bench.notebook.answers import Answer
from bench.notebook.progress import progress_of
from bench.notebook.stores import Names, folder_of, names, sentences
from bench.plan.matrix import Matrix, read_listed
from bench.plan.matrix_file import parse
from bench.plugins import loading
from bench.specs import RERUNS
from results import naming
from results.seeds import Seeds, write_seeds
from results.show.tables import show_tables
from results.show.tuning import show_choices
from results.store import reading, writing
from results.summary import summarise
from tasks.choices import one_of
from variants import AXES


class TrainingWishes(NamedTuple):
    """States how the runs of a plan are done: which again, and what is kept of them."""

    rerun: str = ""
    keep_weights: bool = False
    layers: bool = False


@sentences()
def run(
    task: Names = None,
    *,
    matrix: str | Path | Mapping[str, Any] | None = None,
    base: str = "",
    grid: bool = False,
    seeds: Seeds | None = None,
    budget: str | None = None,
    stop: str | None = None,
    batching: str | None = None,
    batch: int | None = None,
    decoding: str | None = None,
    tune: Mapping[str, Sequence[Any]] | None = None,
    fault: Names = None,
    device: str = "auto",
    execution: str = "auto",
    workers: int | None = None,
    rerun: str = "",
    keep_weights: bool = False,
    layers: bool = False,
    store: str | Path | None = None,
    **axes: Any,
) -> Answer:
    """Train variants on tasks and return their tables; finished runs are not done again.

        bench.run("reversal", cell=["gru", "lstm"], attention=["none", "dot"], seeds=5)
        bench.run(matrix="quick")

    Args:
        task: Labels or names of tasks; with a matrix, only these of it.
        matrix: A matrix of the suite, the path of a TOML file, or such a file's content as a dict.
        base: The variant to vary around, as `axis=value,axis=value`.
        grid: Cross all varied axes instead of changing one at a time.
        seeds: How many from 0 on, or which: `"100:110"` or `range(100, 110)` for 100 to 109.
        budget: `500steps`, `2000000tokens`, `3epochs` or `60s`.
        stop: When training ends: `budget`, or already at the task's target, `solved`.
        batching: Batches of like lengths, `length`, or in random order, `random`.
        batch: Examples per training step; not with a matrix.
        decoding: `greedy` or `beam=5`, of the test set.
        tune: Candidates by axis, of which one is chosen for each variant by validation, on seeds
            that are not reported: `{"learning_rate": [1e-3, 3e-3, 1e-2]}`.
        fault: A fault to plant in every run, or several, for `bench.diagnose` to find.
        device: `auto`, `cpu` or `cuda`.
        execution: `replicas`, `eager` or `auto`, as of `bench run`.
        workers: Processes that train at the same time; None for one per core.
        rerun: Do finished runs again: `all`, or those that `failed`. Each keeps its outcome until
            it has a new one.
        keep_weights: Keep each run's best weights, for `bench.load`.
        layers: Record every parameter and layer at each evaluation, for `bench show RUN --layers`.
        store: Folder of the store; None for BENCH_STORE or `.bench`.
        axes: A list varies an axis, a single value belongs to the base: `hidden=128`.

    Raises:
        ValueError: Something given is wrong, or no run can be started.
    """
    folder = folder_of(store)
    one_of("kind of runs to do again", rerun or RERUNS[0], RERUNS)
    _check_arguments(axes)
    planted = "+".join(names(fault) or ()) or None
    options = replace(
        _options(task, base, grid, seeds, budget, stop, batch, decoding, planted, tune, axes),
        batching=batching,
    )
    chosen = _matrix(matrix, options)
    engines = EngineOptions(workers=workers, plugins=loading.files())
    where, mode = device_of(device), execution_of(execution, engines)
    work = plan_runs(chosen, where, mode, folder)
    while not work.final:
        _train(work, engines, folder, TrainingWishes())
        work = plan_runs(chosen, where, mode, folder, redo=False)
    _train(work, engines, folder, TrainingWishes(rerun, keep_weights, layers))
    ids = {spec.id for spec in work.plan.specs}
    with reading(folder) as opened:
        # read among all, which know what tuning chose
        records = [record for record in opened.records() if record.id in ids]
        rows, suite = summarise(records, opened.base()), opened.base()

    def draw(console: Console) -> None:
        if work.choices:
            show_choices(work.choices, suite, console)
        show_tables(rows, work.plan.inapplicable, console)

    return Answer(rows, draw)


def _train(work: Work, engines: EngineOptions, folder: Path, wishes: TrainingWishes) -> None:
    """Train the runs of a plan that the store does not hold."""
    specs = work.plan.specs
    engine = engine_of(engines, specs[0].device, len(specs), folder)
    with closing(engine), writing(folder) as opened:
        cost = work.cost(opened.all_runs())
        todo = begin(opened, work.plan, wishes.rerun)
        if todo:
            with progress_of({s.id: s for s in todo}, cost, engine.workers) as progress:
                drive(
                    todo,
                    cost,
                    opened,
                    engine,
                    progress,
                    wishes.keep_weights,
                    wishes.layers,
                    origins=work.plan.origins,
                )


def _check_arguments(axes: Mapping[str, Any]) -> None:
    """Raise ValueError for a name that is an argument's, misspelt, rather than an axis's."""
    arguments = [*signature(run).parameters]
    for name in axes:
        near = get_close_matches(name, [*AXES, *arguments], n=1, cutoff=0.5)
        if name not in AXES and near and near[0] in arguments:
            raise ValueError(f"{name} is no argument and no axis; did you mean {near[0]}?")


def _options(
    task: Names,
    base: str,
    grid: bool,
    seeds: Seeds | None,
    budget: str | None,
    stop: str | None,
    batch: int | None,
    decoding: str | None,
    fault: str | None,
    tune: Mapping[str, Sequence[Any]] | None,
    axes: Mapping[str, Any],
) -> MatrixOptions:
    """Return what the command line would have been given."""
    lists = {axis: value for axis, value in axes.items() if _is_list(value)}
    fixed = [f"{axis}={naming.text(v)}" for axis, v in axes.items() if axis not in lists]
    whole = ",".join([*filter(None, [base]), *fixed]) or "base"
    vary, tuned = (
        [f"{axis}={','.join(map(naming.text, values))}" for axis, values in listed.items()]
        for listed in (lists, tune or {})
    )
    return MatrixOptions(
        tasks=names(task) or [],
        vary=vary,
        base=whole,
        grid=grid,
        seeds=seeds,
        budget=budget,
        batch=batch,
        decoding=decoding,
        fault=fault,
        stop=stop,
        tune=tuned,
    )


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _matrix(given: str | Path | Mapping[str, Any] | None, options: MatrixOptions) -> Matrix:
    """Return the matrix that a caller means."""
    if isinstance(given, Mapping):
        if options.vary or options.base != "base":
            raise ValueError("matrix is a dict, which has its own variants; leave out the axes")
        matrix = parse(_toml(given), "matrix")
        labels = list(options.tasks)
        matrix = matrix.narrowed(labels) if labels else matrix
        matrix = matrix.changed(
            options.seeds,
            options.budget,
            options.decoding,
            options.fault,
            options.stop,
            options.batching,
        )
        return matrix.tuned(read_listed("tune", options.tune)) if options.tune else matrix
    if given is not None:
        options = MatrixOptions(**{**vars(options), "matrix": str(given)})
    elif not options.varies and options.tasks:
        # a task alone means its base variant there, not the quick matrix's choice of variants
        options = MatrixOptions(**{**vars(options), "vary": ["cell=gru"]})
    return matrix_of(options)


def _toml(matrix: Mapping[str, Any]) -> str:
    """Return a dict as TOML, whose values are written as JSON writes them."""
    lines = [f"{key} = {_toml_value(v)}" for key, v in matrix.items() if key != "block"]
    for block in matrix.get("block", ()):
        lines.append("[[block]]")
        for key, value in block.items():
            pairs = value.items() if isinstance(value, Mapping) else [(None, value)]
            lines += [f"{key}{f'.{k}' if k else ''} = {_toml_value(v)}" for k, v in pairs]
    return "\n".join(lines)


def _toml_value(value: Any) -> str:
    return json.dumps(write_seeds(value) if isinstance(value, range) else value)
