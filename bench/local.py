"""The local engine: worker processes on this machine, one thread each."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from bench.runner import failure
from bench.worker import Event, Job, work

TRIES = 3
"""A run whose process dies so often is recorded as failed."""


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


class EngineError(Exception):
    """No run can be started; a sentence for the user."""


class LocalEngine:
    """Trains groups of runs in `workers` processes and yields what happens to each.

    Workers that die are replaced, and their run starts again.
    """

    def __init__(self, workers: int, data: Path, plugins: Sequence[Path] = ()) -> None:
        if not 1 <= workers <= cores():
            raise ValueError(
                f"workers={workers} with one thread each do not fit this machine's {cores()} "
                f"cores; give 1 to {cores()}"
            )
        self.workers = workers
        self._data = data
        self._plugins = tuple(plugins)
        self._processes: dict[Connection, SpawnProcess] = {}
        self._jobs: dict[Connection, Job] = {}
        self._running: dict[Connection, list[str]] = {}
        self._tries: dict[str, int] = {}
        self._beside: dict[str, int] = {}

    def run(self, groups: Sequence[Job]) -> Iterator[Event]:
        """Do all groups, in this order as far as workers are free."""
        waiting = deque(groups)
        try:
            for _ in range(min(self.workers, len(groups))):
                self._give(self._hire(), waiting)
            while self._jobs:
                for connection in wait(list(self._jobs)):
                    assert isinstance(connection, Connection)
                    yield from self._hear(connection, waiting)
        finally:
            self.close()

    def _hire(self) -> Connection:
        """Start a worker."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=work, args=(theirs, self._data, 1, self._plugins), daemon=True
        )
        with _sheltered():
            process.start()
            theirs.close()
            self._processes[ours] = process
        return ours

    def _give(self, connection: Connection, waiting: deque[Job]) -> None:
        """The next job for a free worker, if there is one."""
        if waiting:
            job = waiting.popleft()
            self._jobs[connection] = job
            # a worker that died meanwhile is met again when it is heard
            with contextlib.suppress(OSError):
                connection.send(job)

    def _hear(self, connection: Connection, waiting: deque[Job]) -> Iterator[Event]:
        try:
            event: Event = connection.recv()
        except (EOFError, OSError):
            yield from self._lose(connection, waiting)
            return
        if event.kind == "started":
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
            job = self._jobs[connection]
            # what is left of the group, should the worker die in it
            self._jobs[connection] = Job(job.specs[1:], job.weights[1:])
            if not self._jobs[connection].specs:
                del self._jobs[connection], self._running[connection]
                self._give(connection, waiting)
        yield event

    def _lose(self, connection: Connection, waiting: deque[Job]) -> Iterator[Event]:
        """A worker died: its job starts again in a new one, unless it has killed too many."""
        process = self._processes.pop(connection)
        process.join()
        connection.close()
        job = self._jobs.pop(connection)
        running = self._running.pop(connection, [])
        code = process.exitcode or 0
        cause = f"signal {-code}" if code < 0 else f"exit code {code}"
        # a worker that never got to a run (no memory to start in, say) counts against its first
        run = running[0] if running else None
        key = run or str(job.specs[0]["task"])
        self._tries[key] = self._tries.get(key, 0) + 1
        if self._tries[key] < TRIES:
            waiting.appendleft(job)
            for run in running:
                yield Event("lost", run, {"reason": cause})
        elif run is None:
            raise EngineError(
                f"worker processes end before they start a run ({cause}); free some memory, or "
                "give fewer --workers"
            )
        else:
            error = f"its process died {TRIES} times, the last time by {cause}"
            record = {
                "id": run,
                "spec": job.specs[0],
                "outcome": failure(error),
                "measured": {"beside": self._beside.pop(run, 0)},
            }
            yield Event("finished", run, record)
            for other in running[1:]:
                yield Event("lost", other, {"reason": cause})
            if len(job.specs) > 1:
                waiting.appendleft(Job(job.specs[1:], job.weights[1:]))
        if waiting:
            self._give(self._hire(), waiting)

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
