"""Clusters of several nodes, all on this machine, for the tests of Ray, and runs for them.

The processes of a cluster belong to the process of the tests, and nothing here looks at, or kills,
any other: another run of the tests may have its own cluster on this machine.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from bench.engines import ray_engine
from bench.engines.contract import Event, Job
from bench.engines.local import LocalEngine
from bench.plugins import loading
from bench.runner import execute
from bench.specs import Budget, RunSpec, make
from results.store import reading
from tasks import build
from variants import BASE

DIGEST = build("opposites").digest()
STORE_BYTES = 80 * 2**20
LONG = 600
"""Steps of a run that is still there when something happens to it."""
Outcomes = dict[str, dict[str, Any]]


def start_cluster() -> Any:
    """Return a head that trains nothing; every test adds the nodes that it wants."""
    head = {
        "num_cpus": 0,
        "include_dashboard": False,
        "object_store_memory": STORE_BYTES,
        # a free port, as for the other nodes: another run's cluster may be here
        "dashboard_agent_listen_port": None,
    }
    return Cluster(initialize_head=True, head_node_args=head)


class Nodes:
    """Keeps the nodes of a cluster, each of one CPU, from one test to the next.

    To start a node, and processes on it that load torch, takes longer than most tests need it for.
    """

    def __init__(self, cluster: Any) -> None:
        self.cluster = cluster
        self._plain: list[Any] = []
        self._special: list[Any] = []
        self._shared = False

    def exactly(self, count: int) -> list[Any]:
        """Return that many nodes; there are no others."""
        alive = self.cluster.list_all_nodes()
        self._plain = [node for node in self._plain if node in alive]
        while len(self._plain) > count:
            self._remove(self._plain.pop())
        while len(self._plain) < count:
            self.add_plain()
        return list(self._plain)

    def add_plain(self) -> Any:
        """Return one more node, which stays."""
        self._plain.append(self._start())
        return self._plain[-1]

    def add(self, **special: Any) -> Any:
        """Return one more node, unlike the others, which is gone after this test."""
        self._special.append(self._start(**special))
        return self._special[-1]

    def engine(
        self,
        store: Path,
        device: str = "cpu",
        memory: Callable[[Job], int] = lambda job: 2**28,
        **more: Any,
    ) -> ray_engine.RayEngine:
        """Return an engine. Those without plugins and limits share a connection to Ray, and so
        processes, which nothing but runs was loaded in."""
        given = (self.cluster.address, store, device, memory)
        if self._shared and not more and ray.is_initialized():
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(ray_engine, "connect", lambda address: ray)
                return ray_engine.RayEngine(*given)
        ray.shutdown()
        self._shared = not more
        return ray_engine.RayEngine(*given, **more)

    def tidy(self) -> None:
        """Remove what only one test wanted, and see that Ray knows of all that is gone."""
        for node in self._special:
            if node in self.cluster.list_all_nodes():
                self._remove(node)
        self._special.clear()
        self.cluster.wait_for_nodes()

    def _start(self, **special: Any) -> Any:
        given = {"num_cpus": 1, "object_store_memory": STORE_BYTES, **special}
        return self.cluster.add_node(**given)

    def _remove(self, node: Any) -> None:
        self.cluster.remove_node(node, allow_graceful=True)


def spec(seed: int, steps: int = 40, cell: str = "gru") -> RunSpec:
    budget = Budget(steps=steps, every=10, stop="budget")
    variant = asdict(replace(BASE, cell=cell, hidden=16, embedding=8))
    plugin = loading.digest_of("opposites", variant)
    return make("opposites", DIGEST, variant, budget, seed, "cpu", plugin=plugin)


def jobs(specs: Sequence[RunSpec], weights: Path | None = None) -> list[Job]:
    kept = {one.id: weights and weights / f"{one.id}.safetensors" for one in specs}
    return [Job((one.plain(),), (one.id,), (kept[one.id],)) for one in specs]


def all_of(
    engine: ray_engine.RayEngine | LocalEngine,
    specs: Sequence[RunSpec],
    at: Callable[[Event], object] = lambda event: None,
) -> tuple[Outcomes, list[Event]]:
    """Outcomes, and all that was told; `at` is called with every event."""
    events = []
    for event in engine.run(jobs(specs)):
        if event.kind != "idle":
            events.append(event)
        at(event)
    ended = {e.id: dict(e.value["outcome"]) for e in events if e.kind == "finished"}
    return ended, events


def at_first_point(run: RunSpec, act: Callable[[], object]) -> Callable[[Event], None]:
    """Return what acts once, at the first evaluation of a run."""
    acted: list[Event] = []

    def at(event: Event) -> None:
        if event.kind == "point" and event.id == run.id and not acted:
            acted.append(event)
            act()

    return at


UNDISTURBED: Outcomes = {}
"""Outcomes of runs in this process, by id."""


def calm(specs: Sequence[RunSpec]) -> Outcomes:
    """Return the outcomes of these runs in this process, where nothing happens to them."""
    for one in specs:
        if one.id not in UNDISTURBED:
            done = execute(one, None, lambda *_: None, keep=lambda *_: None)
            UNDISTURBED[one.id] = done["outcome"]
    return {one.id: UNDISTURBED[one.id] for one in specs}


def kill_process_of(run: RunSpec) -> None:
    """Kill the process of this cluster that trains a run now."""
    title = f"ray::{run.task} {run.id}".encode()
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # a process that has just ended
            trains = (path / "cmdline").read_bytes().startswith(title)
            if trains and is_descendant(int(path.name)):
                os.kill(int(path.name), signal.SIGKILL)
                return
    raise AssertionError(f"no process trains {run.id}")


def is_descendant(pid: int) -> bool:
    """Return whether this process started that one, or one that did, and so on."""
    while pid > 1 and pid != os.getpid():
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return pid == os.getpid()


def stored(store: Path) -> Outcomes:
    """Return the outcomes of all runs of a store."""
    with reading(store) as opened:
        return {one.id: dict(one.outcome) for one in opened.records(details=True)}
