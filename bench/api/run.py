"""Makes a matrix from options, plans its runs, and does those that a store does not hold.

For example:

    matrix = matrix_of(MatrixOptions(tasks=["reversal"], vary=["cell=gru,lstm"]))
    work = plan_runs(matrix, "cpu", "auto", folder)
    with closing(engine_of(EngineOptions(), "cpu", len(work.plan.specs), folder)) as engine:
        with writing(folder) as store:
            execute(store, work.plan, work.cost(store.all_runs()), engine)

`EngineOptions` and `engine_of` are those of `bench.engines.choose`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

from bench.engines.choose import check_runs, check_runs_are_independent
from bench.engines.contract import Engine, Event
from bench.engines.driver import Watcher, drive, to_do
from bench.plan.estimate import Estimate
from bench.plan.longer import going_on
from bench.plan.matrix import Matrix, Plan, check_size, from_options, plan, read_listed
from bench.plan.matrix_file import read_matrix
from bench.plan.tuning import next_stage
from bench.specs import RunSpec
from bench.training.pretrained import vector_note
from bench.training.process import cached_task
from results import naming
from results import store as stores
from results.record import Record
from results.seeds import Seeds, write_seeds
from results.store import Planned, Store
from results.tuning import TunedChoice
from tasks import Task, canonical
from variants import BASE

DEFAULT_MATRIX = "quick"
"""The matrix that is run if none is named."""
DEFAULT_BUDGET = "1000steps"
"""Budget of runs that are varied around a base."""
DEFAULT_BATCH = 32
"""Examples per training step of runs that are varied around a base."""

Cost = Callable[[RunSpec], float]
"""Estimates the seconds that a run takes."""
Execute = Callable[[Store, Plan, Cost, Engine], None]
"""Does the runs of a plan that the store does not hold."""


@dataclass(frozen=True)
class MatrixOptions:
    """A matrix by name, or axes varied around a base, and what to change throughout.

    Attributes:
        matrix: A matrix of the suite, or a TOML file; None for `quick`.
        tasks: Only these tasks of the matrix; with vary or base, the tasks to run on. A task that
            `quick` does not hold is run with the base alone, unless a matrix is named.
        vary: `axis=a,b,c` each, varied around the base instead of a matrix.
        base: The variant to vary around, as `axis=value,axis=value`.
        grid: Cross all varied axes instead of changing one at a time.
        seeds: How many from 0 on, or `100:110`; None for the matrix's own, or with vary for as
            many as a verdict on the axes takes, if two values or more vary.
        budget: `500steps`, `2000000tokens`, `3epochs` or `60s`; None for the matrix's own.
        batch: Examples per training step; only with vary or base.
        decoding: Decoding of the test set, `greedy` or `beam=5`; None for the matrix's own.
        fault: A fault to plant in every run, or several joined by +.
        stop: When training ends, of `bench.specs.STOPS`; None for the matrix's own.
        batching: Kind of batches, of `bench.specs.BATCHING`; None for the matrix's own.
        every: Steps between two evaluations, only with vary or base; None for what the budget asks.
        tune: `axis=a,b,c` each, of which one is chosen for each variant on seeds of its own.
    """

    matrix: str | None = None
    tasks: Sequence[str] = ()
    vary: Sequence[str] = ()
    base: str = "base"
    grid: bool = False
    seeds: Seeds | None = None
    budget: str | None = None
    batch: int | None = None
    decoding: str | None = None
    fault: str | None = None
    stop: str | None = None
    every: int | None = None
    tune: Sequence[str] = ()
    batching: str | None = None

    @property
    def varies(self) -> bool:
        """Return whether these options describe variants of their own, not a named matrix."""
        own = bool(self.vary) or self.base != "base"
        return own or (bool(self.tune) and self.matrix is None)


class Work(NamedTuple):
    """A plan together with the tasks that it needs, built.

    final: these are the runs that are reported. Where they are not, they tune: do them, and plan
    again. choices: what tuning chose, once it is final. later: until then, the runs that are
    reported, as they would be without tuning.
    """

    plan: Plan
    tasks: Mapping[str, Task]
    final: bool = True
    choices: tuple[TunedChoice, ...] = ()
    later: Plan | None = None

    def cost(self, records: Iterable[Record]) -> Estimate:
        """Return an estimate of each run's seconds, scaled by finished runs of these tasks."""
        return Estimate(self.tasks, records)


