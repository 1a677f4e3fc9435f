"""Chooses between the fastest form that a part has and the plain one that all are tested against.

The plain form goes step by step, with every matrix product written out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_PLAIN = ContextVar("plain", default=False)


def newer(kind: type, name: str, than: str) -> bool:
    """Return whether `name` is defined in a more derived class than `than` is.

    Then an inherited fast form `than` no longer fits the plain form `name`, and is not used.
    """
    bodies = [vars(ancestor) for ancestor in kind.__mro__]
    first = (next(i for i, body in enumerate(bodies) if part in body) for part in (name, than))
    return next(first) < next(first)


@contextmanager
def plain_forms() -> Iterator[None]:
    """Let parts run in their plain form within this context."""
    token = _PLAIN.set(True)
    try:
        yield
    finally:
        _PLAIN.reset(token)


def plain() -> bool:
    """Return whether the caller runs within `plain_forms`."""
    return _PLAIN.get()
