"""The Ray engine: the same runs on a cluster, one task for each group of runs.

Ray has no priorities, so the queue is kept here and only what fits is handed over, what takes
longest first. Processes and nodes may die; their runs start again, or go on from a checkpoint.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.engines import ray_node
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
from bench.engines.local import cores
from bench.engines.ray_node import Order
from tasks import split_label

MOMENT = 0.2
"""Seconds without news after which the engine says so, and looks at its limits."""
LOOKED_EVERY = 1.0
"""Seconds between two looks at what the cluster has."""
SHARE = 0.25
"""Of a GPU, that a run needs which does not measure time."""
MOVES = 50
"""A run whose nodes died so often is recorded as failed."""
UNABLE_FOR = 10.0
"""Seconds until a node that could not do its work is tried again; twice as long each time."""
HOMELESS = 300.0
"""Seconds to wait for a node that is large enough for a run."""
REACHED_WITHIN = 10.0
"""Seconds in which a cluster must answer."""
SENT_AT_MOST = 128 * 2**20
"""Bytes of a corpus that is sent to nodes; a larger one must lie where they see it."""
STORE_BYTES = 256 * 2**20
"""Of Ray's object store, where a cluster is started here: corpora and records pass through it."""


class Needs(NamedTuple):
    """What one task asks for, as Ray counts it. memory: bytes."""

    cpu: float
    gpu: float
    memory: float


class Node(NamedTuple):
    """One that is alive."""

    id: str
    name: str
    has: Needs


@dataclass
class Unable:
    """A node that could not do its work. times: since it last could."""

    until: float
    times: int
    reason: str


@dataclass
class Flight:
    """A job that was handed to Ray. barred: ids of nodes that it was not to go to, nor does it
    once they are able again."""

    job: Job
    needs: Needs
    barred: Sequence[str] = ()
    until: float | None = None
    exceeded: str = ""
    node: str = ""
    running: list[str] = field(default_factory=list)


