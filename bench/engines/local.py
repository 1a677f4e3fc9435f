"""The local engine: worker processes on this machine, one thread each."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import platform
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from bench.engines.contract import (
    IDLE,
    TRIES,
    EngineError,
    Event,
    Job,
    Limits,
    Tries,
    Waiting,
    given_up,
)
from bench.engines.worker import work

MOMENT = 0.2
"""Seconds without news after which the engine says so, and looks at its limits."""


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def _sheltered() -> Iterator[None]:
    """What a process starts in here meets neither Ctrl-C nor modules of the user's.

    Ctrl-C reaches the whole group of processes, but it is the engine that decides: the signal is
    blocked, which a child inherits for good. Here it waits until we leave; a mask alone would not
    do, as a thread of a library may take it for us. And a worker begins as `python -c`, which
    would look for modules in the working directory first.
    """
    came: list[int] = []
    here = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, lambda number, _: came.append(number)) if here else None
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    # multiprocessing's own helper is started with the first process otherwise, and lets the signal
    # through again
    resource_tracker.ensure_running()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if here:
            signal.signal(signal.SIGINT, handler)
            for number in came[:1]:
                signal.raise_signal(number)


def _nameless(job: Job) -> str:
    """Who a death counts against that comes before a run."""
    return str(job.specs[0]["task"])


class LocalEngine:
    """Trains groups of runs in `workers` processes and yields what happens to each.

    Workers that die are replaced, and their run starts again, or goes on from its checkpoint.
    examined: runs are examined however short they are.
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
        self._jobs: dict[Connection, Job] = {}
        self._running: dict[Connection, list[str]] = {}
        self._until: dict[Connection, float] = {}
        self._exceeded: dict[Connection, str] = {}
        self._tries = Tries()
        self._beside: dict[str, int] = {}
        self._retried = 0

    def run(self, groups: Iterable[Job]) -> Iterator[Event]:
        """Do all groups, in this order as far as workers are free."""
        waiting = Waiting(groups)
        try:
            while len(self._processes) < self.workers and (job := waiting.take()):
                self._give(self._hire(), job)
            while self._jobs:
                ready = wait(list(self._jobs), MOMENT)
                for connection in ready:
                    assert isinstance(connection, Connection)
                    yield from self._hear(connection, waiting)
                self._end_late()
                if not ready:
                    yield IDLE
        finally:
            self.close()

    def _hire(self) -> Connection:
        """Start a worker."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        given = (theirs, self._data, 1, self._plugins, self._limits, self._examined)
        process = context.Process(target=work, args=given, daemon=True)
        with _sheltered():
            process.start()
            theirs.close()
            self._processes[ours] = process
        return ours

    def _give(self, connection: Connection, job: Job) -> None:
        """A job for a free worker."""
        self._jobs[connection] = job
        # a worker that died meanwhile is met again when it is heard
        with contextlib.suppress(OSError):
            connection.send(job)

    def _hear(self, connection: Connection, waiting: Waiting) -> Iterator[Event]:
        try:
            event: Event = connection.recv()
        except (EOFError, OSError):
            yield from self._lose(connection, waiting)
            return
        if event.kind == "exceeded":
            self._exceeded[connection] = str(event.value["reason"])
            return
        if event.kind == "started":
            self._tries.forget(_nameless(self._jobs[connection]))
            allowed = self._limits.seconds * len(self._jobs[connection].specs)
            self._until.setdefault(connection, time.monotonic() + allowed)
            self._running.setdefault(connection, []).append(event.id)
            others = len(self._running) - 1
            for run in itertools.chain(*self._running.values()):
                self._beside[run] = max(self._beside.get(run, 0), others)
        elif event.kind == "refused":
            raise EngineError(str(event.value["reason"]))
        elif event.kind == "finished":
            record = dict(event.value)
            record["measured"] = {**record["measured"], "beside": self._beside.pop(event.id, 0)}
            event = event._replace(value=record)
            self._running[connection].remove(event.id)
            # what is left of the group, should the worker die in it
            left = self._jobs.pop(connection).after(1)
            if left.specs:
                self._jobs[connection] = left
            else:
                del self._running[connection], self._until[connection]
                self._exceeded.pop(connection, None)
                if job := waiting.take():
                    self._give(connection, job)
        yield event

    def _end_late(self) -> None:
        """End the processes of runs that take too long."""
        if not self._limits.seconds:
            return
        for connection, until in self._until.items():
            # what has ended and was not heard yet, as while a full disk was waited for, is not late
            if time.monotonic() > until and not connection.poll():
                runs = len(self._jobs[connection].specs)
                self._exceeded.setdefault(connection, self._limits.late(runs))
                self._processes[connection].kill()

    def _lose(self, connection: Connection, waiting: Waiting) -> Iterator[Event]:
        """A worker died: its job starts again in a new one, unless it has killed too many."""
        process = self._processes.pop(connection)
        process.join()
        connection.close()
        job = self._jobs.pop(connection)
        running = self._running.pop(connection, [])
        self._until.pop(connection, None)
        reason = self._exceeded.pop(connection, None)
        code = process.exitcode or 0
        cause = f"signal {-code}" if code < 0 else f"exit code {code}"
        # a worker that never got to a run (no memory to start in, say) counts against all like it
        again = self._tries.again(running[0] if running else _nameless(job))
        if reason and running:
            # of runs that are trained together none is more to blame than the others
            while job.specs:
                yield given_up(job, reason, self._beside.pop(job.ids[0], 0))
                job = job.after(1)
        elif again:
            self._retried += 1
            waiting.put_back(job)
            for run in running:
                yield Event("lost", run, {"reason": cause})
        elif not running:
            raise EngineError(
                f"worker processes end before they start a run ({cause}); free some memory, or "
                "give fewer --workers"
            )
        else:
            reason = f"its process died {TRIES} times, the last time by {cause}"
            yield given_up(job, reason, self._beside.pop(running[0], 0))
            for other in running[1:]:
                yield Event("lost", other, {"reason": cause})
            if (left := job.after(1)).specs:
                waiting.put_back(left)
        if following := waiting.take():
            self._give(self._hire(), following)

    def state(self) -> dict[str, Any]:
        """Who is at work, for `bench status`."""
        return {
            "engine": "local",
            "nodes": [{"name": platform.node(), "cpus": self.workers}],
            "running": sum(map(len, self._running.values())),
            "retried": self._retried,
        }

    def close(self) -> None:
        """End all workers now."""
        for process in self._processes.values():
            process.kill()
        for connection, process in self._processes.items():
            process.join()
            connection.close()
        self._processes.clear()
        self._jobs.clear()
        self._running.clear()
        self._until.clear()
        self._exceeded.clear()
