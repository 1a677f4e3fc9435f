"""The Ray engine: the same runs on a cluster, one task for each group of runs.

Ray has no priorities, so the queue is kept here and only what fits is handed over, what takes
longest first. Processes and nodes may die; their runs start again, or go on from a checkpoint.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.engines import ray_node
from bench.engines.contract import IDLE, IDLE_AFTER, EngineError, Event, Job, Limits
from bench.engines.ledger import Death, Ledger
from bench.engines.ray_cluster import Cluster, Needs, cause, connect
from bench.engines.ray_node import Files, Order
from tasks import split_label

GPU_SHARE = 0.25
"""Part of a GPU that a run asks for that does not measure time."""
ENDS_WITHIN = 60.0
"""Seconds that a process has to end after it was told to."""
NO_ROOM_FOR = 300.0
"""Seconds to wait for a node that is large enough for a run, when nothing else is left to do."""
SENT_AT_MOST = 128 * 2**20
"""Bytes of a corpus that is sent to nodes; a larger one must lie where they see it."""


class Submission(NamedTuple):
    """The resources that a task was given to Ray with.

    barred: ids of nodes that it may not run on. Ray holds it to that even when they work again.
    """

    needs: Needs
    barred: Sequence[str]


class RayEngine:
    """Trains groups of runs on a Ray cluster and yields what happens to each.

    Args:
        address: of a cluster, or None to start one on this machine alone.
        store: folder of the store, where corpora are and weights and checkpoints go.
        device: `cpu` or `cuda`.
        memory: returns the bytes that the process of a job will hold.
        plugins: files that every node loads.
        limits: time and memory that one run may take.

    EngineError where Ray or the cluster cannot be had. workers: how many runs can be done at once,
    or on CUDA groups of replicas. A "stream" is Ray's handle of a task that is under way; it yields
    lists of events.
    """

    def __init__(
        self,
        address: str | None,
        store: Path,
        device: str,
        memory: Callable[[Job], int],
        plugins: Sequence[Path] = (),
        limits: Limits | None = None,
    ) -> None:
        self._store = store.absolute()
        self._store.mkdir(parents=True, exist_ok=True)
        self._ray = connect(address)
        self._cluster = Cluster(self._ray)
        self._memory = memory
        self._limits = limits or Limits()
        self._plugins = list(plugins)
        self._task = self._ray.remote(ray_node.work)
        self._ledger: Ledger[Any] = Ledger(self._limits)
        self._submissions: dict[Any, Submission] = {}
        self._ended: dict[Any, float] = {}
        self._sent: dict[tuple[str, ...], Any] = {}
        # a run on a GPU asks for a part of it, but replicas fill it
        each = [node.has.gpu if device == "cuda" else node.has.cpu for node in self._cluster.nodes]
        self.workers = max(int(sum(each)), 1)

    def run(self, groups: Iterable[Job]) -> Iterator[Event]:
        """Do all groups, in this order as far as there is room."""
        # a node that finds this file under the store's path sees the same store
        token = f".driver-{secrets.token_hex(8)}"
        (self._store / token).touch()
        self._ledger.begin(groups)
        too_large: list[Job] = []  # no node is large enough for these now
        last_busy = time.monotonic()
        try:
            while True:
                self._cluster.refresh()
                self._withdraw_unplaceable()
                self._submit_all(too_large, token)
                if self._submissions:
                    last_busy = time.monotonic()
                elif not too_large:
                    break
                elif time.monotonic() - last_busy > NO_ROOM_FOR:
                    raise EngineError(self._cluster.no_room(self._needs(too_large[0])))
                ready = self._ready_streams()
                for stream in ready:
                    yield from self._receive(stream)
                self._end_overdue()
                yield from self._give_up_stopped(time.monotonic())
                if not ready:
                    yield IDLE
        finally:
            self._cancel_all()
            (self._store / token).unlink(missing_ok=True)

    def state(self) -> dict[str, Any]:
        """Return who is at work, for `bench status`."""
        return {
            "engine": "ray",
            "nodes": [
                {"name": node.name, "cpus": node.has.cpu, "gpus": node.has.gpu}
                for node in self._cluster.nodes
            ],
            "running": self._ledger.running,
            "retried": self._ledger.retried,
        }

    def close(self) -> None:
        """Leave the cluster; one that was started here ends, as it does with this process."""
        self._cancel_all()
        self._ray.shutdown()

    def _cancel_all(self) -> None:
        for stream in self._submissions:
            self._cancel(stream)
        self._submissions.clear()
        self._ledger.begin(())

    def _cancel(self, stream: Any) -> None:
        """End a task's process; what Ray says about one that has ended is of no interest."""
        with contextlib.suppress(Exception):
            self._ray.cancel(stream, force=True)

    # handing jobs over

    def _submit_all(self, too_large: list[Job], token: str) -> None:
        """Hand over the jobs that fit now, and set those aside that fit on no node at all."""
        ledger, cluster = self._ledger, self._cluster
        for large in [*too_large]:
            if cluster.offers(self._needs(large)):
                too_large.remove(large)
                ledger.put_back(large)
        while job := ledger.take():
            needs = self._needs(job)
            if not cluster.offers(needs):
                too_large.append(job)
            elif cluster.has_room(needs, (task.needs for task in self._submissions.values())):
                self._submit(job, needs, token)
            else:
                # a smaller one further back may fit, but would put off this one for ever
                ledger.put_back(job)
                break

    def _needs(self, job: Job) -> Needs:
        """Return what a job asks Ray for.

        A run with a budget in seconds measures what a machine does in them, and has a GPU, or on
        the CPU a node, to itself; others share.
        """
        spec = job.specs[0]
        timed, replicas = bool(spec["budget"]["seconds"]), len(job.specs) > 1
        memory = float(self._limits.bytes or self._memory(job))
        if spec["device"] == "cuda":
            return Needs(1.0, 1.0 if timed or replicas else GPU_SHARE, memory)
        return Needs(self._cluster.widest if timed else 1.0, 0.0, memory)

    def _submit(self, job: Job, needs: Needs, token: str) -> None:
        # the working directory of a node's processes is another, so paths must be absolute
        weights = tuple(path and path.absolute() for path in job.weights)
        job = job._replace(weights=weights, checkpoint=job.checkpoint and job.checkpoint.absolute())
        barred = self._cluster.excluded()
        stream = self._task.options(
            num_returns="streaming",
            max_retries=0,  # whether it deserves another try is decided here
            num_cpus=needs.cpu,
            num_gpus=needs.gpu,
            memory=int(needs.memory),
            label_selector={"ray.io/node-id": f"!in({','.join(barred)})"} if barred else None,
            name=f"{job.specs[0]['task']} {job.name}",
        ).remote(
            Order(job, self._limits, ray_node.installed(), self._store, token),
            self._corpora(job),
            self._plugin_files(),
        )
        self._submissions[stream] = Submission(needs, barred)
        self._ledger.assign(stream, job)

    def _withdraw_unplaceable(self) -> None:
        """Take tasks back that wait in Ray for a node that is no longer there."""
        for stream, task in [*self._submissions.items()]:
            assignment = self._ledger[stream]
            waits = not assignment.node and assignment.job.specs
            if waits and not self._cluster.offers(task.needs, task.barred):
                self._abandon(stream)
                self._ledger.put_back(self._ledger.release(stream).job)

    def _abandon(self, stream: Any) -> None:
        """Cancel a task; its events are ignored from here on."""
        del self._submissions[stream]
        self._cancel(stream)

    # what nodes are sent: an object that is put into Ray's store goes to each node once

    def _corpora(self, job: Job) -> Any:
        """Return a reference to the corpora that a job reads, or to None if they are too large."""
        spec = job.specs[0]
        asked = {*split_label(spec["task"])[1].values(), str(spec["variant"].get("vectors", ""))}
        folder = self._store / "data"
        names = tuple(sorted(name for name in asked if name and (folder / name).is_dir()))
        if names not in self._sent:
            self._sent[names] = self._ray.put(_contents(folder, names))
        return self._sent[names]

    def _plugin_files(self) -> Any:
        """Return a reference to the plugins' files, in folders that keep their order."""
        if ("plugins", "") not in self._sent:
            files = {
                f"{number:03}/{file.name}": np.fromfile(file, dtype=np.uint8)
                for number, file in enumerate(self._plugins)
            }
            self._sent["plugins", ""] = self._ray.put(files)
        return self._sent["plugins", ""]

    # what comes back

    def _ready_streams(self) -> list[Any]:
        """Return the streams that have something to read, after at most a moment."""
        streams = list(self._submissions)
        if not streams:
            time.sleep(IDLE_AFTER)
            return []
        # Ray returns as soon as one is ready, so a second look finds the others that are
        first, _ = self._ray.wait(streams, num_returns=1, timeout=IDLE_AFTER, fetch_local=False)
        if not first:
            return []
        ready: list[Any]
        ready, _ = self._ray.wait(streams, num_returns=len(streams), timeout=0, fetch_local=False)
        return ready or list(first)

    def _receive(self, stream: Any) -> Iterator[Event]:
        """Read one list of events of a task, keep the books, and yield what others need to know."""
        errors = self._ray.exceptions
        try:
            events = self._ray.get(next(stream))
        except StopIteration:
            del self._submissions[stream]
            yield from self._ledger.died(stream, _death("its task ended early"))
            return
        except errors.RayTaskError as error:
            raise EngineError(
                f"a node cannot do its work: {error.cause or error}; see that the suite is "
                "installed there as it is here"
            ) from error
        except (errors.RayError, OSError) as error:
            self._abandon(stream)
            self._cluster.expire()  # the node itself may be gone
            of_node = isinstance(error, (errors.NodeDiedError, errors.ObjectLostError))
            yield from self._ledger.died(stream, _death(cause(error), of_node))
            return
        for kind, run, value in events:
            yield from self._handle(stream, Event(kind, run, value))

    def _handle(self, stream: Any, event: Event) -> Iterator[Event]:
        ledger = self._ledger
        if event.kind == "refused":
            raise EngineError(str(event.value["reason"]))
        if event.kind == "unable":
            # others may be able, or the same node later
            reason = str(event.value["reason"])
            self._cluster.exclude(str(event.value["node"]), reason)
            yield from ledger.unable(stream, reason)
            return
        if event.kind == "exceeded":
            if ledger[stream].job.specs:
                self._end(stream, str(event.value["reason"]))
            return
        if event.kind == "started":
            node = str(event.value["node"])
            self._cluster.include(node)
            ledger.started(stream, event.id, time.monotonic(), node)
        elif event.kind == "finished":
            event = ledger.finished(stream, event)
        yield event

    def _end(self, stream: Any, reason: str) -> None:
        """Kill a task's process, for this reason; its death is then read from the stream."""
        self._ledger.exceeded(stream, reason)
        self._ended[stream] = time.monotonic()
        self._ray.cancel(stream, force=True)

    def _give_up_stopped(self, now: float) -> Iterator[Event]:
        """Yield the ends of runs whose processes were to end and did not.

        Ray asks a process to end itself, which one that is stopped (SIGSTOP) never does.
        """
        for stream, since in [*self._ended.items()]:
            if stream not in self._submissions:
                del self._ended[stream]
            elif now - since > ENDS_WITHIN:
                del self._ended[stream]
                self._abandon(stream)
                yield from self._ledger.died(stream, _death("it does not end"))

    def _end_overdue(self) -> None:
        """Kill the tasks of runs that take too long."""
        for stream in self._ledger.overdue(time.monotonic()):
            runs = len(self._ledger[stream].job.specs)
            self._end(stream, self._limits.time_exceeded(runs))


def _contents(folder: Path, names: Iterable[str]) -> Files | None:
    """Return the files of some folders in a folder by their paths; None if they are too large."""
    files = [f for name in names for f in sorted((folder / name).rglob("*")) if f.is_file()]
    if sum(file.stat().st_size for file in files) > SENT_AT_MOST:
        return None
    return {f.relative_to(folder).as_posix(): np.fromfile(f, dtype=np.uint8) for f in files}


def _death(cause: str, of_node: bool = False) -> Death:
    return Death(cause, f": {cause}", of_node)
