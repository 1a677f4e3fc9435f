"""Finds the line of the user's own code that made a call."""

from __future__ import annotations

import linecache
import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch

_TORCH = str(Path(torch.__file__).parent)
_OWN = str(Path(__file__).parent.parent)
_HIDDEN = (_TORCH, _OWN, "<frozen", "<string>")
_DEEPEST = 8
LIBRARIES = ("site-packages", "dist-packages")


Chain = tuple[tuple[str, int], ...]
"""Files and lines of the calls that led to a place, the innermost first."""


@dataclass(frozen=True)
class CodeLine:
    """A line of a file, in a function."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line}"


def user_frame(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame that is neither torch's nor of bench.watch.

    Frames of other installed libraries (Lightning, Transformers) are passed over where a frame of
    the user's own is further out.
    """
    nearest = None
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(_HIDDEN):
            if not any(part in file for part in LIBRARIES):
                return frame
            nearest = nearest or frame
        frame = frame.f_back
    return nearest


def place() -> CodeLine | None:
    """Return the line of the user's code that is running now."""
    frame = user_frame(sys._getframe(1))
    if frame is None:
        return None
    return CodeLine(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def callers() -> Chain:
    """Return the lines that are being run, outside torch, the innermost first."""
    lines: list[tuple[str, int]] = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and len(lines) < _DEEPEST:
        if not frame.f_code.co_filename.startswith(_HIDDEN):
            lines.append((frame.f_code.co_filename, frame.f_lineno))
        frame = frame.f_back
    return tuple(lines)


def torch_frame(files: tuple[str, ...], names: frozenset[str] | None = None) -> FrameType | None:
    """Return the frame of torch's own Python code that runs now in one of these files.

    Args:
        files: the ends of file names, as `optim/adam.py`, or folders, as `/optim/`.
        names: functions to look for; any if None.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith((_TORCH, _OWN)):
        file = frame.f_code.co_filename
        if any(part in file for part in files) and (names is None or frame.f_code.co_name in names):
            return frame
        frame = frame.f_back
    return None


def code_lines(places: Iterable[str], files: Iterable[str]) -> dict[str, str]:
    """Return the lines of code at places such as train.py:12, of which these are the files.

    A place is left out if its file cannot be read, or if two files have its name.
    """
    named = defaultdict(set)
    for file in files:
        named[Path(file).name].add(file)
    found = {}
    for name, line in re.findall(r"([^\s/:]+):(\d+)", " ".join(places)):
        if len(named[name]) == 1:
            text = linecache.getline(next(iter(named[name])), int(line)).strip()
            if text:
                found[f"{name}:{line}"] = text
    return found
