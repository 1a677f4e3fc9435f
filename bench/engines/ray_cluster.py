"""A Ray cluster as the engine sees it: how to reach it, its nodes, and what fits on them."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bench.engines.contract import EngineError
from bench.engines.local import cores

NODES_LISTED_EVERY = 1.0
"""Seconds between two looks at which nodes the cluster has."""
EXCLUDED_FOR = 10.0
"""Seconds until a node that could not do its work is tried again; twice as long each time."""
CONNECT_TIMEOUT = 10.0
"""Seconds in which a cluster must answer."""
ANSWERS_WITHIN = 120.0
"""Seconds in which Ray must have started; it takes a few, and many on a machine that is busy."""
OBJECT_STORE_BYTES = 256 * 2**20
"""Size of Ray's object store where a cluster is started here: corpora and records pass through."""


class Needs(NamedTuple):
    """Resources that one task asks for, as Ray counts them. memory: bytes."""

    cpu: float
    gpu: float
    memory: float


class Node(NamedTuple):
    """A node that is alive, and all the resources that it has."""

    id: str
    name: str
    has: Needs


@dataclass
class Exclusion:
    """A node that could not do its work and is given none until then.

    until: as `time.monotonic` counts. times: how often in a row it could not.
    """

    until: float
    times: int
    reason: str


class Cluster:
    """Keeps which nodes there are, which of them can work, and whether a task fits."""

    def __init__(self, ray: Any) -> None:
        self.nodes: list[Node] = []
        self._ray = ray
        self._exclusions: dict[str, Exclusion] = {}
        self._listed = 0.0
        self.refresh()

    def refresh(self) -> None:
        """List the nodes that can be given work now, unless that was done a moment ago."""
        if time.monotonic() - self._listed < NODES_LISTED_EVERY:
            return
        self._listed = time.monotonic()
        alive = []
        for node in self._ray.nodes():
            has = node["Resources"]
            if node["Alive"] and has.get("CPU"):
                needs = Needs(has["CPU"], has.get("GPU", 0.0), has.get("memory", 0.0))
                alive.append(Node(node["NodeID"], node["NodeManagerHostname"], needs))
        excluded = self.excluded()
        self.nodes = [node for node in alive if node.id not in excluded]

    def expire(self) -> None:
        """Make the next `refresh` list the nodes anew, however short ago it did."""
        self._listed = 0.0

    def excluded(self) -> list[str]:
        """Return the ids of nodes that are given nothing now."""
        now = time.monotonic()
        return [node for node, exclusion in self._exclusions.items() if now < exclusion.until]

    def exclude(self, node: str, reason: str) -> None:
        """Give a node nothing for a while, as it could not do its work."""
        times = self._exclusions[node].times + 1 if node in self._exclusions else 1
        until = time.monotonic() + EXCLUDED_FOR * 2 ** (times - 1)
        self._exclusions[node] = Exclusion(until, times, reason)
        self.expire()

    def include(self, node: str) -> None:
        """Note that a node does its work, whatever was before."""
        self._exclusions.pop(node, None)

    @property
    def widest(self) -> float:
        """The most CPUs that one node has."""
        return max((node.has.cpu for node in self.nodes), default=1.0)

    def offers(self, needs: Needs, barred: Sequence[str] = ()) -> bool:
        """Return whether some node, other than those barred, is large enough for a task."""
        nodes = [node for node in self.nodes if node.id not in barred]
        return any(all(map(float.__ge__, node.has, needs)) for node in nodes)

    def has_room(self, needs: Needs, taken: Iterable[Needs]) -> bool:
        """Return whether all nodes together have so much left when so much is taken."""
        have = [sum(kind) for kind in zip(*(node.has for node in self.nodes), strict=True)]
        used = [sum(kind) for kind in zip(*taken, strict=True)] or [0.0] * len(have)
        return all(h - u >= n for h, u, n in zip(have, used, needs, strict=True))

    def no_room(self, needs: Needs) -> str:
        """Return the sentence for a task that no node can do."""
        excluded = self.excluded()
        if excluded and not self.nodes:
            reason = self._exclusions[excluded[-1]].reason
            return f"no node of the cluster can do its work; the last one said: {reason}"
        asked = f"{needs.cpu:g} CPU, {needs.gpu:g} GPU and {needs.memory / 2**30:.2f} GiB"
        return (
            f"no node of the cluster offers a run the {asked} that it needs; start a larger one, "
            "or give a smaller --memory-limit"
        )


def connect(address: str | None) -> Any:
    """Return the module ray, connected to a cluster.

    address: HOST:PORT, `auto`, or None for a new cluster of this machine alone, which cannot be
    reached from any other. EngineError where Ray or the cluster cannot be had.
    """
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
    options: Mapping[str, Any] = {}
    if address is None:
        options = {
            "num_cpus": cores(),
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE_BYTES,
        }
    try:
        if address not in (None, "auto"):
            _check_reachable(address)
        # Ray has its workers look for modules in the driver's working directory, which may well
        # hold a tasks.py of the user's
        with tempfile.TemporaryDirectory() as empty, contextlib.chdir(empty):
            _start(
                ray,
                address=address or "local",
                logging_level=logging.ERROR,
                log_to_driver=False,
                **options,
            )
    except Exception as error:  # Ray raises bare ones too
        raise EngineError(_no_cluster(address, str(error).strip().partition("\n")[0])) from error
    return ray


def _no_cluster(address: str | None, reason: str) -> str:
    """Return the sentence for a cluster that cannot be had, or not be started here."""
    if address is None:
        return f"Ray cannot be started here ({reason}); give the command again"
    return (
        f"there is no Ray cluster at {address} ({reason}); start one with: ray start --head, "
        "or leave --address out"
    )


def _start(ray: Any, **options: Any) -> None:
    """Initialise Ray in a thread, so that it can be given up.

    Ray waits for ever, deaf to Ctrl-C, where one of its processes dies as it starts.

    Raises:
        TimeoutError: It has not started within ANSWERS_WITHIN.
    """
    ended = threading.Event()
    errors: list[BaseException] = []

    def start() -> None:
        try:
            ray.init(**options)
        except BaseException as error:
            errors.append(error)
        ended.set()
        # Linux ends the processes that Ray started as the thread ends that started them
        threading.Event().wait()

    threading.Thread(target=start, daemon=True).start()
    in_time = False
    try:
        in_time = ended.wait(ANSWERS_WITHIN)
    finally:
        if not ended.is_set():
            # it would wait for the thread; what Ray started ends with this process anyway
            atexit.unregister(ray.shutdown)
    if not in_time:
        raise TimeoutError(f"it did not start within {ANSWERS_WITHIN:g} s")
    if errors:
        raise errors[0]


def _check_reachable(address: str) -> None:
    """Connect once, as Ray would try for minutes to reach a cluster that is not there."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise ValueError("an address is HOST:PORT, or auto")
    with socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT):
        pass


def cause(error: BaseException) -> str:
    """Return in a few words why a task died, or the first line that Ray says."""
    name = type(error).__name__
    return {
        "WorkerCrashedError": "its process died",
        "NodeDiedError": "its node died",
        "OutOfMemoryError": "its node ran out of memory",
    }.get(name, f"{name}: {str(error).strip().partition(chr(10))[0]}")
