"""Whether parts run in the fastest form that they have, or in the plain one that all are tested
against: step by step, every product there to be seen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_PLAIN = ContextVar("plain", default=False)


def newer(kind: type, name: str, than: str) -> bool:
    """Whether a class has its `name` from a class nearer to it than the one it has `than` from."""
    homes = [vars(home) for home in kind.__mro__]
    first = (next(i for i, home in enumerate(homes) if part in home) for part in (name, than))
    return next(first) < next(first)


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
