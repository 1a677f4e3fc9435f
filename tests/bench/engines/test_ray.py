"""Proves on real clusters of several nodes (all on this machine) that runs on Ray come out to the
bit as they do locally, whatever dies, hangs, leaks or comes late meanwhile."""

from __future__ import annotations

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
from bench.specs import Budget, RunSpec, make
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


@pytest.fixture
def nodes(cluster: Any) -> Iterator[Callable[[], Any]]:
    """Adds a node of one CPU; all are gone after the test."""
    added = []

    def add(**more: Any) -> Any:
        given = {"num_cpus": 1, "object_store_memory": STORE_BYTES, **more}
        added.append(cluster.add_node(**given))
        return added[-1]

    yield add
    ray.shutdown()
    for node in added:
        if node in cluster.list_all_nodes():
            cluster.remove_node(node, allow_graceful=False)


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


def engine_of(cluster: Any, store: Path, **more: Any) -> ray_engine.RayEngine:
    return ray_engine.RayEngine(cluster.address, store, "cpu", lambda job: 2**28, **more)


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


def calm(specs: Sequence[RunSpec], tmp_path: Path) -> Outcomes:
    return all_of(LocalEngine(min(2, cores()), tmp_path, [SICK]), specs)[0]


def trainers() -> list[int]:
    """Processes of Ray that train now."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "cmdline").read_bytes().startswith(b"ray::opposites"):
                found.append(int(path.name))
        except OSError:
            continue
    return found


def test_outcomes_are_those_of_local_runs(
    cluster: Any, nodes: Callable[[], Any], tmp_path: Path
) -> None:
    nodes(), nodes()
    specs = [spec(seed, cell=cell) for seed in range(3) for cell in ("gru", "lstm")]
    engine = engine_of(cluster, tmp_path)
    assert engine.workers == 2
    ended, events = all_of(engine, specs)
    assert ended == calm(specs, tmp_path)
    for one in specs:
        own = [event.kind for event in events if event.id == one.id]
        assert own == ["started", *["point"] * 4, "finished"]
    measured = [event.value["measured"] for event in events if event.kind == "finished"]
    assert {one["machine"]["threads"] for one in measured} == {1}
    assert {one["beside"] for one in measured} == {0}  # one CPU a node
    state = engine.state()
    assert (len(state["nodes"]), state["running"], state["retried"]) == (2, 0, 0)
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_worker_killed(cluster: Any, nodes: Callable[[], Any], tmp_path: Path) -> None:
    nodes(), nodes()
    specs = [spec(seed, LONG) for seed in range(3)]
    engine = engine_of(cluster, tmp_path)
    kill = once("point", lambda event: os.kill(trainers()[0], signal.SIGKILL))
    ended, events = all_of(engine, specs, kill)
    assert [event.value["reason"] for event in events if event.kind == "lost"] == [
        "its process died"
    ]
    assert engine.state()["retried"] == 1
    assert ended == calm(specs, tmp_path)


def test_a_node_killed_and_one_that_joins_late(
    cluster: Any, nodes: Callable[[], Any], tmp_path: Path
) -> None:
    """For a while there is none at all."""
    first = nodes()
    specs = [spec(seed, LONG) for seed in range(2)]
    engine = engine_of(cluster, tmp_path)
    left: list[float] = []

    def at(event: Event) -> None:
        if event.kind == "point" and not left:
            cluster.remove_node(first, allow_graceful=False)
            left.append(time.monotonic())
        if event.kind == "idle" and len(left) == 1 and time.monotonic() - left[0] > 2:
            nodes()
            left.append(0.0)

    ended, events = all_of(engine, specs, at)
    assert [event.value["reason"] for event in events if event.kind == "lost"] == ["its node died"]
    assert ended == calm(specs, tmp_path)


@pytest.fixture
def unable(tmp_path: Path) -> dict[str, str]:
    """The environment of a node that cannot write where it has to, as one whose disk is full."""
    folder = tmp_path / "no-folder"
    folder.mkdir()
    (folder / f"seq2seq-bench-{os.getuid()}").touch()
    return {"TMPDIR": str(folder)}


def test_a_node_that_cannot_do_its_work_loses_no_run(
    cluster: Any, nodes: Callable[..., Any], unable: dict[str, str], tmp_path: Path
) -> None:
    """It is alone until it has said so: beside another, Ray may give that one all there is."""
    nodes(env_vars=unable)
    specs = [spec(0, LONG), *(spec(seed) for seed in range(1, 5))]
    engine = engine_of(cluster, tmp_path)
    joined: list[Any] = []

    def at(event: Event) -> None:
        if engine.state()["retried"] and not joined:
            joined.append(nodes())

    ended, _ = all_of(engine, specs, at)
    assert ended == calm(specs, tmp_path)
    # neither for ever, nor over and over while the other is at work
    assert 1 <= engine.state()["retried"] <= 3


def test_where_no_node_can_do_its_work_the_reason_is_said(
    cluster: Any,
    nodes: Callable[..., Any],
    unable: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nodes(env_vars=unable)
    monkeypatch.setattr(ray_engine, "NO_ROOM_FOR", 2.0)
    with pytest.raises(EngineError, match=r"no node .* can do its work; .* File exists"):
        all_of(engine_of(cluster, tmp_path), [spec(0)])


def test_what_waits_for_a_node_that_went_is_done_on_another(
    cluster: Any, nodes: Callable[..., Any], tmp_path: Path
) -> None:
    """A budget in seconds asks for a whole node, of those there are."""
    nodes()
    large = nodes(num_cpus=2)
    timed = replace(spec(0), budget=Budget(seconds=2.0, batch=32, every=10, stop="budget"))
    specs = [timed, *(spec(seed) for seed in range(1, 4))]
    gone: list[Event] = []

    def at(event: Event) -> None:
        if event.kind == "started" and event.id == timed.id and not gone:
            cluster.remove_node(large, allow_graceful=False)
            gone.append(event)

    ended, _ = all_of(engine_of(cluster, tmp_path), specs, at)
    assert "failed" not in {one["status"] for one in ended.values()}
    assert len(ended) == 4


def test_what_waits_for_a_node_that_went_is_done_on_one_that_was_barred(
    cluster: Any, nodes: Callable[..., Any], tmp_path: Path
) -> None:
    """Ray holds a task to the nodes that it was submitted for."""
    unable, dead = nodes(), nodes()
    engine = engine_of(cluster, tmp_path)
    # Ray takes some seconds to see that a node has died
    cluster.remove_node(dead, allow_graceful=False)
    until = time.monotonic() + 3.0
    cluster_view = engine._cluster
    cluster_view._exclusions[unable.node_id] = ray_cluster.Exclusion(until, 1, "its disk was full")
    cluster_view.expire()
    ended, _ = all_of(engine, [spec(0)])
    assert ended == calm([spec(0)], tmp_path)


DIES_LATE = """
import os, signal, time
from bench.training import process