def matrix_of(options: MatrixOptions) -> Matrix:
    """Return the matrix that options describe; ValueError for what is wrong with them."""
    if options.varies or _base_alone(options):
        matrix = _varied(options)
        budget = None  # already in it
    else:
        matrix, budget = _read(options), options.budget
    matrix = matrix.changed(
        options.seeds, budget, options.decoding, options.fault, options.stop, options.batching
    )
    return matrix.tuned(read_listed("--tune", options.tune)) if options.tune else matrix


def _base_alone(options: MatrixOptions) -> bool:
    """Return whether a task is asked for that the default matrix does not hold."""
    if options.matrix is not None or not options.tasks:
        return False
    held = {task for block in read_matrix(DEFAULT_MATRIX).blocks for task in block.tasks}
    held |= {label.partition(":")[0] for label in held}
    return not held.issuperset(canonical(label) for label in options.tasks)


def _varied(options: MatrixOptions) -> Matrix:
    """Return a matrix of variants around a base."""
    if options.matrix is not None:
        raise ValueError("--vary and --base make a matrix of their own; leave --matrix out")
    if not options.tasks:
        raise ValueError("--vary, --base and --tune need to know on what; add --task NAME")
    matrix = from_options(
        list(options.tasks),
        options.base,
        list(options.vary),
        options.grid,
        options.budget or DEFAULT_BUDGET,
        DEFAULT_BATCH if options.batch is None else options.batch,
        options.every or 0,
    )
    return matrix.changed(enough_seeds()) if _compares(matrix) else matrix


def enough_seeds() -> int:
    """Return the number of seeds from which an effect can become significant, if it is large.

    With fewer, not even the largest could (`results.stats.inference`).
    """
    from results.stats.inference import ALPHA, fewest_pairs

    return fewest_pairs(ALPHA)


def _compares(matrix: Matrix) -> bool:
    """Return whether some axis of a matrix has two values or more."""
    for block in matrix.blocks:
        base = asdict(block.base)
        for axis, values in (*block.star.items(), *block.grid.items()):
            levels = {*values, base[axis]} if axis in base and block.with_base else {*values}
            if len(levels) > 1:
                return True
    return False


def seeds_sentence(matrix: Matrix) -> str:
    """Return what the seeds of a matrix can show, if they are too few for any verdict."""
    enough, fewest = enough_seeds(), min((block.seeds for block in matrix.blocks), key=len)
    seeds, wanted = len(fewest), range(fewest.start, fewest.start + enough)
    if seeds >= enough or not _compares(matrix):
        return ""
    return (
        f"{'1 seed shows' if seeds == 1 else f'{seeds} seeds show'} the spread; even a large "
        f"effect is significant only from {enough} seeds: --seeds {write_seeds(wanted)}, or, for "
        "two variants, bench run --until-decided A B --task NAME"
    )


def _read(options: MatrixOptions) -> Matrix:
    """Return a matrix of the suite or of a file, narrowed to the tasks asked for."""
    if options.grid or options.batch is not None or options.every is not None:
        raise ValueError("--grid, --batch and --every go with --vary; a matrix has its own")
    matrix = read_matrix(options.matrix or DEFAULT_MATRIX)
    labels = [canonical(task) if ":" in task else task for task in options.tasks]
    return matrix.narrowed(labels) if labels else matrix


def plan_runs(matrix: Matrix, device: str, execution: str, folder: Path, redo: bool = True) -> Work:
    """Build the tasks of a matrix and plan its runs, or first those that tune.

    Args:
        matrix: What is to be run.
        device: `cpu` or `cuda`.
        execution: An execution mode, or `auto`.
        folder: The store, which holds corpora in its folder `data`.
        redo: Tuning runs that failed by the machine's fault are to be done again; False where they
            just were.

    Raises:
        ValueError: An option is wrong, or no combination applies.
    """
    check_size(matrix)
    labels = sorted({label for block in matrix.blocks for label in block.tasks})
    tasks = {label: cached_task(label, folder / "data") for label in labels}

    def plan_of(asked: Matrix) -> Plan:
        return plan(asked, tasks, device, folder / "data", execution)

    if not any(block.tune for block in matrix.blocks):
        return Work(_going_on(_checked(plan_of(matrix)), folder), tasks)
    check_runs_are_independent()
    stage = next_stage(matrix, tuning_runs(folder, redo), plan_of)
    if stage.final:
        return Work(_going_on(_checked(stage.plan), folder), tasks, True, stage.choices)
    return Work(_checked(stage.plan), tasks, False, later=plan_of(matrix))


def _checked(planned: Plan) -> Plan:
    """Return a plan; raise ValueError if it is empty, or its runs cannot be done."""
    if not planned.specs:
        reasons = "; ".join(sorted({row.reason for row in planned.inapplicable}))
        raise ValueError(f"nothing of this applies: {reasons}")
    check_runs(planned.specs)
    return planned


