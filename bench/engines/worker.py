"""A process of the local engine that trains one run after another; `do_job` serves all engines."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.collection import search_seldom
from bench.engines.contract import Event, Job, Limits

_sending = threading.Lock()
MEMORY_CHECKED_EVERY = 0.2
"""Seconds between two looks at the memory of a process."""


def work(
    connection: Connection,
    data: Path,
    threads: int,
    files: tuple[Path, ...],
    limits: Limits,
    examined: bool,
) -> None:
    """Take jobs from the engine until it hangs up, and send it events: a worker's main function.

    files: of plugins. examined: runs are examined however short they are.
    """
    search_seldom()  # until `prepare_process`
    # Ctrl-C reaches the whole group of processes; the engine decides
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # what a plugin prints would stand in the middle of what the command prints
    with contextlib.suppress(OSError):
        os.dup2(2, 1)
    prepare_environment(threads)
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    # in a thread, so that the engine's end is noticed in the middle of a run too
    threading.Thread(target=_receive_jobs, args=(connection, jobs), daemon=True).start()

    from bench.training.process import freeze_imports, prepare_process

    plugin_error = load_plugins(files)
    prepare_process(threads)
    if limits.bytes:

        def exceeded(reason: str) -> None:
            _send(connection, Event("exceeded", "", {"reason": reason}))
            os._exit(1)

        watch_memory(limits, exceeded)
    while True:
        job = jobs.get()
        do_job(job, data, lambda event: _send(connection, event), plugin_error, examined=examined)
        freeze_imports()


def prepare_environment(threads: int) -> None:
    """Set the environment variables that must be known before torch is loaded."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    # without it cuBLAS does not promise the same numbers twice
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def load_plugins(files: tuple[Path, ...]) -> str:
    """Load installed plugins and these files; return why that failed, or an empty string."""
    from bench.plugins import loading

    try:
        loading.load_installed()  # the driver has warned of those that cannot be loaded
        loading.load(files)
    except loading.PluginError as error:
        return str(error)
    return ""


def do_job(
    job: Job, data: Path, send: Callable[[Event], None], refusal: str = "", **options: Any
) -> None:
    """Train the runs of a job and send what happens to each.

    data: folder of corpora and word vectors. refusal: why nothing can be trained here; empty if
    it can. options: further arguments of `execute_group`.
    """
    from bench.runner import execute_group
    from bench.specs import RunSpec
    from bench.training.process import RunError

    specs = [RunSpec.read(plain) for plain in job.specs]
    for run, plain in zip(job.ids, job.specs, strict=True):
        send(Event("started", run, {"spec": plain}))
    reports = [_reporter(run, send) for run in job.ids]
    try:
        if refusal:
            raise RunError(refusal)
        records = execute_group(
            specs,
            data,
            reports,
            job.weights,
            checkpoint=job.checkpoint,
            layers=job.layers,
            keep=lambda run, content: send(Event("outputs", run, {"content": content})),
            **options,
        )
    except RunError as error:
        send(Event("refused", job.ids[0], {"reason": str(error)}))
        return
    for record in records:
        send(Event("finished", record["id"], record))


def _reporter(run: str, send: Callable[[Event], None]) -> Callable[[Any, Any], None]:
    def report(point: Any, clock: Any) -> None:
        send(Event("point", run, {"point": point, "clock": clock}))

    return report


def watch_memory(
    limits: Limits, exceeded: Callable[[str], None], ended: threading.Event | None = None
) -> None:
    """Watch this process's memory from a thread of its own, and call `exceeded` if it is too much.

    ended: when set, the thread stops; without it, the thread ends with the process.
    """
    from bench.training.machine import resident

    stop = ended or threading.Event()

    def watch() -> None:
        while not stop.wait(MEMORY_CHECKED_EVERY):
            held = resident()
            if held is not None and held > limits.bytes:
                exceeded(limits.memory_exceeded(held))
                return

    threading.Thread(target=watch, daemon=True).start()


def _receive_jobs(connection: Connection, jobs: queue.SimpleQueue[Job]) -> None:
    """Queue jobs as they come; end the process when the engine is gone, even in mid-run."""
    while True:
        try:
            jobs.put(connection.recv())
        except (EOFError, OSError):
            os._exit(0)


def _send(connection: Connection, event: Event) -> None:
    try:
        with _sending:  # the thread that watches memory sends events too
            connection.send(event)
    except OSError:
        os._exit(0)