def freeze_imports():
    time.sleep(1.0)  # until the driver knows that the run is finished
    os.kill(os.getpid(), signal.SIGKILL)

process.freeze_imports = freeze_imports
PARTS = {}
"""


def test_a_process_that_dies_when_all_is_told(
    cluster: Any, nodes: Callable[..., Any], tmp_path: Path
) -> None:
    nodes()
    plugin = tmp_path / "dies_late.py"
    plugin.write_text(DIES_LATE)
    specs = [spec(0), spec(1)]
    engine = engine_of(cluster, tmp_path, plugins=[plugin])
    ended, events = all_of(engine, specs)
    assert ended == calm(specs, tmp_path)
    assert [event.kind for event in events if event.kind == "lost"] == []


OFTEN = """
from bench.training import checkpoint
checkpoint.EVERY = 0.0
PARTS = {}
"""


def test_a_long_run_goes_on_from_its_checkpoint(
    cluster: Any, nodes: Callable[[], Any], tmp_path: Path
) -> None:
    nodes(), nodes()
    often = tmp_path / "often.py"
    often.write_text(SICK.read_text().replace("import torch\n", "import torch\n" + OFTEN, 1))
    one = spec(0, 400)
    (job,) = jobs([one])
    job = job._replace(checkpoint=tmp_path / "checkpoints" / "one.safetensors")
    engine = engine_of(cluster, tmp_path, plugins=[often])
    kill = once("point", lambda event: os.kill(trainers()[0], signal.SIGKILL))
    last = {}
    for event in engine.run([job]):
        kill(event)
        if event.kind == "finished":
            last = dict(event.value)
    assert last["measured"]["resumed"] == 1
    assert last["outcome"] == calm([one], tmp_path)[one.id]


@pytest.mark.usefixtures("registries_put_back")
@pytest.mark.parametrize(
    ("cell", "limits", "reason"),
    [
        ("hangs", Limits(seconds=3), "took longer than the 0.05 min that --time-limit allows"),
        ("leaks", Limits(bytes=2**30), r"its process held \d\.\d\d GiB, more than the 1 that --m"),
        ("dies", Limits(), f"its process died {TRIES} times, the last time: its process died"),
    ],
)
def test_a_sick_run_fails_alone(
    cluster: Any, nodes: Callable[[], Any], tmp_path: Path, cell: str, limits: Limits, reason: str
) -> None:
    nodes(), nodes()
    loading.load([SICK])
    specs = [spec(0, cell="well"), spec(0, cell=cell), spec(1, cell="well"), spec(2, cell="well")]
    ended, _ = all_of(engine_of(cluster, tmp_path, plugins=[SICK], limits=limits), specs)
    ill = ended.pop(specs[1].id)
    assert ill["status"] == "failed"
    assert re.match(reason, ill["error"])
    assert ended == calm([one for one in specs if one.variant["cell"] == "well"], tmp_path)


def test_the_driver_killed_and_started_again(
    cluster: Any, nodes: Callable[[], Any], tmp_path: Path
) -> None:
    nodes(), nodes()
    store, local = tmp_path / "store", tmp_path / "local"
    options = "--task opposites --vary cell=rnn,gru,lstm --seeds 3 --budget 300steps"
    command = [sys.executable, "-m", "bench", "run", *options.split()]
    there = [*command, "--engine", "ray", "--address", cluster.address, "--store", str(store)]

    def journals() -> int:
        found = (store / "journal").glob("*.jsonl")
        return sum('"event": "finished"' in path.read_text("utf-8") for path in found)

    with subprocess.Popen(
        there, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as driver:
        for _ in range(1200):
            if journals() >= 2 or driver.poll() is not None:
                break
            time.sleep(0.05)
        assert driver.poll() is None
        driver.kill()
    assert 2 <= journals() < 9
    again = subprocess.run(there, cwd=ROOT, capture_output=True, text=True)
    assert (again.returncode, again.stderr) == (0, "")
    subprocess.run([*command, "--store", str(local)], cwd=ROOT, check=True, capture_output=True)
    assert stored(store) == stored(local)


def stored(store: Path) -> Outcomes:
    with reading(store) as opened:
        return {one.id: dict(one.outcome) for one in opened.records(details=True)}


def test_the_disk_full_for_a_while(
    cluster: Any, nodes: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes(), nodes()
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
            drive(specs, lambda _: 1.0, opened, engine_of(cluster, tiny), Watcher(), False)
        ray.shutdown()
        assert stored(tiny) == calm(specs, tmp_path)
    finally:
        subprocess.run(["umount", str(tiny)], check=True)
    assert waited == [True]


def test_a_node_that_is_installed_otherwise_is_refused(
    cluster: Any, nodes: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes()
    engine = engine_of(cluster, tmp_path)
    monkeypatch.setattr(ray_node, "installed", lambda: {"torch": "1.0", "python": "3.11"})
    with pytest.raises(EngineError, match=r"differs from the driver: .*torch .*1\.0.*; install"):
        all_of(engine, [spec(0)])


def test_weights_come_from_a_node_that_does_not_see_the_store(
    cluster: Any, nodes: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes()
    (job,) = jobs([spec(0)], tmp_path / "store" / "weights")
    monkeypatch.setattr(Path, "touch", lambda self: None)  # no word of the store for nodes
    engine = engine_of(cluster, tmp_path / "store")
    with writing(tmp_path / "store") as opened:
        for event in engine.run([job]):
            if event.kind == "weights":
                opened.keep_weights(event.id, event.value["content"])
    assert list(LocalEngine(1, tmp_path).run(jobs([spec(0)], tmp_path / "local")))
    name = f"{spec(0).id}.safetensors"
    sent, own = tmp_path / "store" / "weights" / name, tmp_path / "local" / name
    assert sent.read_bytes() == own.read_bytes()


def test_paths_may_be_relative(
    cluster: Any, nodes: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes()
    monkeypatch.chdir(tmp_path)
    engine = engine_of(cluster, Path("here"))
    assert [event.kind for event in engine.run(jobs([spec(0)], Path("here/weights")))][-1]
    assert [path.suffix for path in (tmp_path / "here" / "weights").iterdir()] == [".safetensors"]


def test_a_run_larger_than_any_node_is_told(
    cluster: Any, nodes: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes()
    """And what else there is to do is done."""
    monkeypatch.setattr(ray_engine, "NO_ROOM_FOR", 0.5)
    specs = [spec(0), spec(1)]

    def memory(job: Job) -> int:
        return 2**50 if job.ids == (specs[0].id,) else 2**28

    engine = ray_engine.RayEngine(cluster.address, tmp_path, "cpu", memory)
    ended: list[str] = []

    def at(event: Event) -> None:
        if event.kind == "finished":
            ended.append(event.id)

    with pytest.raises(EngineError, match=r"0 GPU and 1048576\.00 GiB that it needs; start"):
        all_of(engine, specs, at)
    assert ended == [specs[1].id]


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
    cluster: Any, nodes: Callable[..., Any], tmp_path: Path
) -> None:
    """Ray counts GPUs that a node says it has; nothing is trained on them."""
    nodes(num_cpus=8, num_gpus=2)
    plugin, meeting = tmp_path / "meets.py", tmp_path / "meeting"
    meeting.mkdir()
    plugin.write_text(MEETS.replace("FOLDER", repr(str(meeting))))
    engine = ray_engine.RayEngine(
        cluster.address, tmp_path, "cuda", lambda job: 2**27, plugins=[plugin]
    )
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
