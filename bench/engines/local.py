"""The local engine: worker processes on this machine, one thread each."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.engines.contract import IDLE, IDLE_AFTER, EngineError, Event, Job, Limits
from bench.engines.ledger import Death, Ledger
from bench.engines.worker import work


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def _sheltered() -> Iterator[None]:
    """Start processes in here that neither Ctrl-C nor modules of the user's can reach.

    Ctrl-C goes to the whole group of processes, but it is the engine that decides: the signal is
    blocked, which a child inherits for good. In this process it is held back until the end of the
    block; a mask alone would not do, as a thread of a library may receive it instead. And a worker
    begins as `python -c`, which would look for modules in the working directory first, and would
    run the caller's own script again, as that is the main module.
    """
    caught: list[int] = []
    main = threading.current_thread() is threading.main_thread()
    handler = (
        signal.signal(signal.SIGINT, lambda number, _: caught.append(number)) if main else None
    )
    safe_path = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    # multiprocessing's own helper is started with the first process otherwise, and unblocks the
    # signal again
    resource_tracker.ensure_running()
    caller = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        sys.modules["__main__"] = caller
        if safe_path is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = safe_path
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if main:
            signal.signal(signal.SIGINT, handler)
            for number in caught[:1]:
                signal.raise_signal(number)


class LocalEngine:
    """Trains groups of runs in `workers` processes and yields what happens to each.

    Workers that die are replaced, and their run starts again, or goes on from its checkpoint.
    data: folder of corpora and word vectors. plugins: files that every worker loads. examined:
    runs are examined however short they are. ValueError for more workers than cores.
    """

    def __init__(
        self,
        workers: int,
        data: Path,
        plugins: Sequence[Path] = (),
        limits: Limits | None = None,
        examined: bool = False,
    ) -> None:
        if not 1 <= workers <= cores():
            raise ValueError(
                f"workers={workers} with one thread each do not fit this machine's {cores()} "
                f"cores; give 1 to {cores()}"
            )
        self.workers = workers
        self._data = data
        self._plugins = tuple(plugins)
        self._limits = limits or Limits()
        self._examined = examined
        self._processes: dict[Connection, SpawnProcess] = {}
        self._ledger: Ledger[Connection] = Ledger(self._limits)

    def run(self, groups: Iterable[Job]) -> Iterator[Event]:
        """Do all groups, in this order as far as workers are free."""
        ledger = self._ledger
        ledger.begin(groups)
        try:
            while len(self._processes) < self.workers and (job := ledger.take()):
                self._give_job(self._start_worker(), job)
            while len(ledger):
                ready = wait(list(ledger), IDLE_AFTER)
                for connection in ready:
                    assert isinstance(connection, Connection)
                    yield from self._receive(connection)
                self._end_overdue()
                if not ready:
                    yield IDLE
        finally:
            self.close()

    def _start_worker(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        arguments = (theirs, self._data, 1, self._plugins, self._limits, self._examined)
        process = context.Process(target=work, args=arguments, daemon=True)
        with _sheltered():
            process.start()
            theirs.close()
            self._processes[ours] = process
        return ours

    def _give_job(self, connection: Connection, job: Job) -> None:
        self._ledger.assign(connection, job)
        # if the worker died meanwhile, its connection says so as soon as it is read
        with contextlib.suppress(OSError):
            connection.send(job)

    def _receive(self, connection: Connection) -> Iterator[Event]:
        """Read one event of a worker, keep the books, and yield what others need to know."""
        try:
            event: Event = connection.recv()
        except (EOFError, OSError):
            yield from self._replace_dead(connection)
            return
        if event.kind == "exceeded":
            self._ledger.exceeded(connection, str(event.value["reason"]))
            return
        if event.kind == "refused":
            raise EngineError(str(event.value["reason"]))
        if event.kind == "started":
            self._ledger.started(connection, event.id, time.monotonic())
        elif event.kind == "finished":
            event = self._ledger.finished(connection, event)
            if not self._ledger[connection].job.specs:
                self._ledger.release(connection)
                if job := self._ledger.take():
                    self._give_job(connection, job)
        yield event

    def _end_overdue(self) -> None:
        """Kill the processes of runs that take too long."""
        for connection in self._ledger.overdue(time.monotonic()):
            # a run whose end waits to be read, as after a wait for room on the disk, is not late
            if not connection.poll():
                runs = len(self._ledger[connection].job.specs)
                self._ledger.exceeded(connection, self._limits.time_exceeded(runs))
                self._processes[connection].kill()

    def _replace_dead(self, connection: Connection) -> Iterator[Event]:
        """Yield what a worker's death means for its runs, and start a new worker for what waits."""
        process = self._processes.pop(connection)
        process.join()
        connection.close()
        code = process.exitcode or 0
        cause = f"signal {-code}" if code < 0 else f"exit code {code}"
        error = (
            f"worker processes end before they start a run ({cause}); free some memory, or "
            "give fewer --workers"
        )
        yield from self._ledger.died(connection, Death(cause, f" by {cause}", startup_error=error))
        if job := self._ledger.take():
            self._give_job(self._start_worker(), job)

    def state(self) -> dict[str, Any]:
        """Return who is at work, for `bench status`."""
        return {
            "engine": "local",
            "nodes": [{"name": platform.node(), "cpus": self.workers}],
            "running": self._ledger.running,
            "retried": self._ledger.retried,
        }

    def close(self) -> None:
        """End all workers now."""
        for process in self._processes.values():
            process.kill()
        for connection, process in self._processes.items():
            process.join()
            connection.close()
        self._processes.clear()
        self._ledger.begin(())
