"""A process that trains one run after another for the local engine."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.engines.contract import Event, Job, Limits

_sending = threading.Lock()
WATCHED_EVERY = 0.2
"""Seconds between two looks at the memory of a process."""


def work(
    connection: Connection,
    data: Path,
    threads: int,
    files: tuple[Path, ...],
    limits: Limits,
    examined: bool,
) -> None:
    """Take jobs from the engine until it hangs up, and send it events. files: plugins. examined:
    runs are, however short."""
    # Ctrl-C reaches the whole group of processes; the engine decides
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare_environment(threads)
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, jobs), daemon=True).start()

    from bench.training.process import prepare_process

    broken = load_plugins(files)
    prepare_process(threads)
    if limits.bytes:

        def exceeded(reason: str) -> None:
            _send(connection, Event("exceeded", "", {"reason": reason}))
            os._exit(1)

        watch_memory(limits, exceeded)
    while True:
        train(jobs.get(), data, broken, lambda event: _send(connection, event), examined)


def prepare_environment(threads: int) -> None:
    """What must be known before torch is loaded."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    # without it cuBLAS does not promise the same numbers twice
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def load_plugins(files: tuple[Path, ...]) -> str:
    """What keeps plugins from being loaded, or nothing."""
    from bench.plugins import loading

    try:
        loading.load_installed()  # the driver has said what will not do
        loading.load(files)
    except loading.PluginError as error:
        return str(error)
    return ""


def train(
    job: Job, data: Path, broken: str, tell: Callable[[Event], None], examined: bool = False
) -> None:
    """Do a job. broken: why nothing can be done here, or nothing. examined: however short."""
    from bench.runner import execute_group
    from bench.specs import RunSpec
    from bench.training.process import RunError, freeze_imports

    specs = [RunSpec.read(plain) for plain in job.specs]
    for run, plain in zip(job.ids, job.specs, strict=True):
        tell(Event("started", run, {"spec": plain}))
    if broken:
        tell(Event("refused", job.ids[0], {"reason": broken}))
        return
    reports = [_reporter(run, tell) for run in job.ids]
    try:
        records = execute_group(
            specs, data, reports, job.weights, checkpoint=job.checkpoint, examined=examined
        )
    except RunError as error:
        tell(Event("refused", job.ids[0], {"reason": str(error)}))
        return
    for record in records:
        tell(Event("finished", record["id"], record))
    freeze_imports()


def watch_memory(
    limits: Limits, exceeded: Callable[[str], None], over: threading.Event | None = None
) -> None:
    """Look at this process from a thread of its own, until it is over, and say what is too much."""
    from bench.training.machine import resident

    def watch() -> None:
        ended = over or threading.Event()
        while not ended.wait(WATCHED_EVERY):
            held = resident()
            if held is not None and held > limits.bytes:
                exceeded(limits.memory_exceeded(held))
                return

    threading.Thread(target=watch, daemon=True).start()


def _reporter(run: str, tell: Callable[[Event], None]) -> Callable[[Any, Any], None]:
    def report(point: Any, clock: Any) -> None:
        tell(Event("point", run, {"point": point, "clock": clock}))

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
        with _sending:  # the thread that watches memory speaks too
            connection.send(event)
    except OSError:
        os._exit(0)
