"""Chooses the engine that trains the runs of a plan, from plain options. Loads no torch.

Every engine must be closed: `with closing(choose(...)) as engine:`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from bench.engines.contract import Engine, Job, Limits
from bench.engines.local import LocalEngine, cores
from tasks.choices import one_of

ENGINES = ("local", "ray")
"""Engines that a user can ask for; under torchrun there is one of its own."""
TORCHRUN_ALONE = (
    "under torchrun all processes train one model; leave out --until-decided, "
    "--workers, --engine, --address, --execution and limits"
)
"""Says that torchrun does not go together with other ways to spread runs."""


def torchrun_processes() -> int:
    """Return how many processes torchrun started together; 1 without torchrun."""
    return _number("WORLD_SIZE", 1)


def torchrun_rank() -> int:
    """Return this process's number among those of torchrun; process 0 has the store."""
    return _number("RANK", 0)


def _number(variable: str, default: int) -> int:
    text = os.environ.get(variable, "")
    return int(text) if text.isdecimal() else default


def choose(
    name: str,
    store: Path,
    device: str,
    runs: int,
    *,
    workers: int | None = None,
    address: str | None = None,
    plugins: Sequence[Path] = (),
    limits: Limits | None = None,
    processes: int = 1,
) -> Engine:
    """Return the engine that trains the runs of a plan.

    Args:
        name: `local` or `ray`.
        store: folder of the store; corpora are in its folder `data`.
        device: `cpu` or `cuda`.
        runs: how many runs there are to do; the local engine starts no more workers than that.
        workers: processes of the local engine; by default one for each core, and one on CUDA,
            where runs that share a device would disturb each other's timings.
        address: of a Ray cluster; None starts one on this machine alone.
        plugins: files that every worker loads.
        limits: time and memory that one run may take.
        processes: how many processes torchrun started; above 1 all of them train each run.

    Raises:
        ValueError: where options do not go together.
        EngineError: where the engine cannot be started.
    """
    one_of("engine", name, ENGINES)
    limits = limits or Limits()
    if processes > 1:
        if name != "local" or workers is not None or address is not None or limits != Limits():
            raise ValueError(TORCHRUN_ALONE)
        from bench.engines.torchrun import TorchrunEngine

        return TorchrunEngine(store / "data", device)
    if name == "ray":
        if workers is not None:
            raise ValueError("the cluster says how many run at once; leave --workers out")
        return _ray(store, device, address, plugins, limits)
    if address is not None:
        raise ValueError("--address is a Ray cluster's; add --engine ray")
    if workers is None:
        workers = min(1 if device == "cuda" else cores(), runs)
    return LocalEngine(workers, store / "data", plugins, limits)


def _ray(
    store: Path, device: str, address: str | None, plugins: Sequence[Path], limits: Limits
) -> Engine:
    from bench.engines.ray_engine import RayEngine
    from bench.plan.estimate import memory
    from bench.training.process import cached_task

    def memory_of(job: Job) -> int:
        return memory(job.specs, cached_task(job.specs[0]["task"], store / "data"))

    return RayEngine(address, store, device, memory_of, plugins, limits)
