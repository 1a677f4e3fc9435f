"""A process that trains one run after another for the local engine."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple


class Job(NamedTuple):
    """Runs that are trained together, which differ only in seed or learning rate; or one. weights:
    where to keep each run's weights, or None."""

    specs: tuple[dict[str, Any], ...]
    weights: tuple[Path | None, ...]


class Event(NamedTuple):
    """What happened to a run: `started`, `point`, `finished`, `lost` (it will start again) or
    `refused` (nothing like it can be run now)."""

    kind: str
    id: str
    value: Mapping[str, Any]


def work(connection: Connection, data: Path, threads: int, files: tuple[Path, ...]) -> None:
    """Take jobs from the engine until it hangs up, and send it events. files: plugins."""
    # Ctrl-C reaches the whole group of processes; the engine decides
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    # without it cuBLAS does not promise the same numbers twice; read when torch is loaded
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, jobs), daemon=True).start()

    from bench import plugins
    from bench.runner import RunError, execute_group, prepare_process, settle
    from bench.specs import RunSpec

    broken = ""
    try:
        plugins.load_installed()  # the driver has said what will not do
        plugins.load(files)
    except plugins.PluginError as error:
        broken = str(error)
    prepare_process(threads)
    while True:
        job = jobs.get()
        specs = [RunSpec.read(plain) for plain in job.specs]
        for spec in specs:
            _send(connection, Event("started", spec.id, {}))
        if broken:
            _send(connection, Event("refused", specs[0].id, {"reason": broken}))
            continue
        try:
            records = execute_group(
                specs, data, [_reporter(connection, spec.id) for spec in specs], job.weights
            )
        except RunError as error:
            _send(connection, Event("refused", specs[0].id, {"reason": str(error)}))
            continue
        for record in records:
            _send(connection, Event("finished", record["id"], record))
        settle()


def _reporter(connection: Connection, run: str) -> Callable[[Any, Any], None]:
    def report(point: Any, clock: Any) -> None:
        _send(connection, Event("point", run, {"point": point, "clock": clock}))

    return report


def _listen(connection: Connection, jobs: queue.SimpleQueue[Job]) -> None:
    """Jobs as they come; the process ends when the engine is gone, even in mid-run."""
    while True:
        try:
            jobs.put(connection.recv())
        except (EOFError, OSError):
            os._exit(0)


def _send(connection: Connection, event: Event) -> None:
    try:
        connection.send(event)
    except OSError:
        os._exit(0)
