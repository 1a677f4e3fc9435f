"""Finds the user's vocabularies: lists and dicts that say which text a symbol stands for."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType, ModuleType

from bench.watching.record.places import CodeLine, user_frame

MOST_TEXTS = 50_000
"""Longer lists are no vocabularies."""
FEWEST_TEXTS = 3
DEEPEST = 3
"""Attributes of attributes of attributes are looked at, and no deeper."""
MOST_OBJECTS = 2_000
"""Objects looked at in one function."""

MOST_SIDES = 20
"""Larger dicts hold no vocabularies of several sides."""

Texts = Mapping[int, str]
"""The text of each symbol."""


@dataclass
class Vocabularies:
    """The vocabularies in reach of the functions that hand symbols to Python, or train."""

    by_function: dict[tuple[str, str], dict[str, Texts]] = field(default_factory=dict)
    """By file and function, the vocabularies by what they are called there."""

    def look(self) -> None:
        """Look for vocabularies from where the user's code is running, once for each function."""
        frame = user_frame(sys._getframe(1))
        while frame is not None:
            key = frame.f_code.co_filename, frame.f_code.co_name
            if key in self.by_function:
                return
            self.by_function[key] = dict(_vocabularies(frame))
            frame = user_frame(frame.f_back)

    def at(self, place: CodeLine | None) -> dict[str, Texts]:
        """Return the vocabularies in reach of a line, by what they are called there."""
        return {} if place is None else self.by_function.get((place.file, place.function), {})

    def of_size(self, size: int) -> dict[str, Texts]:
        """Return the vocabularies that have so many symbols."""
        every = (found for found in self.by_function.values())
        return {name: t for found in every for name, t in found.items() if len(t) == size}


def _vocabularies(frame: FrameType) -> Iterator[tuple[str, Texts]]:
    """Yield what is called, and what it stands for, from the variables of a frame."""
    names = {**frame.f_globals, **frame.f_locals}
    todo = [(name, value, 0) for name, value in names.items() if not name.startswith("__")]
    seen: set[int] = set()
    while todo and len(seen) < MOST_OBJECTS:
        name, value, depth = todo.pop(0)
        if id(value) in seen and depth:
            continue
        seen.add(id(value))
        texts = _texts(value)
        if texts is not None:
            yield name, texts
        elif depth < DEEPEST and _of_user(value):
            parts = ((key, part) for key, part in vars(value).items() if not key.startswith("__"))
            todo += [(f"{name}.{key}", part, depth + 1) for key, part in parts]
        elif depth < DEEPEST and isinstance(value, dict) and len(value) <= MOST_SIDES:
            todo += [(f"{name}[{key!r}]", part, depth + 1) for key, part in value.items()]
        elif depth < DEEPEST and isinstance(value, tuple) and len(value) <= MOST_SIDES:
            todo += [
                (name + key, part, depth + 1)
                for key, part in zip(_fields(value), value, strict=True)
            ]


def _fields(value: tuple[object, ...]) -> Sequence[str]:
    """Return how the elements of a tuple are written behind its name: `.source`, or `[0]`."""
    names = getattr(value, "_fields", None)
    return [f".{name}" for name in names] if names else [f"[{n}]" for n in range(len(value))]


def _of_user(value: object) -> bool:
    """Return whether a value is an object of a class, with attributes of its own."""
    return not isinstance(value, type | ModuleType) and isinstance(
        getattr(value, "__dict__", None), dict
    )


def _texts(value: object) -> Texts | None:
    """Return the text of each symbol, if a value says that."""
    if not isinstance(value, list | tuple | dict) or not FEWEST_TEXTS <= len(value) <= MOST_TEXTS:
        return None
    if isinstance(value, list | tuple):
        texts = dict(enumerate(value))
    elif all(isinstance(number, int) for number in value.values()):
        texts = {number: text for text, number in value.items()}
    else:
        texts = value
    fits = len(texts) == len(value) and all(
        isinstance(number, int) and isinstance(text, str) for number, text in texts.items()
    )
    return dict(texts) if fits else None
