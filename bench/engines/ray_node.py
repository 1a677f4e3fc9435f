"""The work of a node of a Ray cluster: one group of runs, in a task of its own.

The driver sends the corpora and plugins that are needed; the node keeps them in a folder of its
own, and sends events as they come. A node whose packages are not the driver's refuses to work.
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

from bench.collection import search_seldom
from bench.engines.contract import Event, Job, Limits

EVENTS_SENT_EVERY = 0.3
"""Seconds between two lists of events."""
PACKAGES = ("torch", "numpy", "scipy", "sacrebleu", "safetensors")
"""Packages that the numbers of a run may depend on."""
SOURCE_FOLDERS = ("bench", "tasks", "variants", "results")
"""The suite's own source, whose content is compared, as its version changes too seldom."""
KILLED_WITHIN = 5.0
"""Seconds in which the driver should have ended a process that exceeds a limit."""

EventQueue = queue.SimpleQueue[Event | BaseException | None]
"""Events of a job, then the exception that ended it if there was one, then None."""
Files = Mapping[str, npt.NDArray[np.uint8]]
"""Contents of files by their path below a folder, with / between its parts."""


@dataclass(frozen=True)
class Order:
    """A job for a node, and what it needs to know of the driver.

    installed: versions of the driver's packages. store, token: the driver's store has a file of
    the name `token`; a node that sees it shares the folder, and writes weights and checkpoints
    there.
    """

    job: Job
    limits: Limits
    installed: Mapping[str, str]
    store: Path
    token: str


@cache
def installed() -> dict[str, str]:
    """Return the version of everything that the numbers of a run may depend on."""
    found = {"python": platform.python_version(), "seq2seq-bench": _source()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    return found


def _source() -> str:
    """Return a digest of the suite's own source."""
    root, state = Path(__file__).parents[2], hashlib.blake2b(digest_size=6)
    for file in sorted(file for part in SOURCE_FOLDERS for file in (root / part).rglob("*.py")):
        state.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes())
    return state.hexdigest()


def differences(theirs: Mapping[str, str]) -> str:
    """Return how this node's packages differ from the driver's; empty if they do not."""
    ours = installed()
    return ", ".join(
        f"{name} {ours.get(name, 'none')} (the driver has {theirs.get(name, 'none')})"
        for name in sorted(ours.keys() | theirs.keys())
        if ours.get(name) != theirs.get(name)
    )


def work(order: Order, data: Files | None, plugins: Files) -> Iterator[list[tuple[str, str, Any]]]:
    """Do a job and yield lists of events, each as a plain tuple.

    Yields `unable` where this node cannot, because its disk is full, say. data: the corpora; None
    where they are too large to be sent.
    """
    try:
        yield from _work(order, data, plugins)
    except OSError as error:
        value = {"reason": f"{platform.node()}: {error}", "node": _node_id()}
        yield [("unable", order.job.ids[0], value)]


def _work(order: Order, data: Files | None, plugins: Files) -> Iterator[list[tuple[str, str, Any]]]:
    from bench.engines import worker

    job = order.job
    shares_store = (order.store / order.token).is_file()
    if reason := _refusal(order, data, shares_store):
        yield [("refused", job.ids[0], {"reason": reason})]
        return
    worker.prepare_environment(1)
    search_seldom()  # until `prepare_process`
    scratch = _scratch()
    folder = order.store / "data" if shares_store or data is None else unpacked(data, scratch)
    sources = unpacked(plugins, scratch)
    placed = job if shares_store else _placed(job, scratch)
    plugin_error = worker.load_plugins(tuple(sorted(sources.glob("*/*.py"))))
    events: EventQueue = queue.SimpleQueue()

    def train() -> None:
        from bench.training.process import freeze_imports, prepare_process

        try:
            prepare_process(1)
            worker.do_job(placed, folder, events.put, plugin_error)
            freeze_imports()
        except BaseException as error:
            events.put(error)
        events.put(None)

    ended = threading.Event()

    def exceeded(reason: str) -> None:
        events.put(Event("exceeded", job.ids[0], {"reason": reason}))
        # the driver kills this process on that event; if its task ends in the meantime, Ray may
        # have given it another, which must live
        if not ended.wait(KILLED_WITHIN):
            os._exit(1)

    if order.limits.bytes:
        worker.watch_memory(order.limits, exceeded, ended)
    threading.Thread(target=train, daemon=True).start()
    try:
        yield from _lists(events, placed, _node_id(), None if shares_store else scratch)
    finally:
        ended.set()


