"""Proves on real clusters of several nodes (all on this machine) that runs on Ray come out to the
bit as they do locally, whatever dies, hangs, leaks or comes late meanwhile."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.engines import ray_cluster, ray_engine, ray_node
from bench.engines.contract import EngineError, Event, Job, Limits
from bench.engines.driver import drive
from bench.engines.ledger import TRIES
from bench.engines.local import LocalEngine, cores
from bench.plugins import loading
from bench.runner import execute
from bench.specs import Budget, RunSpec, make
from results.record import Record
from results.store import reading, writing
from tasks import build
from variants import BASE

ray = pytest.importorskip("ray")
from ray.cluster_utils import Cluster  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

ROOT = Path(__file__).parents[3]
SICK = ROOT / "tests" / "sick.py"
DIGEST = build("opposites").digest()
STORE_BYTES = 80 * 2**20
Outcomes = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head that trains nothing; every test adds the nodes that it wants."""
    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE_BYTES}
    made = Cluster(initialize_head=True, head_node_args=head)
    yield made
    made.shutdown()


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


@pytest.fixture(scope="module")
def kept_nodes(cluster: Any) -> Iterator[Nodes]:
    yield Nodes(cluster)
    ray.shutdown()


@pytest.fixture
def nodes(kept_nodes: Nodes) -> Iterator[Nodes]:
    yield kept_nodes
    kept_nodes.tidy()


def spec(seed: int, steps: int = 40, cell: str = "gru") -> RunSpec:
    budget = Budget(steps=steps, every=10, stop="budget")
    variant = asdict(replace(BASE, cell=cell, hidden=16, embedding=8))
    plugin = loading.digest_of("opposites", variant)
    return make("opposites", DIGEST, variant, budget, seed, "cpu", plugin=plugin)


LONG = 900
"""Steps of a run that is still there when something happens to it."""


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


def once(kind: str, act: Callable[[Event], object]) -> Callable[[Event], None]:
    """Acts at the first event of that kind."""
    acted: list[Event] = []

    def at(event: Event) -> None:
        if event.kind == kind and not acted:
            acted.append(event)
            act(event)

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


