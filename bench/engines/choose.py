"""Chooses the engine that trains the runs of a plan, from plain options. Loads no torch.

Every engine must be closed: `with closing(engine_of(...)) as engine:`.

A command that torchrun started has an engine that no option names. The functions here answer for
it too, so that their callers treat all engines the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.engines import torchrun
from bench.engines.contract import Engine, Job, Limits
from bench.engines.local import LocalEngine, check_workers, cores
from bench.specs import EXECUTIONS, RunSpec
from tasks.choices import one_of

ENGINES = ("local", "ray")
"""Engines that a user can ask for."""


@dataclass(frozen=True)
class EngineOptions:
    """The engine that trains runs, and the limits of one run.

    Attributes:
        name: `local` or `ray`.
        workers: Worker processes of the local engine. None for one per core, or one on CUDA, where
            runs that share a device would disturb each other's timings.
        address: Address of a Ray cluster; None starts one on this machine.
        minutes: Time limit of one run; 0 for none.
        gibibytes: Memory limit of one run's process; 0 for none.
        plugins: Python files that every worker loads.
    """

    name: str = "local"
    workers: int | None = None
    address: str | None = None
    minutes: float = 0.0
    gibibytes: float = 0.0
    plugins: Sequence[Path] = ()

    @property
    def limits(self) -> Limits:
        """Return the limits in seconds and bytes."""
        return Limits(self.minutes * 60, self.gibibytes * 2**30)

    @property
    def spreads_runs(self) -> bool:
        """Return whether anything here says how runs are spread over processes."""
        named = self.name != "local" or self.workers is not None or self.address is not None
        return named or self.limits != Limits()


def check_options(options: EngineOptions) -> None:
    """Raise ValueError for options that no plan can be run with, before a plan is made."""
    one_of("engine", options.name, ENGINES)
    if options.workers is not None and options.name == "local":
        check_workers(options.workers)
    options.limits  # noqa: B018 - which refuses limits that cannot be kept


def engine_of(options: EngineOptions, device: str, runs: int, store: Path) -> Engine:
    """Return the engine that options ask for; it must be closed.

    Args:
        options: Which engine, and its limits.
        device: `cpu` or `cuda`.
        runs: Number of runs to do; the local engine starts no more workers than that.
        store: Folder of the store; corpora are in its folder `data`.

    Raises:
        ValueError: Options contradict each other.
        EngineError: The engine cannot be started.
    """
    one_of("engine", options.name, ENGINES)
    if torchrun.process_count() > 1:
        return _torchrun(options, device, store)
    if options.name == "ray":
        return _ray(options, device, store)
    if options.address is not None:
        raise ValueError("--address is a Ray cluster's; add --engine ray")
    workers = options.workers
    if workers is None:
        workers = min(1 if device == "cuda" else cores(), runs)
    return LocalEngine(workers, store / "data", options.plugins, options.limits)


def _torchrun(options: EngineOptions, device: str, store: Path) -> Engine:
    if options.spreads_runs:
        raise ValueError(torchrun.TORCHRUN_ALONE)
    from bench.engines.torchrun_engine import TorchrunEngine

    return TorchrunEngine(store / "data", device)


def _ray(options: EngineOptions, device: str, store: Path) -> Engine:
    if options.workers is not None:
        raise ValueError("the cluster says how many run at once; leave --workers out")
    from bench.engines.ray_engine import RayEngine
    from bench.plan.estimate import memory
    from bench.training.process import cached_task

    def memory_of(job: Job) -> int:
        return memory(job.specs, cached_task(job.specs[0]["task"], store / "data"))

    return RayEngine(options.address, store, device, memory_of, options.plugins, options.limits)


def worker_count(options: EngineOptions, device: str, runs: int, store: Path) -> int:
    """Return how many runs an engine would train at once; raises as `engine_of` does."""
    if torchrun.process_count() > 1:
        return 1  # that engine would wait for the other processes
    engine = engine_of(options, device, runs, store)
    try:
        return engine.workers
    finally:
        engine.close()


def execution_of(asked: str, options: EngineOptions) -> str:
    """Return the execution mode that is asked for, or the only one that the engine has.

    Raises:
        ValueError: The mode is unknown, or the engine excludes it or another option.
    """
    if torchrun.process_count() > 1:
        if asked != "auto" or options.spreads_runs:
            raise ValueError(torchrun.TORCHRUN_ALONE)
        return torchrun.execution_mode()
    one_of("execution", asked, ("auto", *EXECUTIONS))
    return asked


def check_runs(specs: Sequence[RunSpec]) -> None:
    """Raise ValueError for a run that cannot be done in the execution mode of its engine."""
    torchrun.check_runs(specs)


def check_runs_are_independent() -> None:
    """Raise ValueError where the engine trains one run at a time, for a plan that still grows."""
    if torchrun.process_count() > 1:
        raise ValueError(torchrun.TORCHRUN_ALONE)


def prepare_start() -> None:
    """Set the environment variables that an engine needs before torch is loaded."""
    if torchrun.process_count() > 1:
        torchrun.silence_torch()


def is_follower() -> bool:
    """Return whether this process only trains what another, which has the store, sends it."""
    return torchrun.process_rank() > 0


def follow(device: str, store: Path) -> None:
    """Train what the process that has the store sends, until it sends no more."""
    from bench.engines import torchrun_engine

    torchrun_engine.follow(store / "data", device)
