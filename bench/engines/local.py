"""The local engine: worker processes on this machine, one thread each."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import platform
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
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


def check_workers(workers: int) -> None:
    """Raise ValueError for a number of worker processes that this machine has no cores for."""
    if not 1 <= workers <= cores():
        raise ValueError(
            f"workers={workers} with one thread each do not fit this machine's {cores()} "
            f"cores; give 1 to {cores()}"
        )


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


class LocalWorker:
    """A worker process, and a thread that listens to it.

    The thread puts what the process sends into `news`, and None when the process hangs up. So a
    process that is stopped in the middle of a message holds up nobody else.
    """

    def __init__(
        self, process: SpawnProcess, connection: Connection, news: queue.SimpleQueue[News]
    ) -> None:
        self.process = process
        self._connection = connection
        self._news = news
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        event: Event | None
        while True:
            try:
                event = self._connection.recv()
            except Exception:  # whatever half a message may be taken for
                event = None
            self._news.put((self, event))
            if event is None:
                return

    def give(self, job: Job) -> None:
        """Send a job; if the process died meanwhile, the listener hears of it."""
        with contextlib.suppress(OSError):
            self._connection.send(job)

    def end(self) -> int:
        """Kill the process if it is alive, and return its exit code."""
        self.process.kill()
        self.process.join()
        # a process of a plugin's may hold the other end open: then the listener waits for ever
        self._listener.join(HANGS_UP_WITHIN)
        if not self._listener.is_alive():
            self._connection.close()
        return self.process.exitcode or 0


News = tuple[LocalWorker, Event | None]
"""What a worker sent; None if it hung up."""
HANGS_UP_WITHIN = 1.0
"""Seconds within which the connection to a process that ended is closed."""


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
        check_workers(workers)
        self.workers = workers
        # a plugin may change the working directory
        self._data = data.absolute()
        self._plugins = tuple(file.absolute() for file in plugins)
        self._limits = limits or Limits()
        self._examined = examined
        self._workers: set[LocalWorker] = set()
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._ledger: Ledger[LocalWorker] = Ledger(self._limits)

    def run(self, groups: Iterable[Job]) -> Iterator[Event]:
        """Do all groups, in this order as far as workers are free."""
        ledger = self._ledger
        ledger.begin(groups)
        try:
            while len(self._workers) < self.workers and (job := ledger.take()):
                self._give_job(self._start_worker(), job)
            while len(ledger):
                heard = self._hear()
                if heard is not None:
                    yield from self._receive(*heard)
                # a run whose end waits to be read is not late, as after a wait for a full disk
                if self._news.empty():
                    self._end_overdue()
                if heard is None:
                    yield IDLE
        finally:
            self.close()

    def _hear(self) -> News | None:
        """Return what a worker sent, or that one died; None if nothing happened for a moment."""
        with contextlib.suppress(queue.Empty):
            return self._news.get(timeout=IDLE_AFTER)
        # one that died may leave a process of a plugin's behind, which holds the connection
        return next(((w, None) for w in self._workers if w.process.exitcode is not None), None)

    def _start_worker(self) -> LocalWorker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        arguments = (theirs, self._data, 1, self._plugins, self._limits, self._examined)
        process = context.Process(target=work, args=arguments, daemon=True)
        with _sheltered():
            process.start()
            theirs.close()
            worker = LocalWorker(process, ours, self._news)
            self._workers.add(worker)
        return worker

    def _give_job(self, worker: LocalWorker, job: Job) -> None:
        self._ledger.assign(worker, job, time.monotonic())
        worker.give(job)

    def _receive(self, worker: LocalWorker, event: Event | None) -> Iterator[Event]:
        """Keep the books of one event of a worker, and yield what others need to know."""
        if worker not in self._workers:  # the last word of one that was replaced
            return
        if event is None:
            yield from self._replace_dead(worker)
            return
        if event.kind == "exceeded":
            self._ledger.exceeded(worker, str(event.value["reason"]))
            return
        if event.kind == "refused":
            raise EngineError(str(event.value["reason"]))
        if event.kind == "started":
            self._ledger.started(worker, event.id, time.monotonic())
        elif event.kind == "finished":
            event = self._ledger.finished(worker, event)
            if not self._ledger[worker].job.specs:
                self._ledger.release(worker)
                if job := self._ledger.take():
                    self._give_job(worker, job)
        yield event

    def _end_overdue(self) -> None:
        """Kill the processes of runs that take too long."""
        for worker in self._ledger.overdue(time.monotonic()):
            runs = len(self._ledger[worker].job.specs)
            self._ledger.exceeded(worker, self._limits.time_exceeded(runs))
            worker.process.kill()

    def _replace_dead(self, worker: LocalWorker) -> Iterator[Event]:
        """Yield what a worker's death means for its runs, and start a new worker for what waits."""
        self._workers.remove(worker)
        code = worker.end()
        cause = f"signal {-code}" if code < 0 else f"exit code {code}"
        error = (
            f"worker processes end before they start a run ({cause}); free some memory, or "
            "give fewer --workers"
        )
        if worker in self._ledger:
            death = Death(cause, f" by {cause}", startup_error=error)
            yield from self._ledger.died(worker, death)
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
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.end()
        self._workers.clear()
        self._ledger.begin(())