def trainers() -> list[int]:
    """Return the processes of this cluster that train now."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            trains = (path / "cmdline").read_bytes().startswith(b"ray::opposites")
            if trains and is_descendant(int(path.name)):
                found.append(int(path.name))
        except OSError:
            continue
    return found


def is_descendant(pid: int) -> bool:
    """Return whether this process started that one, or one that did, and so on."""
    while pid > 1 and pid != os.getpid():
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return pid == os.getpid()


def test_outcomes_are_those_of_local_runs(nodes: Nodes, tmp_path: Path) -> None:
    nodes.exactly(2)
    specs = [spec(seed, cell=cell) for seed in range(3) for cell in ("gru", "lstm")]
    engine = nodes.engine(tmp_path)
    assert engine.workers == 2
    ended, events = all_of(engine, specs)
    assert ended == all_of(LocalEngine(min(2, cores()), tmp_path), specs)[0]
    for one in specs:
        own = [event.kind for event in events if event.id == one.id]
        assert own == ["started", *["point"] * 4, "outputs", "finished"]
    measured = [event.value["measured"] for event in events if event.kind == "finished"]
    assert {one["machine"]["threads"] for one in measured} == {1}
    assert {one["beside"] for one in measured} == {0}  # one CPU a node
    state = engine.state()
    assert (len(state["nodes"]), state["running"], state["retried"]) == (2, 0, 0)
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_worker_killed(nodes: Nodes, tmp_path: Path) -> None:
    nodes.exactly(2)
    specs = [spec(seed, LONG) for seed in range(3)]
    engine = nodes.engine(tmp_path)
    kill = once("point", lambda event: os.kill(trainers()[0], signal.SIGKILL))
    ended, events = all_of(engine, specs, kill)
    assert [event.value["reason"] for event in events if event.kind == "lost"] == [
        "its process died"
    ]
    assert engine.state()["retried"] == 1
    assert ended == calm(specs)


def stored(store: Path) -> Outcomes:
    with reading(store) as opened:
        return {one.id: dict(one.outcome) for one in opened.records(details=True)}


def test_the_disk_full_for_a_while(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes.exactly(2)
    tiny = tmp_path / "tiny"
    tiny.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(tiny)]
    if os.geteuid() or subprocess.run(mounted, capture_output=True).returncode:
        pytest.skip("needs to mount")
    monkeypatch.setattr("bench.engines.driver.PAUSE", 0.0)
    waited = []

    class Watcher:
        def on_event(self, event: Event) -> None:
            pass

        def on_disk_full(self) -> None:
            waited.append(True)
            subprocess.run(["mount", "-o", "remount,size=9m", str(tiny)], check=True)

    specs = [spec(seed) for seed in range(12)]
    try:
        with writing(tiny) as opened:
            drive(specs, lambda _: 1.0, opened, nodes.engine(tiny), Watcher(), False)
        assert stored(tiny) == json.loads(json.dumps(calm(specs)))
    finally:
        subprocess.run(["umount", str(tiny)], check=True)
    assert waited == [True]


def test_a_node_that_is_installed_otherwise_is_refused(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes.exactly(2)
    engine = nodes.engine(tmp_path)
    monkeypatch.setattr(ray_node, "installed", lambda: {"torch": "1.0", "python": "3.11"})
    with pytest.raises(EngineError, match=r"differs from the driver: .*torch .*1\.0.*; install"):
        all_of(engine, [spec(0)])


def test_weights_come_from_a_node_that_does_not_see_the_store(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes.exactly(2)
    (job,) = jobs([spec(0)], tmp_path / "store" / "weights")
    monkeypatch.setattr(Path, "touch", lambda self: None)  # no word of the store for nodes
    engine = nodes.engine(tmp_path / "store")
    with writing(tmp_path / "store") as opened:
        for event in engine.run([job]):
            if event.kind == "weights":
                opened.keep_weights(event.id, event.value["content"])
            elif event.kind == "outputs":
                opened.keep_outputs(event.id, event.value["content"])
            elif event.kind == "finished":
                assert opened.outputs.problem(Record.read(event.value)) == ""
    assert len(list((tmp_path / "store" / "outputs").iterdir())) == 1
    own = tmp_path / "own.safetensors"
    execute(spec(0), None, lambda point, clock: None, own)
    sent = tmp_path / "store" / "weights" / f"{spec(0).id}.safetensors"
    assert sent.read_bytes() == own.read_bytes()


def test_paths_may_be_relative(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes.exactly(2)
    monkeypatch.chdir(tmp_path)
    engine = nodes.engine(Path("here"))
    assert [event.kind for event in engine.run(jobs([spec(0)], Path("here/weights")))][-1]
    kept = {path.suffix for path in (tmp_path / "here" / "weights").iterdir()}
    assert kept == {".safetensors", ".state"}


def test_a_run_larger_than_any_node_is_told(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what else there is to do is done."""
    nodes.exactly(2)
    monkeypatch.setattr(ray_engine, "NO_ROOM_FOR", 0.5)
    specs = [spec(0), spec(1)]

    def memory(job: Job) -> int:
        return 2**50 if job.ids == (specs[0].id,) else 2**28

    engine = nodes.engine(tmp_path, memory=memory)
    ended: list[str] = []

    def at(event: Event) -> None:
        if event.kind == "finished":
            ended.append(event.id)

    with pytest.raises(EngineError, match=r"0 GPU and 1048576\.00 GiB that it needs; start"):
        all_of(engine, specs, at)
    assert ended == [specs[1].id]


DIES_LATE = """
import os, signal, time
from bench.training import process

def freeze_imports():
    time.sleep(1.0)  # until the driver knows that the run is finished
    os.kill(os.getpid(), signal.SIGKILL)

process.freeze_imports = freeze_imports
PARTS = {}
"""


def test_a_process_that_dies_when_all_is_told(nodes: Nodes, tmp_path: Path) -> None:
    nodes.exactly(2)
    plugin = tmp_path / "dies_late.py"
    plugin.write_text(DIES_LATE)
    specs = [spec(0), spec(1), spec(2)]
    engine = nodes.engine(tmp_path, plugins=[plugin])
    ended, events = all_of(engine, specs)
    assert ended == calm(specs)
    assert [event.kind for event in events if event.kind == "lost"] == []


