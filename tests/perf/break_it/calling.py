"""Calls commands in this process and says what was wrong with how they ended."""

from __future__ import annotations

import contextlib
import io
import math
import signal
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import NamedTuple

# loaded before anything is waited for, as that takes a while on a busy machine
import matplotlib.pyplot as _pyplot  # noqa: F401
import pandas as _pandas  # noqa: F401
import scipy.stats as _scipy_stats  # noqa: F401

import bench.api.run  # noqa: F401
from bench.cli import app
from bench.cli.shared import EXIT_CODES
from tests.hostile import CONTROL

SILENT_FOR = 11
"""Seconds without a word after which a command counts as hung; a word is due after 10."""
SCHEDULING = Path("/proc/self/schedstat")
"""Nanoseconds that the main thread computed, and that it waited for a processor."""


class Called(NamedTuple):
    """Holds how a command ended. wrong: what was wrong with it, empty if nothing was."""

    code: int
    out: str
    err: str
    wrong: str


class HungError(BaseException):
    """Says that a command was silent for too long."""


class Patience:
    """Interrupts a command that is silent for SILENT_FOR seconds, and notes that it was.

    Seconds in which it waits for a processor do not count: on a busy machine these are many.
    """

    def __init__(self) -> None:
        self.over = False
        self._spoke = 0.0

    def __enter__(self) -> Patience:
        self._before = signal.signal(signal.SIGALRM, self._late)
        self.word()
        return self

    def __exit__(self, *_: object) -> None:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, self._before)

    def word(self) -> None:
        """Begin to wait anew, as the command said something."""
        self._spoke = _seconds()
        signal.alarm(SILENT_FOR)

    def _late(self, number: int, frame: FrameType | None) -> None:
        left = SILENT_FOR - (_seconds() - self._spoke)
        if left > 0:
            signal.alarm(math.ceil(left))
            return
        self.over = True
        raise HungError


def _seconds() -> float:
    """Return seconds of a clock that stands while the main thread waits for a processor."""
    _, waited, _ = SCHEDULING.read_text().split() if SCHEDULING.exists() else ("", "0", "")
    return time.monotonic() - int(waited) / 1e9


class Heard(io.StringIO):
    """Standard output or error of a command; every word gives it more time."""

    def __init__(self, patience: Patience) -> None:
        super().__init__()
        self._patience = patience

    def write(self, text: str) -> int:
        """Keep the text and begin to wait anew."""
        self._patience.word()
        return super().write(text)


def call(*arguments: str) -> Called:
    """Call a command as a shell would, and return how it ended."""
    patience = Patience()
    out, err = Heard(patience), Heard(patience)
    code, wrong = -1, ""
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), patience:
        try:
            code = app.main(list(arguments))
        except HungError:
            pass
        except BaseException:
            wrong = "traceback"
            err.write(traceback.format_exc())
    if patience.over:
        wrong = "hung"
    if not wrong and (code not in EXIT_CODES or "Traceback (most" in err.getvalue()):
        wrong = f"exit code {code}" if code not in EXIT_CODES else "traceback"
    if not wrong and CONTROL.search(out.getvalue() + err.getvalue()):
        wrong = "control characters"
    return Called(code, out.getvalue(), err.getvalue(), wrong)
