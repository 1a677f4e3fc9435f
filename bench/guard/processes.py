"""Starts processes that run one version of the code each, and asks them to time and count.

Each process is a `bench.guard.worker`, started in the folder of its version.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from bench.guard.subjects import Subject
from bench.guard.worker import PROTOCOL


class GuardError(Exception):
    """Nothing can be measured; the message is a sentence that says why."""


class GuardSetup(NamedTuple):
    """The folders of two versions that are compared, and what both are given.

    Attributes:
        reference: The folder with the older code.
        present: The folder with the present code.
        device: The device type, cpu or cuda.
        data: The folder of corpora.
        plugins: Paths of plugins within each folder.
    """

    reference: Path
    present: Path
    device: str
    data: Path | None
    plugins: tuple[str, ...]


class VersionProcess:
    """A process that runs one version of the code and answers questions about it."""

    def __init__(self, folder: Path, command: Sequence[str] = ()) -> None:
        environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
        # torch's profiler would report every start and stop
        environment["KINETO_LOG_LEVEL"] = "99"
        # safe path would keep the folder's own modules out
        environment.pop("PYTHONSAFEPATH", None)
        self.folder = folder
        self.process = subprocess.Popen(
            list(command) or [sys.executable, "-m", "bench.guard.worker"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def send(self, question: dict[str, Any]) -> None:
        """Send a question without waiting for the answer; GuardError if the process has ended."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise GuardError(self._reason_of_death()) from None

    def answer(self) -> dict[str, Any]:
        """Return the answer to the last question.

        Raises:
            GuardError: The process has ended, or answers with an error.
        """
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise GuardError(self._reason_of_death())
        found: dict[str, Any] = json.loads(line)
        if "error" in found:
            raise GuardError(f"the code in {self.folder} cannot be measured: {found['error']}")
        return found

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Send a question and return its answer."""
        self.send(question)
        return self.answer()

    def pin(self, core: int) -> None:
        """Let the process run on one core only; a core that is gone meanwhile is ignored."""
        with suppress(OSError):
            os.sched_setaffinity(self.process.pid, {core})

    def _reason_of_death(self) -> str:
        self.process.kill()
        _, errors = self.process.communicate()
        if "bench.guard" in errors and "No module named" in errors:
            return f"the code in {self.folder} is older than bench guard; name a later revision"
        last = (errors.strip().splitlines() or ["no reason given"])[-1]
        return f"the process of the code in {self.folder} ended: {last}"

    def close(self) -> None:
        """Kill the process and wait until it has ended."""
        self.process.kill()
        self.process.communicate()


class ProcessTrio(NamedTuple):
    """Three fresh processes: the reference, the present code, and the reference once more."""

    reference: VersionProcess
    present: VersionProcess
    again: VersionProcess


@contextmanager
def started(setup: GuardSetup, subjects: Sequence[Subject]) -> Iterator[ProcessTrio]:
    """Start the three processes and prepare the same subjects in each.

    Raises:
        GuardError: A version is too old, or the versions do not do the same work.
    """
    with ExitStack() as stack:
        folders = (setup.reference, setup.present, setup.reference)
        trio = ProcessTrio(*map(VersionProcess, folders))
        for process in trio:
            stack.callback(process.close)
        question = {
            "prepare": [list(subject) for subject in subjects],
            "device": setup.device,
            "data": None if setup.data is None else str(setup.data),
            "plugins": list(setup.plugins),
        }
        # one after the other, as preparing includes timing a pass
        answers = [process.ask(question) for process in trio]
        for process, answer in zip(trio, answers, strict=True):
            _check(process, answer, answers[0])
        yield trio


def _check(process: VersionProcess, answer: dict[str, Any], reference: dict[str, Any]) -> None:
    """Raise GuardError unless a prepared process can be compared with the reference."""
    if answer["protocol"] != PROTOCOL:
        raise GuardError(
            f"the code in {process.folder} uses version {answer['protocol']} of the guard's "
            f"protocol, this one {PROTOCOL}; compare with a later revision"
        )
    if answer["strays"]:
        raise GuardError(
            f"the code in {process.folder} lacks {answer['strays'][0]}, being older than bench "
            "guard; compare with a later revision"
        )
    workloads = reference["workloads"]
    different = [n for n, digest in answer["workloads"].items() if workloads.get(n) != digest]
    if different:
        raise GuardError(
            f"the two versions do not work on the same batches of {', '.join(different)}, so that "
            "times say nothing; leave those out with --task or --variant"
        )
