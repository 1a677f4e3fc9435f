"""The bookkeeping that engines share: who runs what, next to whom, until when, and what is done
when a process dies.

A ledger starts no processes and reads no clock, so it can be tested with made-up events. A
"process" here is any hashable value that identifies a training process to the engine, such as the
connection to it. Loads no torch.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from bench.engines.contract import EngineError, Event, Job, Limits

TRIES = 3
"""Deaths of its process after which a run is recorded as failed."""
NODE_TRIES = 50
"""Deaths of its node after which a run is recorded as failed; these are seldom its own fault."""
STARTS_WITHIN = 300.0
"""Seconds that a process with a time limit has to load its libraries and start its first run."""

Process = TypeVar("Process", bound=Hashable)


class Death(NamedTuple):
    """The end of a process that had runs to do, as the engine describes it.

    cause: the reason given for runs that will start again. last_time: what follows "the last time"
    in the message of a run that fails, such as " by signal 9". of_node: the whole node died.
    startup_error: why the engine stops if processes die again and again before any run starts;
    empty if only the run is to blame.
    """

    cause: str
    last_time: str
    of_node: bool = False
    startup_error: str = ""


@dataclass
class Assignment:
    """A job in the hands of one process, which does its runs in order.

    job: the runs that have not ended. running: ids of those that started. node: where the process
    is, empty until known. deadline: when they have taken too long, or when the first should have
    started; None for never. begun: one of them started. over_limit: the limit that the process
    exceeded, as a sentence.
    """

    job: Job
    running: list[str] = field(default_factory=list)
    node: str = ""
    deadline: float | None = None
    begun: bool = False
    over_limit: str = ""


class Ledger(Generic[Process]):
    """Tracks which process does which job, and decides what becomes of a job whose process died.

    retried: how often a job was put back because its process, or its node, failed.
    """

    def __init__(self, limits: Limits) -> None:
        self.retried = 0
        self._limits = limits
        self._jobs: Iterator[Job] = iter(())
        self._returned: deque[Job] = deque()
        self._assignments: dict[Process, Assignment] = {}
        self._deaths: Counter[str] = Counter()
        self._node_deaths: Counter[str] = Counter()
        self._most_neighbours: dict[str, int] = {}

    # jobs that wait

    def begin(self, jobs: Iterable[Job]) -> None:
        """Forget all processes and jobs, and take jobs from here on from `jobs`.

        A job is made only as it is taken, as there may be a million.
        """
        self._jobs = iter(jobs)
        self._returned.clear()
        self._assignments.clear()

    def take(self) -> Job | None:
        """Return the next job that waits, or None; those that came back are taken first."""
        return self._returned.popleft() if self._returned else next(self._jobs, None)

    def put_back(self, job: Job) -> None:
        """Let a job wait at the front of the queue."""
        self._returned.appendleft(job)

    # jobs in progress

    def assign(self, process: Process, job: Job, now: float | None = None) -> None:
        """Note that a process was given a job.

        now: the time, if the process is there already; with a time limit it then has STARTS_WITHIN
        to start a run.
        """
        self._assignments[process] = Assignment(job)
        if now is not None:
            self._assignments[process].deadline = now + STARTS_WITHIN

    def release(self, process: Process) -> Assignment:
        """Forget a process and return what it had."""
        return self._assignments.pop(process)

    def __getitem__(self, process: Process) -> Assignment:
        return self._assignments[process]

    def __contains__(self, process: Process) -> bool:
        return process in self._assignments

    def __iter__(self) -> Iterator[Process]:
        return iter([*self._assignments])

    def __len__(self) -> int:
        return len(self._assignments)

    @property
    def running(self) -> int:
        """Number of runs that are being trained."""
        return sum(len(assignment.running) for assignment in self._assignments.values())

    def started(self, process: Process, run: str, now: float, node: str = "") -> None:
        """Note that a run started: its time limit begins, and others on its node have company."""
        assignment = self._assignments[process]
        # a run of this task did start, so earlier deaths at start-up no longer count
        del self._deaths[_startup(assignment.job)]
        if not assignment.begun:
            assignment.begun = True
            # runs that are trained together share the process, so the limit is the sum of theirs
            assignment.deadline = now + self._limits.seconds * len(assignment.job.specs)
        assignment.node = node
        assignment.running.append(run)
        self._count_neighbours(node)

    def _count_neighbours(self, node: str) -> None:
        """Raise the count of every run on a node to the other processes that train there now."""
        there = [
            assignment
            for assignment in self._assignments.values()
            if assignment.node == node and assignment.running
        ]
        for run in (run for assignment in there for run in assignment.running):
            self._most_neighbours[run] = max(self._most_neighbours.get(run, 0), len(there) - 1)

    def finished(self, process: Process, event: Event) -> Event:
        """Note that a run ended, and return its event with how many others trained next to it."""
        assignment = self._assignments[process]
        assignment.running.remove(event.id)
        assignment.job = assignment.job.after(1)
        measured = {**event.value["measured"], "beside": self._neighbours(event.id)}
        return event._replace(value={**event.value, "measured": measured})

    def _neighbours(self, run: str) -> int:
        return self._most_neighbours.pop(run, 0)

    # limits

    def exceeded(self, process: Process, reason: str) -> None:
        """Note that a process exceeded a limit; the first reason stands."""
        assignment = self._assignments[process]
        assignment.over_limit = assignment.over_limit or reason

    def overdue(self, now: float) -> list[Process]:
        """Return the processes whose runs take too long and that exceeded no limit before."""
        if not self._limits.seconds:
            return []
        return [
            process
            for process, assignment in self._assignments.items()
            if assignment.job.specs
            and assignment.deadline is not None
            and now > assignment.deadline
            and not assignment.over_limit
        ]

    # deaths

    def died(self, process: Process, death: Death) -> list[Event]:
        """Forget a process that died, and return what that means for its runs.

        Its job is put back if it deserves another try; otherwise the first of its runs fails and
        only the others are put back. If it exceeded a limit, all of them fail.

        Raises:
            EngineError: Processes die before they start a run, TRIES times in a row.
        """
        assignment = self._assignments.pop(process)
        job, running = assignment.job, assignment.running
        if not job.specs:  # all its runs had ended
            return []
        if assignment.over_limit and running:
            # of runs that are trained together none is more to blame than the others
            return [
                self._failure(job.after(place), assignment.over_limit)
                for place in range(len(job.specs))
            ]
        self._node_deaths[job.name] += 1
        unstarted = bool(death.startup_error) and not running
        if self._deserves_another_try(job, death, unstarted):
            self.retried += 1
            self.put_back(job)
            return _lost(running, death.cause)
        if unstarted:
            raise EngineError(death.startup_error)
        subject, times = ("node", NODE_TRIES) if death.of_node else ("process", TRIES)
        reason = f"its {subject} died {times} times, the last time{death.last_time}"
        failure = self._failure(job, reason)
        if (left := job.after(1)).specs:
            self.put_back(left)
        return [failure, *_lost(running[1:], death.cause)]

    def _deserves_another_try(self, job: Job, death: Death, unstarted: bool) -> bool:
        if death.of_node:
            return self._node_deaths[job.name] < NODE_TRIES
        # a process that never got to a run (no memory to start in, say) says nothing about that
        # run, so it counts against all runs of the task
        blamed = _startup(job) if unstarted else job.ids[0]
        self._deaths[blamed] += 1
        return self._deaths[blamed] < TRIES

    def _failure(self, job: Job, reason: str) -> Event:
        """Return the end of a job's first run, which will not be tried again."""
        record = {
            "id": job.ids[0],
            "spec": job.specs[0],
            "outcome": {"status": "failed", "error": reason, "traceback": ""},
            "measured": {"beside": self._neighbours(job.ids[0])},
        }
        return Event("finished", job.ids[0], record)

    def unable(self, process: Process, reason: str) -> list[Event]:
        """Put a job back that its process cannot do, and return what that means for its runs.

        The process stays known, without a job, until it ends.
        """
        assignment = self._assignments[process]
        self.retried += 1
        self.put_back(assignment.job)
        running, assignment.running = assignment.running, []
        assignment.job = assignment.job.after(len(assignment.job.specs))
        return _lost(running, reason)


def _startup(job: Job) -> str:
    """Return the key under which deaths before any run are counted: the task's label."""
    return str(job.specs[0]["task"])


def _lost(runs: Iterable[str], reason: str) -> list[Event]:
    return [Event("lost", run, {"reason": reason}) for run in runs]
