"""Whether parts run in the fastest form that they have, or in the plain one that all are tested
against: step by step, every product there to be seen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_PLAIN = ContextVar("plain", default=False)


@contextmanager
def plain_forms() -> Iterator[None]:
    """Within this, parts run in their plain form."""
    token = _PLAIN.set(True)
    try:
        yield
    finally:
        _PLAIN.reset(token)


def plain() -> bool:
    """Whether this is within `plain_forms`."""
    return _PLAIN.get()
