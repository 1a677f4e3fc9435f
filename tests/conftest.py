"""Sets up every test: one thread, repeatable draws in CI, and the order in which files run."""

from __future__ import annotations

import gc
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from bench.collection import search_as_usual, search_seldom
from bench.engines import choose
from bench.engines.local import cores
from bench.plugins import loading, registering
from bench.training.process import freeze_imports, prepare_process
from tasks import TASKS
from tests.in_process import InProcessEngine

# as every process that trains: what a test finds does not depend on which ran before it
prepare_process(1)
search_seldom()  # while tests are imported

settings.register_profile("local", deadline=None)
# the gate draws the same examples every time, so that many of them would find nothing new
settings.register_profile("ci", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Benchmarks run once, untimed, unless they are what was asked for."""
    if not (config.option.benchmark_only or config.option.benchmark_enable):
        config.option.benchmark_disable = True


LONGEST_FILES = (
    "bench/engines/test_ray_failing_processes.py",
    "bench/engines/test_ray_failing_nodes.py",
    "bench/engines/test_ray.py",
    "bench/engines/test_kill.py",
    "bench/engines/test_local.py",
    "bench/notebook/test_notebook.py",
    "bench/cli/test_doctor_script.py",
    "bench/engines/test_torchrun.py",
    "bench/training/test_elsewhere.py",
    "variants/test_contract.py",
    "bench/training/test_decoding.py",
    "bench/doctor/test_examination.py",
    "results/stats/test_inference.py",
    "bench/training/test_replicas.py",
)
"""Files that take longest, in the order in which they start: short files fill up the end of a
parallel run."""
SPREAD_FILES = frozenset(
    {
        "tests/bench/cli/test_doctor_script.py",
        "tests/bench/engines/test_kill.py",
        "tests/bench/engines/test_local.py",
        "tests/bench/engines/test_torchrun.py",
        "tests/bench/training/test_decoding.py",
        "tests/results/stats/test_inference.py",
        "tests/variants/test_contract.py",
    }
)
"""Files whose test functions any worker may take, one by one. The tests of every other file stay
together, because they share what is slow to make."""
RAY_FILES = frozenset(
    {
        "tests/bench/engines/test_ray.py",
        "tests/bench/engines/test_ray_failing_nodes.py",
        "tests/bench/engines/test_ray_failing_processes.py",
    }
)
"""Files that go to one worker together, as they share a Ray cluster."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the tests of the longest files to the front, longest first."""
    folder = Path(__file__).parent
    rank = {folder / name: place for place, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


class ByFile(LoadFileScheduling):  # type: ignore[misc]
    """Gives a file to one worker, but the functions of SPREAD_FILES to whichever is free.

    RAY_FILES go to one worker as if they were one file.
    """

    def _split_scope(self, nodeid: str) -> str:
        """Return what goes to one worker together with a test."""
        file = super()._split_scope(nodeid)
        if file in RAY_FILES:
            return "ray"
        return nodeid.partition("[")[0] if file in SPREAD_FILES else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """Return the scheduler of a parallel run."""
    return ByFile(config, log)


def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than there are cores: one or two wait for processes they started."""
    return cores() + 1


def pytest_collection_finish() -> None:
    """Take what is imported out of garbage collection, as every run collects once."""
    freeze_imports()
    search_as_usual()


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Take what a finished file leaves behind out of garbage collection.

    Otherwise each of the thousand runs that follow would search all that pytest and the tests
    before have kept, which takes longer than a small run.
    """
    if nextitem is not None and nextitem.path != item.path:
        gc.collect()
        gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one line that says how many tests were skipped, and for which reasons."""
    reasons = Counter(
        str(report.longrepr[2]).removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", [])
    )
    if reasons:
        told = "; ".join(f"{reason}: {count}" for reason, count in reasons.most_common())
        terminalreporter.write_line(f"skipped: {reasons.total()} ({told})")


@pytest.fixture
def registries_put_back() -> Iterator[None]:
    """What a test takes in as a plugin is gone after it."""
    registries: list[Any] = [
        kind.registry for kinds in registering.PART_KINDS.values() for kind in kinds
    ]
    registries += [loading._origins, loading._loaded]
    before = [dict(registry) for registry in registries]
    tasks = list(TASKS)
    yield
    for registry, kept in zip(registries, before, strict=True):
        registry.clear()
        registry.update(kept)
    TASKS[:] = tasks


@pytest.fixture
def no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train in this process: to start workers takes longer than the small runs of a test."""
    monkeypatch.setattr(choose, "LocalEngine", InProcessEngine)


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few hundred kilobytes."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mounted, capture_output=True).returncode:
        pytest.skip("needs to mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
