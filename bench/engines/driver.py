"""Runs a plan: gives runs to the engine, and writes to the store what the engine tells of them.

While runs are trained, nothing else writes to the store's database. Workers on this machine write
checkpoints and weights to its folders themselves.
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
"""Seconds between two commits while events come; a pause between events commits at once."""
STATE_WRITTEN_EVERY = 2.0
"""Seconds between two writes of which workers are busy, for `bench status`."""


class Watcher(Protocol):
    """Is called with the events of an engine, as a progress display is."""

    def on_event(self, event: Event) -> None:
        """Is called after an event was stored."""

    def on_disk_full(self) -> None:
        """Is called once each time that runs wait because the disk is full."""


def to_do(specs: Sequence[RunSpec], store: Store) -> list[RunSpec]:
    """Return the specs without a finished run in the store, or whose run is to be repeated."""
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
    """Do all these runs and write their results to the store.

    Args:
        specs: all of them are run, finished or not; `to_do` leaves finished ones out.
        cost: returns about how many seconds a run takes; what takes longest is done first.
        store: is open for writing.
        engine: trains the runs; it is not closed.
        watcher: is called with every event but `idle`.
        keep_weights: each run's best weights are kept, and its training state.
        layers: statistics of every parameter and layer are recorded at evaluations.
        origins: for a run that goes on from a shorter one, the id of the shorter one.

    Raises:
        KeyboardInterrupt: after Ctrl-C; what was finished by then is stored.
        DiskFullError: where there is no room for PATIENCE seconds.
    """
    # modules are imported by now, so the garbage collector runs at its usual rate again
    collection.search_as_usual()
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
        """Return the job of a group.

        Jobs are made one by one, when the engine takes them, as there may be a million.
        """
        ids = tuple(spec.id for spec in group)
        weights = tuple(self._store.weights(run) if self._keep_weights else None for run in ids)
        job = Job(tuple(spec.plain() for spec in group), ids, weights)
        # the runs of a group are trained and end together, and share the checkpoint of its name
        job = job._replace(checkpoint=self._store.checkpoint(job.name), layers=self._layers)
        self._checkpoints.update(dict.fromkeys(ids, job.checkpoint))
        self._go_on(job)
        return job

    def _go_on(self, job: Job) -> None:
        """Copy the last training state of a shorter run as this run's checkpoint.

        If it cannot be copied, the run starts from step 0. So does a run that records statistics
        of layers, as the shorter run has none, and a group of replicas, as a state is of one run.
        """
        origin, checkpoint = self._origins.get(job.ids[0]), job.checkpoint
        anew = origin is None or job.layers or len(job.ids) > 1
        if anew or checkpoint is None or checkpoint.exists():
            return
        assert origin is not None
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
            if not self._keep_weights:  # they would be those of an earlier outcome of this run
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
    """Give a list that stays empty until Ctrl-C is pressed.

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
