"""Runs a plan: unfinished runs go to the engine, and every event goes to the store.

Nothing else writes to the store while runs are trained.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Protocol

from bench import collection
from bench.engines.contract import Engine, Event, Job
from bench.plan.groups import grouped
from bench.specs import RunSpec
from results.errors import PATIENCE, PAUSE, DiskFullError
from results.record import Record
from results.store import Store

COMMITTED_EVERY = 0.2
"""Longest time in seconds from the end of a run until the database has it."""
STATE_WRITTEN_EVERY = 2.0
"""Seconds between two writes of who is at work, for `bench status`."""


class Watcher(Protocol):
    """Is called with the events of an engine, as a progress display is."""

    def on_event(self, event: Event) -> None:
        """Is called after an event was stored."""

    def on_disk_full(self) -> None:
        """Is called once each time that runs wait because the disk is full."""


def to_do(specs: Sequence[RunSpec], store: Store) -> list[RunSpec]:
    """Return the specs that the store has no finished run of, or one that is to be done again."""
    done = store.ids() - store.again()
    return [spec for spec in specs if spec.id not in done]


def drive(
    specs: Sequence[RunSpec],
    cost: Callable[[RunSpec], float],
    store: Store,
    engine: Engine,
    watcher: Watcher,
    keep_weights: bool,
    layers: bool = False,
    origins: Mapping[str, str] | None = None,
) -> None:
    """Do all these runs and write what comes of them to the store.

    Args:
        specs: the runs that are to be done; those in the store are done again.
        cost: returns about how many seconds a run takes; what takes longest is done first.
        store: is open for writing.
        engine: trains the runs; it is not closed.
        watcher: is called with every event.
        keep_weights: each run's best weights are kept, and its training state.
        layers: what every parameter and layer is like is recorded at evaluations.
        origins: for each run that goes on from a shorter one, the id of that.

    Raises:
        KeyboardInterrupt: after Ctrl-C; what was finished by then is stored.
        DiskFullError: where there is no room for PATIENCE seconds.
    """
    collection.search_as_usual()  # from here on little is imported
    store.tidy()
    writer = _EventWriter(store, keep_weights, layers, origins or {})
    groups = grouped(specs, cost, engine.workers, keep_weights)
    with _ctrl_c_noted() as pressed:
        committed, state_written = time.monotonic(), 0.0
        try:
            for event in engine.run(map(writer.job, groups)):
                if event.kind != "idle":
                    _write_patiently(watcher, partial(writer.write, event))
                    watcher.on_event(event)
                # a commit waits for the disk, so there is not one for each event
                if event.kind == "idle" or time.monotonic() - committed > COMMITTED_EVERY:
                    _write_patiently(watcher, store.commit)
                    committed = time.monotonic()
                if time.monotonic() - state_written > STATE_WRITTEN_EVERY:
                    store.write_engine_state(engine.state())
                    state_written = time.monotonic()
                if pressed:
                    raise KeyboardInterrupt
        finally:
            store.commit()


class _EventWriter:
    """Makes the jobs of runs, and writes events about these to the store."""

    def __init__(
        self, store: Store, keep_weights: bool, layers: bool, origins: Mapping[str, str]
    ) -> None:
        self._store = store
        self._layers = layers
        self._keep_weights = keep_weights
        self._origins = origins
        self._checkpoints: dict[str, Path | None] = {}

    def job(self, group: Sequence[RunSpec]) -> Job:
        """Return the job of a group. It is made when an engine takes it, for there may be a
        million."""
        ids = tuple(spec.id for spec in group)
        weights = tuple(self._store.weights(run) if self._keep_weights else None for run in ids)
        job = Job(tuple(spec.plain() for spec in group), ids, weights)
        job = job._replace(checkpoint=self._store.checkpoint(job.name), layers=self._layers)
        self._checkpoints.update(dict.fromkeys(ids, job.checkpoint))
        self._go_on(job)
        return job

    def _go_on(self, job: Job) -> None:
        """Let a run begin where a shorter one ended; where it cannot, it only takes longer.

        What the shorter run did not record of its layers would be missing, so that all is done.
        """
        origin, checkpoint = self._origins.get(job.ids[0]), job.checkpoint
        if origin is None or checkpoint is None or checkpoint.exists() or job.layers:
            return
        state = self._store.training_state(origin)
        part = checkpoint.with_suffix(".part")
        with contextlib.suppress(OSError):
            checkpoint.parent.mkdir(exist_ok=True)
            shutil.copyfile(state, part)
            part.replace(checkpoint)

    def write(self, event: Event) -> None:
        """Write what happened to a run; the checkpoint of a run that finished is deleted."""
        store = self._store
        if event.kind == "started":
            store.begin(event.id, event.value["spec"])
        elif event.kind == "point":
            store.point(event.id, event.value["point"], event.value["clock"])
        elif event.kind == "weights":
            store.keep_weights(event.id, event.value["content"])
        elif event.kind == "outputs":
            store.keep_outputs(event.id, event.value["content"])
        elif event.kind == "finished":
            store.add(Record.read(event.value), commit=False)
            if not self._keep_weights:  # those of an outcome before would not be this one's
                store.weights(event.id).unlink(missing_ok=True)
                store.training_state(event.id).unlink(missing_ok=True)
            if file := self._checkpoints.pop(event.id, None):
                file.unlink(missing_ok=True)


def _write_patiently(watcher: Watcher, write: Callable[[], None]) -> None:
    """Write, and while the disk is full wait for room: what is trained meanwhile is not lost."""
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
def _ctrl_c_noted() -> Iterator[list[int]]:
    """Give a list that is empty until Ctrl-C is pressed.

    KeyboardInterrupt alone may be lost: Python drops what is raised in a finalizer or in the
    callback of a weak reference, which may be running when the signal comes.
    """
    pressed: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    main = threading.current_thread() is threading.main_thread()
    if not main or before is not signal.default_int_handler:
        # signals are handled elsewhere, or are to be ignored
        yield pressed
        return

    def note(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
