"""What is done on a node of a Ray cluster: one group of runs, in a task of its own.

The driver sends the corpora and plugins that are needed, the node keeps them in a folder of its
own, and tells events as they come. A node whose packages are not the driver's does nothing.
"""

from __future__ import annotations

import hashlib
import os
import platform
import queue
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.engines.contract import Event, Job, Limits

TOLD_EVERY = 0.3
"""Seconds between two lists of events."""
PACKAGES = ("torch", "numpy", "scipy", "sacrebleu", "safetensors")
"""What the numbers of a run may hang on; the suite's own source is looked at itself."""
OWN = ("bench", "tasks", "variants", "results")
LAST_WORDS = 5.0
"""Seconds in which the driver should have ended a process that exceeds a limit."""

Files = Mapping[str, npt.NDArray[np.uint8]]
"""Contents by path below a folder, / between."""


@dataclass(frozen=True)
class Order:
    """What a node is to do. store, token: a folder that holds a file of that name, where the node
    sees the driver's; weights and checkpoints go there then."""

    job: Job
    limits: Limits
    installed: Mapping[str, str]
    store: Path
    token: str


@cache
def installed() -> dict[str, str]:
    """Version of all that the numbers of a run may hang on."""
    found = {"python": platform.python_version(), "seq2seq-bench": _source()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    return found


def _source() -> str:
    """Digest of the suite's own source."""
    root, state = Path(__file__).parents[2], hashlib.blake2b(digest_size=6)
    for file in sorted(file for part in OWN for file in (root / part).rglob("*.py")):
        state.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes())
    return state.hexdigest()


def differences(theirs: Mapping[str, str]) -> str:
    """How this node differs from the driver, or nothing."""
    ours = installed()
    return ", ".join(
        f"{name} {ours.get(name, 'none')} (the driver has {theirs.get(name, 'none')})"
        for name in sorted(ours.keys() | theirs.keys())
        if ours.get(name) != theirs.get(name)
    )


def work(order: Order, data: Files | None, plugins: Files) -> Iterator[list[tuple[str, str, Any]]]:
    """Do the job, and yield lists of events, each as a plain tuple; `unable` where this node
    cannot, as its disk is full, say. data: None where it is too large to be sent."""
    try:
        yield from _work(order, data, plugins)
    except OSError as error:
        told = {"reason": f"{platform.node()}: {error}", "node": _node()}
        yield [("unable", order.job.ids[0], told)]


def _work(order: Order, data: Files | None, plugins: Files) -> Iterator[list[tuple[str, str, Any]]]:
    from bench.engines import worker

    job = order.job
    if odd := differences(order.installed):
        reason = (
            f"the node {platform.node()} differs from the driver: {odd}; install the same there"
        )
        yield [("refused", job.ids[0], {"reason": reason})]
        return
    worker.prepare_environment(1)
    scratch = _scratch()
    seen = (order.store / order.token).is_file()
    if data is None and not seen:
        reason = (
            f"the corpus of {job.specs[0]['task']} is too large to be sent to {platform.node()}; "
            "put the store in a folder that all nodes share"
        )
        yield [("refused", job.ids[0], {"reason": reason})]
        return
    folder = order.store / "data" if seen or data is None else unpacked(data, scratch)
    sources = unpacked(plugins, scratch)
    placed = job if seen else _placed(job, scratch)
    broken = worker.load_plugins(tuple(sorted(sources.glob("*/*.py"))))
    events: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()

    def train() -> None:
        from bench.training.process import prepare_process

        try:
            prepare_process(1)
            worker.train(placed, folder, broken, events.put)
        except BaseException as error:
            events.put(error)
        events.put(None)

    over = threading.Event()

    def exceeded(reason: str) -> None:
        events.put(Event("exceeded", job.ids[0], {"reason": reason}))
        # Ray gives a process that has ended its task another one
        if not over.wait(LAST_WORDS):
            os._exit(1)

    if order.limits.bytes:
        worker.watch_memory(order.limits, exceeded, over)
    threading.Thread(target=train, daemon=True).start()
    try:
        yield from _lists(events, placed, _node(), None if seen else scratch)
    finally:
        over.set()


def _lists(
    events: queue.SimpleQueue[Event | BaseException | None],
    job: Job,
    node: str,
    scratch: Path | None,
) -> Iterator[list[tuple[str, str, Any]]]:
    """What is told, a moment's worth at a time. scratch: where weights were put that the driver
    does not see, and so must be sent."""
    ended = False
    while not ended:
        # the first of a run, and a limit, at once; many points of quick runs in one list
        told: list[tuple[str, str, Any]] = []
        until = None  # the first is waited for without looking at a clock: training needs the time
        while not ended:
            try:
                event = events.get(timeout=until and max(until - time.monotonic(), 0.0))
            except queue.Empty:
                break
            until = until or time.monotonic() + TOLD_EVERY
            if isinstance(event, BaseException):
                raise event
            if event is None:
                ended = True
                continue
            if event.kind == "finished" and scratch is not None:
                told += _weights(event.id, job)
                if job.checkpoint is not None:
                    job.checkpoint.unlink(missing_ok=True)
            if event.kind == "started":
                event = event._replace(value={**event.value, "node": node})
            told.append((event.kind, event.id, event.value))
            if event.kind in ("started", "exceeded"):
                break
        if told:
            yield told


def _node() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


def _placed(job: Job, scratch: Path) -> Job:
    """The job with its files on this node."""
    weights = tuple(
        path if path is None else scratch / "weights" / path.name for path in job.weights
    )
    checkpoint = job.checkpoint and scratch / "checkpoints" / job.checkpoint.name
    return job._replace(weights=weights, checkpoint=checkpoint)


def _weights(run: str, job: Job) -> list[tuple[str, str, Any]]:
    """A run's weights, to be kept by the driver."""
    path = job.weights[job.ids.index(run)]
    if path is None or not path.is_file():
        return []
    content = path.read_bytes()
    path.unlink()
    return [("weights", run, {"content": content})]


def _scratch() -> Path:
    """This user's folder on this node."""
    folder = Path(tempfile.gettempdir()) / f"seq2seq-bench-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else; set TMPDIR to another folder")
    return folder


def unpacked(files: Files, scratch: Path) -> Path:
    """The folder that holds these, written once a node. ValueError for a path that leads out."""
    state = hashlib.blake2b(digest_size=12)
    for name in sorted(files):
        state.update(f"{name}\0{files[name].size}\0".encode())
        state.update(files[name].tobytes())
    folder = scratch / state.hexdigest()
    if folder.is_dir():
        sizes = {name: folder / name for name in files}
        if all(f.is_file() and f.stat().st_size == files[n].size for n, f in sizes.items()):
            return folder
        shutil.rmtree(folder)  # somebody tidied up here
    with tempfile.TemporaryDirectory(dir=scratch) as half:
        fresh = Path(half) / "fresh"
        fresh.mkdir()
        for name, content in files.items():
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or not path.parts:
                raise ValueError(f"{name!r} leads out of the folder that was sent; rename it")
            file = fresh / path
            file.parent.mkdir(parents=True, exist_ok=True)
            content.tofile(file)
        try:
            fresh.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another task of this node was quicker
                raise
    return folder
