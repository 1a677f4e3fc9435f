"""Runs a plan: what is finished is left alone, the rest goes to the engine, and every event to
the store. The one place that writes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from bench.groups import grouped
from bench.specs import RunSpec
from bench.worker import Event, Job
from results.record import Record
from results.store import Store


class Engine(Protocol):
    """Trains groups of runs, `workers` at a time, and yields what happens to each."""

    workers: int

    def run(self, groups: Sequence[Job]) -> Iterator[Event]:
        """Do all groups, in this order as far as workers are free."""


class Watcher(Protocol):
    """Who is told of events: the progress display."""

    def heard(self, event: Event) -> None:
        """Called after the event is stored."""


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
    by_id = {spec.id: spec for spec in specs}
    jobs = [
        Job(
            tuple(spec.plain() for spec in group),
            tuple(store.weights(spec.id) if keep_weights else None for spec in group),
        )
        for group in grouped(specs, cost, engine.workers)
    ]
    with _heeding_ctrl_c() as pressed:
        for event in engine.run(jobs):
            if event.kind == "started":
                store.begin(event.id, by_id[event.id].plain())
            elif event.kind == "point":
                store.point(event.id, event.value["point"], event.value["clock"])
            elif event.kind == "finished":
                store.add(Record.read(event.value))
            watcher.heard(event)
            if pressed:
                raise KeyboardInterrupt


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
