"""Proves on real clusters of several nodes (all on this machine) that runs on Ray come out to the
bit as they do locally, and what Ray, a node or the store must offer."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.engines import ray_engine, ray_node
from bench.engines.contract import EngineError, Event, Job
from bench.engines.driver import drive
from bench.engines.local import LocalEngine, cores
from bench.runner import execute
from bench.specs import Budget, RunSpec
from results.record import Record
from results.store import writing

pytest.importorskip("ray")
from tests.bench.engines.on_ray import Nodes, all_of, calm, jobs, spec, stored

pytestmark = pytest.mark.filterwarnings("ignore")

ROOT = Path(__file__).parents[3]


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
    until = began + (60 if shares else 1)
    while time.monotonic() < until:
        there = [one for one in HERE.iterdir() if one.read_text() == gpu]
        if shares and len(there) == 2:
            time.sleep(0.5)
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
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray counts GPUs that a node says it has; nothing is trained on them."""
    # two processes that load torch, not four, show that a GPU is shared
    monkeypatch.setattr(ray_engine, "GPU_SHARE", 0.5)
    nodes.add(num_cpus=3, num_gpus=2)
    plugin, meeting = tmp_path / "meets.py", tmp_path / "meeting"
    meeting.mkdir()
    plugin.write_text(MEETS.replace("FOLDER", repr(str(meeting))))
    engine = nodes.engine(tmp_path, "cuda", lambda job: 2**27, plugins=[plugin])
    assert engine.workers == 2
    shared = [replace(spec(seed), device="cuda") for seed in range(2)]
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
    assert len(measured) == 6

    def beside(one: RunSpec, other: RunSpec) -> bool:
        a, b = measured[one.id], measured[other.id]
        same = a["gpu"] == b["gpu"]
        return bool(same and a["began"] < b["ended"] and b["began"] < a["ended"])

    # two halves of one GPU, both at once
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
