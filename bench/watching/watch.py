"""Watches training code and says why its model does not learn."""

from __future__ import annotations

import contextlib
import threading
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.watching.observe import observe
from bench.watching.raising import error_files, raised_seen
from bench.watching.read.recording import Recording
from bench.watching.record.places import code_lines
from bench.watching.record.recorder import EnoughSteps, Recorder
from bench.watching.unseen import unseen
from results.doctor.examined import Finding
from results.doctor.watched import Watched, judge
from results.doctor.watched.show import show
from results.show.terminal import SafeConsole

_only_one = threading.Lock()
"""Held while a watch is on: its hooks see the optimizers and modules of the whole process."""


class Watch:
    """Watches the training code that runs inside it.

        with bench.watch() as doctor:
            train()
        doctor.show()

    It changes no number of the training and leaves nothing behind. `findings` are causes, the
    likeliest first; `watched` holds what they rest on; both are there once the watch has ended,
    also if the training ended by an error, which is passed on.
    """

    def __init__(self, most_steps: int | None = None) -> None:
        """Prepare a watch, which begins when it is entered.

        most_steps: training steps after which the code inside is stopped, None for no limit.
        """
        self.findings: list[Finding] = []
        self.watched = Watched()
        self._recorder = Recorder(most_steps)

    def __enter__(self) -> Watch:
        if not _only_one.acquire(blocking=False):
            raise RuntimeError(
                "a bench.watch() is on already, and there can be one at a time; end it before the "
                "next begins"
            )
        try:
            self._recorder.__enter__()
        except BaseException:
            _only_one.release()
            raise
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        try:
            self._recorder.__exit__(kind, error, trace)
        finally:
            _only_one.release()
        self._judge(error)
        return isinstance(error, EnoughSteps)

    @property
    def steps(self) -> int:
        """Return the number of training steps taken so far."""
        return self._recorder.steps

    def show(self, console: Console | None = None) -> None:
        """Print what was found, how it was seen and what to change."""
        show(self.watched, self.findings, console or SafeConsole())

    def _recording(self) -> Recording:
        return Recording.of(self._recorder)

    def _observed(self, recording: Recording, errors: list[Exception]) -> Watched:
        return observe(recording, errors)

    def _judge(self, error: BaseException | None) -> None:
        """Judge what was recorded; an error in doing so is a sentence among what was not seen."""
        recording = self._recording()
        errors: list[Exception] = []
        watched = self._observed(recording, errors)
        if isinstance(error, Exception):
            with _collected(errors):
                watched = replace(watched, raised=raised_seen(error))
        self.findings = judge(watched, errors)
        lines: dict[str, str] = {}
        with _collected(errors):
            files = [*recording.files(), *error_files(error)]
            lines = code_lines((finding.place for finding in self.findings), files)
        unread: list[str] = []
        with _collected(errors):
            unread = recording.unread()
        sentences = [*watched.unseen, *unseen(self._recorder), *unread, *map(_sentence, errors)]
        self.watched = replace(watched, unseen=tuple(dict.fromkeys(sentences)), lines=lines)


@contextlib.contextmanager
def _collected(errors: list[Exception]) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        errors.append(error)


def _sentence(error: Exception) -> str:
    """Return what is said of an error in our own analysis."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/bench/" in frame.filename or "/doctor/" in frame.filename]
    where = f" at {Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
    return (
        f"a part of the judgement, because of an error in bench itself ({type(error).__name__}"
        f"{where}: {' '.join(str(error).split())[:200]}); please report it"
    )


def watch() -> Watch:
    """Return a context that watches the training code inside it; see `Watch`."""
    return Watch()