class RayEngine:
    """Trains groups of runs on a Ray cluster and yields what happens to each.

    address: of a cluster, or None to start one on this machine alone. memory: bytes that the
    process of such a job will hold. EngineError where Ray or the cluster cannot be had. workers:
    runs at once, of replicas groups.
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
        self._ray = _connected(address)
        self._memory = memory
        self._limits = limits or Limits()
        self._plugins = list(plugins)
        self._task = self._ray.remote(ray_node.work)
        self._flights: dict[Any, Flight] = {}
        self._sent: dict[tuple[str, ...], Any] = {}
        self._tries = Tries()
        self._moves: dict[str, int] = {}
        self._unable: dict[str, Unable] = {}
        self._beside: dict[str, int] = {}
        self._retried = 0
        self._nodes: list[Node] = []
        self._looked = 0.0
        self._look()
        # a run on a GPU asks for a part of it, but replicas fill it
        each = [node.has.gpu if device == "cuda" else node.has.cpu for node in self._nodes]
        self.workers = max(int(sum(each)), 1)

    def run(self, groups: Iterable[Job]) -> Iterator[Event]:
        """Do all groups, in this order as far as there is room."""
        token = f".driver-{secrets.token_hex(8)}"
        waiting = Waiting(groups)
        (self._store / token).touch()
        aside: list[Job] = []  # no node is large enough for these now
        alone = time.monotonic()
        try:
            while True:
                self._look()
                self._recall(waiting)
                for large in [*aside]:
                    if self._offered(self._needs(large)):
                        aside.remove(large)
                        waiting.put_back(large)
                while job := waiting.take():
                    needs = self._needs(job)
                    if not self._offered(needs):
                        aside.append(job)
                    elif self._room(needs):
                        self._submit(job, needs, token)
                    else:
                        waiting.put_back(job)
                        break
                if self._flights:
                    alone = time.monotonic()
                elif not aside:
                    break
                elif time.monotonic() - alone > HOMELESS:
                    raise EngineError(self._homeless(self._needs(aside[0])))
                ready = self._ready()
                for stream in ready:
                    yield from self._hear(stream, waiting)
                self._end_late()
                if not ready:
                    yield IDLE
        finally:
            self._cancel()
            (self._store / token).unlink(missing_ok=True)

    def state(self) -> dict[str, Any]:
        """Who is at work, for `bench status`."""
        return {
            "engine": "ray",
            "nodes": [
                {"name": node.name, "cpus": node.has.cpu, "gpus": node.has.gpu}
                for node in self._nodes
            ],
            "running": sum(len(flight.running) for flight in self._flights.values()),
            "retried": self._retried,
        }

    def close(self) -> None:
        """Leave the cluster; one that was started here ends. So it does with this process."""
        self._cancel()
        self._ray.shutdown()

    def _cancel(self) -> None:
        for stream in self._flights:
            with contextlib.suppress(Exception):
                self._ray.cancel(stream, force=True)
        self._flights.clear()

    # what fits

    def _look(self) -> None:
        """See which nodes are there now."""
        if time.monotonic() - self._looked < LOOKED_EVERY:
            return
        self._looked = time.monotonic()
        found = []
        for node in self._ray.nodes():
            has = node["Resources"]
            if node["Alive"] and has.get("CPU"):
                needs = Needs(has["CPU"], has.get("GPU", 0.0), has.get("memory", 0.0))
                found.append(Node(node["NodeID"], node["NodeManagerHostname"], needs))
        out = self._out()
        self._nodes = [node for node in found if node.id not in out]

    def _out(self) -> list[str]:
        """Ids of nodes that are given nothing now."""
        now = time.monotonic()
        return [node for node, unable in self._unable.items() if now < unable.until]

    def _recall(self, waiting: Waiting) -> None:
        """Take back what waits in Ray for a node that is no longer there."""
        for stream, flight in [*self._flights.items()]:
            waits = not flight.node and flight.job.specs
            if waits and not self._offered(flight.needs, flight.barred):
                self._forget(stream)
                waiting.put_back(flight.job)

    def _forget(self, stream: Any) -> None:
        """Whatever still goes on in it does so for nobody."""
        del self._flights[stream]
        with contextlib.suppress(Exception):
            self._ray.cancel(stream, force=True)

    def _needs(self, job: Job) -> Needs:
        """A run with a budget in seconds measures what a machine does in them, and has a GPU, or
        on the CPU a node, to itself; others share."""
        spec = job.specs[0]
        alone, replicas = bool(spec["budget"]["seconds"]), len(job.specs) > 1
        memory = float(self._limits.bytes or self._memory(job))
        if spec["device"] == "cuda":
            return Needs(1.0, 1.0 if alone or replicas else SHARE, memory)
        widest = max((node.has.cpu for node in self._nodes), default=1.0)
        return Needs(widest if alone else 1.0, 0.0, memory)

    def _offered(self, needs: Needs, barred: Sequence[str] = ()) -> bool:
        """Whether some node, none of these, is large enough."""
        nodes = [node for node in self._nodes if node.id not in barred]
        return any(all(map(float.__ge__, node.has, needs)) for node in nodes)

    def _room(self, needs: Needs) -> bool:
        """Whether all nodes together have so much left."""
        taken = [flight.needs for flight in self._flights.values()]
        have = [sum(kind) for kind in zip(*(node.has for node in self._nodes), strict=True)]
        used = [sum(kind) for kind in zip(*taken, strict=True)] or [0.0] * len(have)
        return all(h - u >= n for h, u, n in zip(have, used, needs, strict=True))

    def _homeless(self, needs: Needs) -> str:
        asked = f"{needs.cpu:g} CPU, {needs.gpu:g} GPU and {needs.memory / 2**30:.2f} GiB"
        out = self._out()
        if out and not self._nodes:
            reason = self._unable[out[-1]].reason
            return f"no node of the cluster can do its work; the last one said: {reason}"
        return (
            f"no node of the cluster offers a run the {asked} that it needs; start a larger one, "
            "or give a smaller --memory-limit"
        )

    def _submit(self, job: Job, needs: Needs, token: str) -> None:
        # a node stands in another folder
        weights = tuple(path and path.absolute() for path in job.weights)
        job = job._replace(weights=weights, checkpoint=job.checkpoint and job.checkpoint.absolute())
        out = self._out()
        stream = self._task.options(
            num_returns="streaming",
            max_retries=0,  # whether it deserves another try is decided here
            num_cpus=needs.cpu,
            num_gpus=needs.gpu,
            memory=int(needs.memory),
            label_selector={"ray.io/node-id": f"!in({','.join(out)})"} if out else None,
            name=f"{job.specs[0]['task']} {job.name}",
        ).remote(
            Order(job, self._limits, ray_node.installed(), self._store, token),
            self._data(job),
            self._plugin_files(),
        )
        self._flights[stream] = Flight(job, needs, out)

    def _data(self, job: Job) -> Any:
        """The corpora that the job reads, as an object that Ray sends once to each node."""
        spec = job.specs[0]
        asked = {*split_label(spec["task"])[1].values(), str(spec["variant"].get("vectors", ""))}
        folder = self._store / "data"
        names = tuple(sorted(name for name in asked if name and (folder / name).is_dir()))
        if names not in self._sent:
            files = [f for name in names for f in sorted((folder / name).rglob("*")) if f.is_file()]
            small = sum(file.stat().st_size for file in files) <= SENT_AT_MOST
            sent = {
                file.relative_to(folder).as_posix(): np.fromfile(file, dtype=np.uint8)
                for file in files
            }
            self._sent[names] = self._ray.put(sent if small else None)
        return self._sent[names]

    def _plugin_files(self) -> Any:
        if ("plugins", "") not in self._sent:
            files = {
                f"{number:03}/{file.name}": np.fromfile(file, dtype=np.uint8)
                for number, file in enumerate(self._plugins)
            }
            self._sent["plugins", ""] = self._ray.put(files)
        return self._sent["plugins", ""]

    # what is told

    def _ready(self) -> list[Any]:
        """Streams that have something, after at most a moment."""
        streams = list(self._flights)
        if not streams:
            time.sleep(MOMENT)
            return []
        first, _ = self._ray.wait(streams, num_returns=1, timeout=MOMENT, fetch_local=False)
        if not first:
            return []
        ready: list[Any]
        ready, _ = self._ray.wait(streams, num_returns=len(streams), timeout=0, fetch_local=False)
        return ready or list(first)

    def _hear(self, stream: Any, waiting: Waiting) -> Iterator[Event]:
        errors = self._ray.exceptions
        flight = self._flights[stream]
        try:
            told = self._ray.get(next(stream))
        except StopIteration:
            del self._flights[stream]
            yield from self._lose(flight, waiting, "its task ended early", True)
            return
        except errors.RayTaskError as error:
            raise EngineError(
                f"a node cannot do its work: {error.cause or error}; see that the suite is "
                "installed there as it is here"
            ) from error
        except (errors.RayError, OSError) as error:
            self._forget(stream)
            self._looked = 0.0  # it may have been the node
            own = not isinstance(error, (errors.NodeDiedError, errors.ObjectLostError))
            yield from self._lose(flight, waiting, _cause(error), own)
            return
        for kind, run, value in told:
            if kind == "unable":
                yield from self._leave(flight, waiting, value)
            else:
                yield from self._take(stream, flight, Event(kind, run, value))

    def _take(self, stream: Any, flight: Flight, event: Event) -> Iterator[Event]:
        if event.kind == "refused":
            raise EngineError(str(event.value["reason"]))
        if event.kind == "exceeded":
            if flight.job.specs:
                self._end(stream, flight, str(event.value["reason"]))
            return
        if event.kind == "started":
            if flight.until is None:
                allowed = self._limits.seconds * len(flight.job.specs)
                flight.until = time.monotonic() + allowed
            flight.node = str(event.value["node"])
            self._unable.pop(flight.node, None)
            flight.running.append(event.id)
            self._count_neighbours(flight.node)
        elif event.kind == "finished":
            flight.running.remove(event.id)
            flight.job = flight.job.after(1)
            record = dict(event.value)
            record["measured"] = {**record["measured"], "beside": self._beside.pop(event.id, 0)}
            event = event._replace(value=record)
        yield event

    def _count_neighbours(self, node: str) -> None:
        """What is trained on that node is not alone there."""
        there = [one for one in self._flights.values() if one.node == node and one.running]
        for run in (run for one in there for run in one.running):
            self._beside[run] = max(self._beside.get(run, 0), len(there) - 1)

    def _end(self, stream: Any, flight: Flight, reason: str) -> None:
        """Have a task's process ended, for this reason."""
        flight.exceeded = flight.exceeded or reason
        self._ray.cancel(stream, force=True)

    def _end_late(self) -> None:
        """End the tasks of runs that take too long."""
        if not self._limits.seconds:
            return
        for stream, flight in self._flights.items():
            runs = len(flight.job.specs)
            late = flight.until is not None and time.monotonic() > flight.until
            if runs and late and not flight.exceeded:
                self._end(stream, flight, self._limits.late(runs))

    def _leave(self, flight: Flight, waiting: Waiting, value: Mapping[str, Any]) -> Iterator[Event]:
        """A node could not do its work: others may, or the same one later."""
        node, reason = str(value["node"]), str(value["reason"])
        times = self._unable[node].times + 1 if node in self._unable else 1
        until = time.monotonic() + UNABLE_FOR * 2 ** (times - 1)
        self._unable[node] = Unable(until, times, reason)
        self._looked = 0.0
        self._retried += 1
        waiting.put_back(flight.job)
        flight.job = flight.job.after(len(flight.job.specs))
        for run in flight.running:
            yield Event("lost", run, {"reason": reason})
        flight.running.clear()

    def _lose(self, flight: Flight, waiting: Waiting, cause: str, own: bool) -> Iterator[Event]:
        """A task came to no end. own: it may be its own fault, not its node's."""
        job = flight.job
        if not job.specs:  # but all of it was told
            return
        if flight.exceeded and flight.running:
            while job.specs:
                yield given_up(job, flight.exceeded, self._beside.pop(job.ids[0], 0))
                job = job.after(1)
            return
        self._moves[job.name] = self._moves.get(job.name, 0) + 1
        again = self._tries.again(job.ids[0]) if own else self._moves[job.name] < MOVES
        if again:
            self._retried += 1
            waiting.put_back(job)
            for run in flight.running:
                yield Event("lost", run, {"reason": cause})
            return
        times = f"its process died {TRIES} times" if own else f"its node died {MOVES} times"
        beside = self._beside.pop(job.ids[0], 0)
        yield given_up(job, f"{times}, the last time: {cause}", beside)
        for other in flight.running[1:]:
            yield Event("lost", other, {"reason": cause})
        if (left := job.after(1)).specs:
            waiting.put_back(left)


