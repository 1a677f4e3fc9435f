"""What every engine is given, what it tells, and when it gives up. Loads no torch."""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

TRIES = 3
"""A run whose process dies so often is recorded as failed."""


class Job(NamedTuple):
    """Runs that are trained together, which differ only in seed or learning rate; or one. weights:
    where to keep each run's weights, or None. checkpoint: where to keep how far they are."""

    specs: tuple[dict[str, Any], ...]
    ids: tuple[str, ...]
    weights: tuple[Path | None, ...]
    checkpoint: Path | None = None

    @property
    def name(self) -> str:
        """Of one run its id."""
        if len(self.ids) == 1:
            return self.ids[0]
        return hashlib.blake2b(" ".join(self.ids).encode(), digest_size=8).hexdigest()

    def after(self, count: int) -> Job:
        """What is left of it when so many runs have ended."""
        return self._replace(
            specs=self.specs[count:], ids=self.ids[count:], weights=self.weights[count:]
        )


class Event(NamedTuple):
    """What happened to a run: `started`, `point`, `finished`, `lost` (it will start again),
    `refused` (nothing like it can be run now) or `exceeded` (a limit; its process ends). `idle`
    stands for a moment in which nothing happened to any run; `weights` are what a node sends that
    does not see the store."""

    kind: str
    id: str
    value: Mapping[str, Any]


IDLE = Event("idle", "", {})


@dataclass(frozen=True)
class Limits:
    """What one run may take, 0 for any: seconds from its start, bytes that its process holds."""

    seconds: float = 0.0
    bytes: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.seconds < math.inf and 0 <= self.bytes < math.inf):
            raise ValueError(
                f"limits of {self.seconds:g} s and {self.bytes:g} bytes cannot be kept; give "
                "numbers above 0, or none"
            )

    def late(self, runs: int) -> str:
        """What is said of so many runs together that took too long."""
        return (
            f"took longer than the {self.seconds * runs / 60:.3g} min that --time-limit allows; "
            "raise it, drop the run and give the command again"
        )

    def large(self, held: int) -> str:
        """What is said of a process that holds too much."""
        return (
            f"its process held {held / 2**30:.2f} GiB, more than the {self.bytes / 2**30:.3g} that "
            "--memory-limit allows; raise it, drop the run and give the command again"
        )


class EngineError(Exception):
    """No run can be started; a sentence for the user."""


class Engine(Protocol):
    """Trains groups of runs, `workers` at a time, and yields what happens to each."""

    workers: int

    def run(self, groups: Iterable[Job]) -> Iterator[Event]:
        """Do all groups, in this order as far as workers are free."""

    def state(self) -> dict[str, Any]:
        """Who is at work, for `bench status`: engine, nodes, running, retried."""

    def close(self) -> None:
        """Let go of processes and clusters."""


class Waiting:
    """The queue: what comes back stands first in it. Jobs are made as they are taken."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._back: deque[Job] = deque()
        self._jobs = iter(jobs)

    def take(self) -> Job | None:
        """The next job, if there is one."""
        return self._back.popleft() if self._back else next(self._jobs, None)

    def put_back(self, job: Job) -> None:
        """It is to be done again."""
        self._back.appendleft(job)


class Tries:
    """How often processes died in the hands of which run."""

    def __init__(self) -> None:
        self._count: dict[str, int] = {}

    def again(self, run: str) -> bool:
        """Count a death; whether the run deserves another try."""
        self._count[run] = self._count.get(run, 0) + 1
        return self._count[run] < TRIES

    def forget(self, run: str) -> None:
        """It is alive."""
        self._count.pop(run, None)


def given_up(job: Job, reason: str, beside: int) -> Event:
    """The end of a job's first run, which will not be tried again."""
    outcome = {"status": "failed", "error": reason, "traceback": ""}
    record = {
        "id": job.ids[0],
        "spec": job.specs[0],
        "outcome": outcome,
        "measured": {"beside": beside},
    }
    return Event("finished", job.ids[0], record)
