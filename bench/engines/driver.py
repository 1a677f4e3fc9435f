"""Runs a plan: what is finished is left alone, the rest goes to the engine, and every event to
the store. The one place that writes."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Protocol

from bench.engines.contract import Engine, Event, Job
from bench.plan.groups import grouped
from bench.specs import RunSpec
from results.errors import PATIENCE, PAUSE, DiskFullError
from results.record import Record
from results.store import Store

COMMITTED_EVERY = 0.2
"""Seconds, at most, from the end of a run until the database has it."""
TOLD_EVERY = 2.0
"""Seconds between two words of who is at work."""


class Watcher(Protocol):
    """Is called with the events of an engine, as a progress display is."""

    def on_event(self, event: Event) -> None:
        """Is called after an event was stored."""

    def on_disk_full(self) -> None:
        """Is called once each time that runs wait because the disk is full."""


def to_do(specs: Sequence[RunSpec], store: Store) -> list[RunSpec]:
    """The specs that the store has no finished run of."""
    done = store.ids()
    return [spec for spec in specs if spec.id not in done]


def drive(
    specs: Sequence[RunSpec],
    cost: Callable[[RunSpec], float],
    store: Store,
    engine: Engine,
    watcher: Watcher,
    keep_weights: bool,
) -> None:
    """Do all these runs."""
    store.tidy()
    groups = grouped(specs, cost, engine.workers)
    # a job is made when an engine takes it, for there may be a million
    checkpoints: dict[str, Path | None] = {}

    def jobs() -> Iterator[Job]:
        for group in groups:
            job = _job(group, store, keep_weights)
            checkpoints.update(dict.fromkeys(job.ids, job.checkpoint))
            yield job

    def keep(event: Event) -> None:
        if event.kind == "started":
            store.begin(event.id, event.value["spec"])
        elif event.kind == "point":
            store.point(event.id, event.value["point"], event.value["clock"])
        elif event.kind == "weights":
            store.keep_weights(event.id, event.value["content"])
        elif event.kind == "finished":
            store.add(Record.read(event.value), commit=False)
            if file := checkpoints.pop(event.id, None):
                file.unlink(missing_ok=True)

    with _heeding_ctrl_c() as pressed:
        committed, told = time.monotonic(), 0.0
        try:
            for event in engine.run(jobs()):
                if event.kind != "idle":
                    _patiently(watcher, partial(keep, event))
                    watcher.on_event(event)
                if event.kind == "idle" or time.monotonic() - committed > COMMITTED_EVERY:
                    _patiently(watcher, store.commit)
                    committed = time.monotonic()
                if time.monotonic() - told > TOLD_EVERY:
                    store.write_engine_state(engine.state())
                    told = time.monotonic()
                if pressed:
                    raise KeyboardInterrupt
        finally:
            store.commit()


def _job(group: Sequence[RunSpec], store: Store, keep_weights: bool) -> Job:
    ids = tuple(spec.id for spec in group)
    weights = tuple(store.weights(run) if keep_weights else None for run in ids)
    job = Job(tuple(spec.plain() for spec in group), ids, weights)
    return job._replace(checkpoint=store.checkpoint(job.name))


def _patiently(watcher: Watcher, write: Callable[[], None]) -> None:
    """Write, and where the disk is full wait for room: what is trained meanwhile is not lost."""
    began = None
    while True:
        try:
            return write()
        except DiskFullError:
            if began is None:
                began = time.monotonic()
                watcher.on_disk_full()
            elif time.monotonic() - began > PATIENCE:
                raise
            time.sleep(PAUSE)


@contextmanager
def _heeding_ctrl_c() -> Iterator[list[int]]:
    """What is given here holds something once Ctrl-C was pressed.

    KeyboardInterrupt alone may be lost: Python drops what is raised in a finalizer or in the
    callback of a weak reference, which may be where it was when the signal came.
    """
    pressed: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    here = threading.current_thread() is threading.main_thread()
    if not here or before is not signal.default_int_handler:  # someone else listens, or no one
        yield pressed
        return

    def listen(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, listen)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
