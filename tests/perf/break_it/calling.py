"""Calls commands in this process and says what was wrong with how they ended."""

from __future__ import annotations

import contextlib
import io
import re
import signal
import traceback
from collections import Counter
from collections.abc import Iterator
from types import FrameType
from typing import NamedTuple

# loaded before anything is waited for, as that takes a while on a busy machine
import matplotlib.pyplot as _pyplot  # noqa: F401
import pandas as _pandas  # noqa: F401
import scipy.stats as _scipy_stats  # noqa: F401

import bench.api.run  # noqa: F401
from bench.cli import app
from bench.cli.shared import EXIT_CODES

SILENT_FOR = 10
"""Seconds without a word after which a command counts as hung."""
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that no command may print."""


class Called(NamedTuple):
    """Holds how a command ended. wrong: what was wrong with it, empty if nothing was."""

    code: int
    out: str
    err: str
    wrong: str


class HungError(BaseException):
    """Says that a command was silent for too long."""


class Heard(io.StringIO):
    """Standard output or error of a command; every word gives it more time."""

    def write(self, text: str) -> int:
        """Keep the text and begin to wait anew."""
        signal.alarm(SILENT_FOR)
        return super().write(text)


def call(*arguments: str) -> Called:
    """Call a command as a shell would, and return how it ended."""
    out, err = Heard(), Heard()
    code, wrong = -1, ""
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _no_longer():
        try:
            code = app.main(list(arguments))
        except HungError:
            wrong = "hung"
        except BaseException:
            wrong = "traceback"
            err.write(traceback.format_exc())
    if not wrong and (code not in EXIT_CODES or "Traceback (most" in err.getvalue()):
        wrong = f"exit code {code}" if code not in EXIT_CODES else "traceback"
    if not wrong and CONTROL.search(out.getvalue() + err.getvalue()):
        wrong = "control characters"
    return Called(code, out.getvalue(), err.getvalue(), wrong)


@contextlib.contextmanager
def _no_longer() -> Iterator[None]:
    def late(number: int, frame: FrameType | None) -> None:
        raise HungError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SILENT_FOR)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class Tally:
    """Counts what was tried and what went wrong, with an example of each kind."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.tried = 0
        self.wrong: Counter[str] = Counter()
        self.examples: dict[str, str] = {}

    def add(self, wrong: str, example: str) -> None:
        """Count one trial. wrong: empty if it went right."""
        self.tried += 1
        if wrong:
            self.wrong[wrong] += 1
            self.examples.setdefault(wrong, example)

    def row(self) -> str:
        """Return a row of the table in Markdown."""
        wrong = ", ".join(f"{count} {what}" for what, count in self.wrong.most_common())
        right = self.tried - self.wrong.total()
        return f"| {self.what} | {self.tried:,} | {right:,} | {wrong or '–'} |"
