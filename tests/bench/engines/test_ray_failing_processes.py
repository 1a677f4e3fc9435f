"""Proves that runs on Ray come out to the bit as they do locally, though their processes or the
driver die, hang or leak meanwhile."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.engines import ray_engine
from bench.engines.contract import Event, Limits
from bench.engines.ledger import TRIES
from bench.plugins import loading
from bench.specs import RunSpec
from results.store import reading
from tests.clock import Clock

ray = pytest.importorskip("ray")
from tests.bench.engines.on_ray import (  # noqa: E402
    LONG,
    Nodes,
    all_of,
    at_first_point,
    calm,
    jobs,
    kill_process_of,
    spec,
    stored,
)

pytestmark = pytest.mark.filterwarnings("ignore")

ROOT = Path(__file__).parents[3]
SICK = ROOT / "tests" / "sick.py"


def test_a_worker_killed(nodes: Nodes, tmp_path: Path) -> None:
    nodes.exactly(2)
    long = spec(0, LONG)
    specs = [long, spec(1), spec(2)]
    engine = nodes.engine(tmp_path)
    ended, events = all_of(engine, specs, at_first_point(long, lambda: kill_process_of(long)))
    assert [event.value["reason"] for event in events if event.kind == "lost"] == [
        "its process died"
    ]
    assert engine.state()["retried"] == 1
    assert ended == calm(specs)


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
    specs = [spec(1), spec(2)]
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
    one = spec(0, LONG)
    (job,) = jobs([one])
    job = job._replace(checkpoint=tmp_path / "checkpoints" / "one.safetensors")
    engine = nodes.engine(tmp_path, plugins=[often])
    kill = at_first_point(one, lambda: kill_process_of(one))
    last = {}
    for event in engine.run([job]):
        kill(event)
        if event.kind == "finished":
            last = dict(event.value)
    assert last["measured"]["resumed"] == 1
    assert last["outcome"] == calm([one])[one.id]


@pytest.mark.usefixtures("registries_put_back")
def test_sick_runs_fail_alone(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes.exactly(2)
    loading.load([SICK])
    clock = Clock()
    monkeypatch.setattr(ray_engine, "time", clock)
    reasons = {
        "hangs": "took longer than the 15 min that --time-limit allows",
        "leaks": r"its process held \d\.\d\d GiB, more than the 1 that --m",
        "dies": f"its process died {TRIES} times, the last time: its process died",
    }
    sick = {cell: spec(0, cell=cell) for cell in reasons}
    well = [spec(seed, cell="well") for seed in range(3)]
    engine = nodes.engine(tmp_path, plugins=[SICK], limits=Limits(seconds=900, bytes=2**30))
    waits_for = {one.id for one in (*sick.values(), *well)}
    begun: set[str] = set()

    def at(event: Event) -> None:
        if event.kind == "started":
            begun.add(event.id)
        elif event.kind == "finished":
            waits_for.remove(event.id)
        if waits_for == {sick["hangs"].id} <= begun:
            clock.ahead = 1000.0

    ended, _ = all_of(engine, [*sick.values(), *well], at)
    for cell, reason in reasons.items():
        outcome = ended.pop(sick[cell].id)
        assert outcome["status"] == "failed"
        assert re.match(reason, outcome["error"])
    assert ended == calm(well)


def test_the_driver_killed_and_started_again(nodes: Nodes, tmp_path: Path) -> None:
    nodes.exactly(2)
    ray.shutdown()
    store = tmp_path / "store"
    options = (
        "--task opposites --base hidden=16,embedding=8 --vary cell=rnn,gru --seeds 2 "
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
            if journals() or driver.poll() is not None:
                break
            time.sleep(0.05)
        assert driver.poll() is None
        driver.kill()
    assert 1 <= journals() < 4
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (again.returncode, again.stderr) == (0, "")
    with reading(store) as opened:
        specs = [RunSpec.read(dict(record.spec)) for record in opened.records()]
    assert len(specs) == 4
    assert stored(store) == json.loads(json.dumps(calm(specs)))