def _refusal(order: Order, data: Files | None, shares_store: bool) -> str:
    """Return why this node must not do an order, or an empty string."""
    if different := differences(order.installed):
        return (
            f"the node {platform.node()} differs from the driver: {different}; install the same "
            "there"
        )
    if data is None and not shares_store:
        return (
            f"the corpus of {order.job.specs[0]['task']} is too large to be sent to "
            f"{platform.node()}; put the store in a folder that all nodes share"
        )
    return ""


def _lists(
    events: EventQueue, job: Job, node: str, scratch: Path | None
) -> Iterator[list[tuple[str, str, Any]]]:
    """Yield events in lists until the job ends.

    scratch: folder of weights that the driver does not see, and that must be sent; None if it
    does.
    """
    ended = False
    while not ended:
        ready, ended = _next_list(events, job, node, scratch)
        if ready:
            yield ready


def _next_list(
    events: EventQueue, job: Job, node: str, scratch: Path | None
) -> tuple[list[tuple[str, str, Any]], bool]:
    """Return the events of the next moment, and whether they are the last.

    The start of a run, and an exceeded limit, end the moment at once. Points of quick runs are
    many, so they are collected: each list takes a message.
    """
    ready: list[tuple[str, str, Any]] = []
    until = None  # the first is waited for without looking at a clock: training needs the time
    while True:
        try:
            event = events.get(timeout=until and max(until - time.monotonic(), 0.0))
        except queue.Empty:
            return ready, False
        until = until or time.monotonic() + EVENTS_SENT_EVERY
        if isinstance(event, BaseException):
            raise event
        if event is None:
            return ready, True
        ready += _as_tuples(event, job, node, scratch)
        if event.kind in ("started", "exceeded"):
            return ready, False


def _as_tuples(
    event: Event, job: Job, node: str, scratch: Path | None
) -> list[tuple[str, str, Any]]:
    """Return an event as a plain tuple; weights that must be sent come before the end of a run."""
    sent = []
    if event.kind == "finished" and scratch is not None:
        sent += _weights(event.id, job)
        if job.checkpoint is not None:
            job.checkpoint.unlink(missing_ok=True)
    value = {**event.value, "node": node} if event.kind == "started" else event.value
    return [*sent, (event.kind, event.id, value)]


def _node_id() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


def _placed(job: Job, scratch: Path) -> Job:
    """Return a job whose weights and checkpoint are written to this node's own folder."""
    weights = tuple(
        path if path is None else scratch / "weights" / path.name for path in job.weights
    )
    checkpoint = job.checkpoint and scratch / "checkpoints" / job.checkpoint.name
    return job._replace(weights=weights, checkpoint=checkpoint)


def _weights(run: str, job: Job) -> list[tuple[str, str, Any]]:
    """Return an event with a run's weights, for the driver to write, if there are any."""
    path = job.weights[job.ids.index(run)]
    if path is None or not path.is_file():
        return []
    content = path.read_bytes()
    path.unlink()
    return [("weights", run, {"content": content})]


def _scratch() -> Path:
    """Return this user's folder on this node; PermissionError if somebody else made it."""
    folder = Path(tempfile.gettempdir()) / f"seq2seq-bench-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else; set TMPDIR to another folder")
    return folder


def unpacked(files: Files, scratch: Path) -> Path:
    """Return a folder that holds these files, written once on each node.

    ValueError for a path that leads out of the folder.
    """
    folder = scratch / _content_hash(files)
    if folder.is_dir():
        if _is_complete(folder, files):
            return folder
        shutil.rmtree(folder)  # something cleaned up the temporary files
    # complete under another name first, as tasks of one node may unpack at the same time
    with tempfile.TemporaryDirectory(dir=scratch) as temporary:
        fresh = Path(temporary) / "fresh"
        fresh.mkdir()
        _write_files(files, fresh)
        try:
            fresh.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another task of this node was quicker
                raise
    return folder


def _content_hash(files: Files) -> str:
    """Return a digest of the names and contents of files."""
    state = hashlib.blake2b(digest_size=12)
    for name in sorted(files):
        # with the size, so that no other files give the same bytes in a row
        state.update(f"{name}\0{files[name].size}\0".encode())
        state.update(files[name].tobytes())
    return state.hexdigest()


def _is_complete(folder: Path, files: Files) -> bool:
    """Return whether a folder still has all files, each of its full size."""
    paths = {folder / name: content.size for name, content in files.items()}
    return all(path.is_file() and path.stat().st_size == size for path, size in paths.items())


def _write_files(files: Files, folder: Path) -> None:
    """Write files into a folder; ValueError for a path that leads out of it."""
    for name, content in files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise ValueError(f"{name!r} leads out of the folder that was sent; rename it")
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        content.tofile(file)