OFTEN = """
from bench.training import checkpoint
checkpoint.EVERY = 0.0
PARTS = {}
"""


def test_a_long_run_goes_on_from_its_checkpoint(nodes: Nodes, tmp_path: Path) -> None:
    nodes.exactly(2)
    often = tmp_path / "often.py"
    often.write_text(SICK.read_text().replace("import torch\n", "import torch\n" + OFTEN, 1))
    one = spec(0, 400)
    (job,) = jobs([one])
    job = job._replace(checkpoint=tmp_path / "checkpoints" / "one.safetensors")
    engine = nodes.engine(tmp_path, plugins=[often])
    kill = once("point", lambda event: os.kill(trainers()[0], signal.SIGKILL))
    last = {}
    for event in engine.run([job]):
        kill(event)
        if event.kind == "finished":
            last = dict(event.value)
    assert last["measured"]["resumed"] == 1
    assert last["outcome"] == calm([one])[one.id]


@pytest.mark.usefixtures("registries_put_back")
@pytest.mark.parametrize(
    ("cell", "limits", "reason"),
    [
        ("hangs", Limits(seconds=15), "took longer than the 0.25 min that --time-limit allows"),
        ("leaks", Limits(bytes=2**30), r"its process held \d\.\d\d GiB, more than the 1 that --m"),
        ("dies", Limits(), f"its process died {TRIES} times, the last time: its process died"),
    ],
)
def test_a_sick_run_fails_alone(
    nodes: Nodes, tmp_path: Path, cell: str, limits: Limits, reason: str
) -> None:
    nodes.exactly(2)
    loading.load([SICK])
    specs = [spec(0, cell="well"), spec(0, cell=cell), spec(1, cell="well"), spec(2, cell="well")]
    ended, _ = all_of(nodes.engine(tmp_path, plugins=[SICK], limits=limits), specs)
    ill = ended.pop(specs[1].id)
    assert ill["status"] == "failed"
    assert re.match(reason, ill["error"])
    assert ended == calm([one for one in specs if one.variant["cell"] == "well"])


def test_the_driver_killed_and_started_again(nodes: Nodes, tmp_path: Path) -> None:
    nodes.exactly(2)
    ray.shutdown()
    store = tmp_path / "store"
    options = (
        "--task opposites --base hidden=16,embedding=8 --vary cell=rnn,gru,lstm --seeds 2 "
        f"--budget 200steps --engine ray --address {nodes.cluster.address}"
    )
    command = [sys.executable, "-m", "bench", "run", *options.split(), "--store", str(store)]

    def journals() -> int:
        found = (store / "journal").glob("*.jsonl")
        return sum('"event": "finished"' in path.read_text("utf-8") for path in found)

    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as driver:
        for _ in range(12_000):
            if journals() >= 2 or driver.poll() is not None:
                break
            time.sleep(0.05)
        assert driver.poll() is None
        driver.kill()
    assert 2 <= journals() < 6
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (again.returncode, again.stderr) == (0, "")
    with reading(store) as opened:
        specs = [RunSpec.read(dict(record.spec)) for record in opened.records()]
    assert len(specs) == 6
    assert stored(store) == json.loads(json.dumps(calm(specs)))


MEETS = """
import os, platform, time
from pathlib import Path
from bench import runner

HERE = Path(FOLDER)

def execute_group(specs, data, reports, weights, **more):
    # no training, as there is no GPU: it notes where it is, and who else
    gpu, began = os.environ["CUDA_VISIBLE_DEVICES"], time.monotonic()
    (HERE / specs[0].id).write_text(gpu)
    shares = len(specs) == 1 and not specs[0].budget.seconds
    until = began + (60 if shares else 2)
    while time.monotonic() < until:
        there = [one for one in HERE.iterdir() if one.read_text() == gpu]
        if shares and len(there) == 4:
            time.sleep(1)
            break
        time.sleep(0.05)
    measured = {"gpu": gpu, "began": began, "ended": time.monotonic()}
    return [
        {"id": s.id, "spec": s.plain(), "outcome": {"status": "finished"}, "measured": measured}
        for s in specs
    ]

runner.execute_group = execute_group
PARTS = {}
"""


