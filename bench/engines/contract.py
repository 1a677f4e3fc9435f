"""The contract of engines: the jobs they are given, the events they yield, the limits they keep.

Loads no torch.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

Counting = Callable[[int, int], None]
"""Is called with how much of some work is done, and of how much."""
IDLE_AFTER = 0.2
"""Seconds without news after which an engine yields IDLE and looks at its limits."""


def uncounted(done: int, total: int) -> None:
    """Ignore how far some work is."""


class Job(NamedTuple):
    """Runs that are trained together, which differ only in seed or learning rate; or one run.

    specs: plain values of each run's spec. ids: of the runs. weights: files for each run's
    weights, or None where they are not kept. checkpoint: the file that holds how far training is.
    layers: what every parameter and layer is like is recorded at evaluations.
    """

    specs: tuple[dict[str, Any], ...]
    ids: tuple[str, ...]
    weights: tuple[Path | None, ...]
    checkpoint: Path | None = None
    layers: bool = False

    @property
    def name(self) -> str:
        """The id of a single run, or a hash of the ids of several."""
        if len(self.ids) == 1:
            return self.ids[0]
        return hashlib.blake2b(" ".join(self.ids).encode(), digest_size=8).hexdigest()

    def after(self, count: int) -> Job:
        """Return what is left of the job when its first `count` runs have ended."""
        return self._replace(
            specs=self.specs[count:], ids=self.ids[count:], weights=self.weights[count:]
        )


class Event(NamedTuple):
    """Something that happened to a run. kind, with the keys of value:

    `started` (spec), `point` (point, clock: of the curve), `finished` (the record), `lost`
    (reason; it will start again), `refused` (reason; nothing like it can be run now), `exceeded`
    (reason; a limit, its process ends), `weights` (content; from a node that does not see the
    store), `outputs` (content; before the record that names them), `idle` (nothing; no run has
    news).
    """

    kind: str
    id: str
    value: Mapping[str, Any]


IDLE = Event("idle", "", {})
"""Stands for a moment in which nothing happened to any run."""


@dataclass(frozen=True)
class Limits:
    """Limits of one run: seconds from its start, bytes that its process holds; 0 for no limit."""

    seconds: float = 0.0
    bytes: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.seconds < math.inf and 0 <= self.bytes < math.inf):
            raise ValueError(
                f"limits of {self.seconds:g} s and {self.bytes:g} bytes cannot be kept; give "
                "numbers above 0, or none"
            )

    def time_exceeded(self, runs: int) -> str:
        """Return the sentence for so many runs, trained together, that took too long."""
        return (
            f"took longer than the {self.seconds * runs / 60:.3g} min that --time-limit allows; "
            "raise it and give the command again with --rerun failed"
        )

    def memory_exceeded(self, held: int) -> str:
        """Return the sentence for a process that holds so many bytes, which is too much."""
        return (
            f"its process held {held / 2**30:.2f} GiB, more than the {self.bytes / 2**30:.3g} that "
            "--memory-limit allows; raise it and give the command again with --rerun failed"
        )


class EngineError(Exception):
    """No run can be started; the message is a sentence for the user."""


class Engine(Protocol):
    """Trains groups of runs, `workers` at a time, and yields what happens to each."""

    workers: int

    def run(self, groups: Iterable[Job]) -> Iterator[Event]:
        """Do all groups, in this order as far as workers are free."""

    def state(self) -> dict[str, Any]:
        """Return who is at work, for `bench status`: engine, nodes, running, retried."""

    def close(self) -> None:
        """End all processes and leave the cluster."""
