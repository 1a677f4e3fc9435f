"""Tells runs that failed by the machine's fault from those that fail whenever they are done."""

from __future__ import annotations

import errno
import re

MACHINE_ERRORS = (
    errno.ENOMEM,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EMFILE,
    errno.ENFILE,
    errno.EIO,
    errno.EFBIG,
    errno.EAGAIN,
)
"""Error numbers of an OSError that say nothing about a model: no memory, no disk, no files left."""
MACHINE_CAUSE = re.compile(
    r"its (process|node) died \d+ times"
    r"|(\w+\.)*(MemoryError|OutOfMemoryError)\b"
    r"|RuntimeError: .*(can't allocate memory|out of memory)"
    rf"|\w+: \[Errno ({'|'.join(map(str, MACHINE_ERRORS))})\]",
    re.DOTALL,
)
"""Opening of the error of a run that failed because of memory or disk, or was killed."""


def by_machine(error: str) -> bool:
    """Return whether a run's error is the machine's and not the model's, so that it may pass."""
    return MACHINE_CAUSE.match(error) is not None