def test_on_gpus_runs_share_and_replicas_and_timed_runs_do_not(
    nodes: Nodes, tmp_path: Path
) -> None:
    """Ray counts GPUs that a node says it has; nothing is trained on them."""
    nodes.add(num_cpus=8, num_gpus=2)
    plugin, meeting = tmp_path / "meets.py", tmp_path / "meeting"
    meeting.mkdir()
    plugin.write_text(MEETS.replace("FOLDER", repr(str(meeting))))
    engine = nodes.engine(tmp_path, "cuda", lambda job: 2**27, plugins=[plugin])
    assert engine.workers == 2
    shared = [replace(spec(seed), device="cuda") for seed in range(4)]
    group = [replace(spec(seed), device="cuda", execution="replicas") for seed in (4, 5)]
    timed = [replace(one, budget=Budget(seconds=2.0), host="here") for one in group]
    given = [
        *jobs(shared),
        Job(tuple(one.plain() for one in group), tuple(one.id for one in group), (None, None)),
        *jobs(timed),
    ]
    measured = {}
    for event in engine.run(given):
        if event.kind == "finished":
            assert event.value["outcome"]["status"] == "finished"
            measured[event.id] = event.value["measured"]
    assert len(measured) == 8

    def beside(one: RunSpec, other: RunSpec) -> bool:
        a, b = measured[one.id], measured[other.id]
        same = a["gpu"] == b["gpu"]
        return bool(same and a["began"] < b["ended"] and b["began"] < a["ended"])

    # four quarters of one GPU, all at once
    assert all(beside(one, other) for one in shared for other in shared)
    assert beside(*group)
    for alone in (*timed, group[0]):
        others = [one for one in (*shared, *timed, *group) if one is not alone]
        there = [one for one in others if beside(alone, one)]
        assert there == (group[1:] if alone is group[0] else [])


def test_a_node_killed_and_one_that_joins_late(nodes: Nodes, tmp_path: Path) -> None:
    """For a while there is none at all."""
    (first,) = nodes.exactly(1)
    specs = [spec(seed, LONG) for seed in range(2)]
    engine = nodes.engine(tmp_path)
    left: list[float] = []

    def at(event: Event) -> None:
        if event.kind == "point" and not left:
            nodes.cluster.remove_node(first, allow_graceful=False)
            left.append(time.monotonic())
        if event.kind == "idle" and len(left) == 1 and time.monotonic() - left[0] > 2:
            nodes.add_plain()
            left.append(0.0)

    ended, events = all_of(engine, specs, at)
    assert [event.value["reason"] for event in events if event.kind == "lost"] == ["its node died"]
    assert ended == calm(specs)


@pytest.fixture
def unable(tmp_path: Path) -> dict[str, str]:
    """The environment of a node that cannot write where it has to, as one whose disk is full."""
    folder = tmp_path / "no-folder"
    folder.mkdir()
    (folder / f"seq2seq-bench-{os.getuid()}").touch()
    return {"TMPDIR": str(folder)}


def test_a_node_that_cannot_do_its_work_loses_no_run(
    nodes: Nodes, unable: dict[str, str], tmp_path: Path
) -> None:
    """It is alone until it has said so: beside another, Ray may give that one all there is."""
    nodes.exactly(0)
    nodes.add(env_vars=unable)
    specs = [spec(0, LONG), *(spec(seed) for seed in range(1, 5))]
    engine = nodes.engine(tmp_path)
    joined: list[Any] = []

    def at(event: Event) -> None:
        if engine.state()["retried"] and not joined:
            joined.append(nodes.add_plain())

    ended, _ = all_of(engine, specs, at)
    assert ended == calm(specs)
    # neither for ever, nor over and over while the other is at work, which may begin late
    assert 1 <= engine.state()["retried"] <= 10


