"""Keeps standard output for what a command says, and opens and closes it as shells expect."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

_own: list[TextIO] = []
"""Standard output of the command that runs, while code from outside has another."""


def output() -> TextIO:
    """Return the standard output of the command, wherever code from outside prints to."""
    return _own[-1] if _own else sys.stdout


@contextlib.contextmanager
def opened_streams() -> Iterator[None]:
    """Open streams that were closed, and escape what a locale cannot show instead of failing.

    At the end standard output is again what it was.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    before = sys.stdout
    try:
        yield
    finally:
        sys.stdout = before
        _own.clear()


def print_from_outside_to_stderr() -> None:
    """Let code from outside, such as plugins, print to standard error until the command ends.

    What it prints would stand in the middle of the JSON, or of a table, that a command prints.
    """
    if not _own:
        _own.append(sys.stdout)
        sys.stdout = sys.stderr


def give_up_output() -> None:
    """Discard what is still in a buffer, or Python would complain once more at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), output().fileno())