def tuning_runs(folder: Path, redo: bool) -> list[Record]:
    """Return the tuning runs of a store that count, which need not exist."""
    if not stores.exists(folder):
        return []
    with stores.reading(folder) as store:
        again = store.again() if redo else set()
        return [record for record in store.tuning_runs() if record.id not in again]


def _going_on(planned: Plan, folder: Path) -> Plan:
    """Return a plan whose runs go on from shorter ones in the store where they can."""
    if not stores.exists(folder):
        return planned
    with stores.reading(folder) as store:
        longer = going_on(
            planned.specs, store.all_runs(), lambda run: store.training_state(run).is_file()
        )
    return replace(planned, specs=longer.specs, origins=longer.origins, anew=longer.anew)


def data_notes(work: Work, folder: Path) -> list[str]:
    """Return what a person should know of the data of a plan before it is run.

    A line for each task that left something out or has unknown symbols, and one for each use of
    word vectors.
    """
    notes = [task.summary for task in work.tasks.values() if task.summary]
    used = {
        (str(spec.variant["vectors"]), spec.task)
        for spec in work.plan.specs
        if spec.variant.get("embedding_init") == "vectors"
    }
    return notes + [
        vector_note(name, work.tasks[task], folder / "data") for name, task in sorted(used)
    ]


class PreviewRow(NamedTuple):
    """Runs of a plan that differ only in their seed."""

    task: str
    variant: str
    budget: str
    execution: str
    seeds: int


class Preview(NamedTuple):
    """A plan before it is run.

    rows: its runs. inapplicable: combinations left out. runs, finished: numbers of runs. seconds:
    estimated time of unfinished runs with one worker. measured: stored runs that the estimate
    is based on; 0 for a rule of thumb.
    """

    rows: list[PreviewRow]
    inapplicable: tuple[Planned, ...]
    runs: int
    finished: int
    seconds: float
    measured: int


def preview(work: Work, folder: Path, rerun: str = "") -> Preview:
    """Return what a plan would run and how long that takes; the store need not exist.

    rerun: which finished runs would be done once more, as in `begin`.
    """
    finished: set[str] = set()
    records: list[Record] = []
    if stores.exists(folder):
        with stores.reading(folder) as store:
            finished, records = store.ids() - store.again(), list(store.all_runs())
            finished -= _asked_again(store, rerun)
    cost = work.cost(records)
    specs = work.plan.specs
    seeds = Counter(
        (s.task, naming.name(s.variant, asdict(BASE)), s.budget.text(), s.execution) for s in specs
    )
    todo = [spec for spec in specs if spec.id not in finished]
    return Preview(
        rows=[PreviewRow(*key, count) for key, count in seeds.items()],
        inapplicable=work.plan.inapplicable,
        runs=len(specs),
        finished=len(specs) - len(todo),
        seconds=sum(cost(spec) for spec in todo),
        measured=cost.measured,
    )


class SilentWatcher:
    """A watcher that ignores all events."""

    def on_event(self, event: Event) -> None:
        """Ignore an event of the engine."""

    def on_disk_full(self) -> None:
        """Ignore that the disk is full."""


def begin(store: Store, plan: Plan, rerun: str = "") -> list[RunSpec]:
    """Record a plan as the last one and return its runs that are to be done.

    Args:
        store: Opened for writing.
        plan: The runs asked for.
        rerun: Which finished runs are to do once more, `all` or those that `failed`; empty for
            those alone that failed by the machine's fault. Each keeps its outcome until it has a
            new one.
    """
    store.set_plan(plan.rows(), asdict(BASE))
    if rerun:
        again = _asked_again(store, rerun)
        store.ask_again(spec.id for spec in plan.specs if spec.id in again)
    return to_do(plan.specs, store)


def _asked_again(store: Store, rerun: str) -> set[str]:
    """Return the ids of the finished runs that are to be done once more."""
    if not rerun:
        return set()
    return set(store.failed()) if rerun == "failed" else store.ids()


def execute(
    store: Store, plan: Plan, cost: Cost, engine: Engine, watcher: Watcher | None = None
) -> None:
    """Do the runs of a plan that the store does not hold, and keep their records in it.

    Raises:
        EngineError: No run can be started.
    """
    todo = begin(store, plan)
    if todo:
        watched = watcher or SilentWatcher()
        drive(todo, cost, store, engine, watched, keep_weights=False, origins=plan.origins)