def _connected(address: str | None) -> Any:
    """Ray, connected to the cluster or to one of this machine alone, reached from nowhere else."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address is None:
        # read as Ray is imported: without it Ray listens to the network, asked or not
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    try:
        import ray
    except ImportError:
        raise EngineError(
            "--engine ray needs Ray; install it with: pip install 'seq2seq-bench[ray]'"
        ) from None
    own: Mapping[str, Any] = {}
    if address is None:
        own = {
            "num_cpus": cores(),
            "include_dashboard": False,
            "object_store_memory": STORE_BYTES,
        }
    try:
        if address not in (None, "auto"):
            _try(address)
        # Ray has its workers look for modules where the driver stands, in which tasks.py may be
        with tempfile.TemporaryDirectory() as empty, contextlib.chdir(empty):
            ray.init(
                address=address or "local", logging_level=logging.ERROR, log_to_driver=False, **own
            )
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        first = str(error).strip().partition("\n")[0]
        raise EngineError(
            f"there is no Ray cluster at {address or 'hand'} ({first}); start one with: "
            "ray start --head, or leave --address out"
        ) from error
    return ray


def _try(address: str) -> None:
    """Ray would try for minutes to reach what is not there."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise ValueError("an address is HOST:PORT, or auto")
    with socket.create_connection((host, int(port)), timeout=REACHED_WITHIN):
        pass


def _cause(error: BaseException) -> str:
    """The first sentence of what Ray says."""
    name = type(error).__name__
    return {
        "WorkerCrashedError": "its process died",
        "NodeDiedError": "its node died",
        "OutOfMemoryError": "its node ran out of memory",
    }.get(name, f"{name}: {str(error).strip().partition(chr(10))[0]}")