def test_where_no_node_can_do_its_work_the_reason_is_said(
    nodes: Nodes,
    unable: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nodes.exactly(0)
    nodes.add(env_vars=unable)
    monkeypatch.setattr(ray_engine, "NO_ROOM_FOR", 2.0)
    with pytest.raises(EngineError, match=r"no node .* can do its work; .* File exists"):
        all_of(nodes.engine(tmp_path), [spec(0)])


def test_what_waits_for_a_node_that_went_is_done_on_another(nodes: Nodes, tmp_path: Path) -> None:
    """A budget in seconds asks for a whole node, of those there are."""
    nodes.exactly(1)
    large = nodes.add(num_cpus=2)
    timed = replace(spec(0), budget=Budget(seconds=2.0, batch=32, every=10, stop="budget"))
    specs = [timed, *(spec(seed) for seed in range(1, 4))]
    gone: list[Event] = []

    def at(event: Event) -> None:
        if event.kind == "started" and event.id == timed.id and not gone:
            nodes.cluster.remove_node(large, allow_graceful=False)
            gone.append(event)

    ended, _ = all_of(nodes.engine(tmp_path), specs, at)
    assert "failed" not in {one["status"] for one in ended.values()}
    assert len(ended) == 4


def test_what_waits_for_a_node_that_went_is_done_on_one_that_was_barred(
    nodes: Nodes, tmp_path: Path
) -> None:
    """Ray holds a task to the nodes that it was submitted for."""
    (unable,), dead = nodes.exactly(1), nodes.add()
    engine = nodes.engine(tmp_path)
    # Ray takes some seconds to see that a node has died
    nodes.cluster.remove_node(dead, allow_graceful=False)
    until = time.monotonic() + 3.0
    cluster_view = engine._cluster
    cluster_view._exclusions[unable.node_id] = ray_cluster.Exclusion(until, 1, "its disk was full")
    cluster_view.expire()
    ended, _ = all_of(engine, [spec(0)])
    assert ended == calm([spec(0)])


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:10001", "somewhere"])
def test_no_cluster_is_told(tmp_path: Path, address: str) -> None:
    with pytest.raises(EngineError, match=f"no Ray cluster at {address} .*; start one with"):
        ray_engine.RayEngine(address, tmp_path, "cpu", lambda job: 1)


ALONE = """
import os, re, subprocess, sys
from pathlib import Path
from bench.engines.ray_engine import RayEngine

def ours(pid):
    while pid > 1 and pid != os.getpid():
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return pid == os.getpid()

engine = RayEngine(None, Path(sys.argv[1]), "cpu", lambda job: 1)
print(engine.workers)
listening = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True).stdout
for line in listening.splitlines():
    if any(ours(int(pid)) for pid in re.findall(r"pid=(\\d+)", line)):
        print(line.split()[3])
engine.close()
"""


def test_a_cluster_of_this_machine_alone_is_reached_from_nowhere_else(tmp_path: Path) -> None:
    given = [sys.executable, "-c", ALONE, str(tmp_path)]
    done = subprocess.run(given, cwd=ROOT, capture_output=True, text=True, check=True)
    workers, *listening = done.stdout.split()
    assert int(workers) == cores()
    assert len(listening) >= 3
    assert all(re.match(r"(\[::ffff:)?127\.0\.0\.1\]?:\d+$", address) for address in listening)


# what a node unpacks


def files(**contents: bytes) -> dict[str, Any]:
    return {name: np.frombuffer(content, dtype=np.uint8) for name, content in contents.items()}


def test_what_is_sent_is_written_once(tmp_path: Path) -> None:
    sent = files(one=b"1", two=b"") | {"deep/er/three": np.frombuffer(b"3", dtype=np.uint8)}
    folder = ray_node.unpacked(sent, tmp_path)
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert found == {"one": b"1", "two": b"", "deep/er/three": b"3"}
    before = folder.stat().st_mtime_ns
    assert ray_node.unpacked(sent, tmp_path) == folder
    assert folder.stat().st_mtime_ns == before
    assert ray_node.unpacked(files(one=b"2"), tmp_path) != folder
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", ["../out", "/tmp/out", "a/../../out", ""])
def test_what_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with pytest.raises(ValueError, match="leads out of the folder"):
        ray_node.unpacked({name: np.frombuffer(b"1", dtype=np.uint8)}, scratch)
    assert list(scratch.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["scratch"]
