"""Reads and writes what a store keeps in files, whatever else lies in its folder.

A pipe, a socket or a device among the files would hold up whoever opens it, so only regular files
are opened.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path


def read_regular(path: Path) -> bytes:
    """Return what a file holds; OSError for anything but a regular file, which is not opened."""
    # a pipe that is opened so does not wait for its writer
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "is no file", str(path))
        return file.read()


def regular_files(folder: Path, pattern: str) -> list[Path]:
    """Return the regular files of a folder that match a pattern, in the order of their names."""
    return sorted(path for path in folder.glob(pattern) if path.is_file())


def json_text(value: object) -> str:
    """Return a value as one line of JSON that UTF-8 can hold; ValueError if it is not finite.

    Half of a surrogate pair, which a message from outside may contain, is written as an escape.
    """
    return utf8(json.dumps(value, ensure_ascii=False, allow_nan=False))


def utf8(text: str) -> str:
    """Return text that UTF-8 can hold: halves of surrogate pairs become escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def state_beside(weights: Path) -> Path:
    """Return the path of the training state that is kept with a file of weights."""
    return weights.with_suffix(".state")
