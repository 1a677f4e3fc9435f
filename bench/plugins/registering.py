"""Checks the parts and tasks that a plugin offers, before they enter the suite's registries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

from results.escapes import error_text
from tasks import TASKS, Entry
from tasks.choices import one_of
from variants import AXES
from variants.attention import ATTENTIONS, Attention
from variants.cells import CELLS, Cell
from variants.embedding import INITS, Init
from variants.models import MODELS, ModelKind
from variants.optimizers import OPTIMIZERS, Choice

VALUE_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


class PartKind(NamedTuple):
    """A kind of part that a plugin can offer.

    Attributes:
        registry: Where the suite keeps parts of this kind, by name.
        kind: The class that a part derives from, or is an instance of.
        instance: Whether a part is an instance of `kind`, rather than a subclass.
    """

    registry: dict[str, Any]
    kind: type
    instance: bool

    def fits(self, part: object) -> bool:
        """Return whether a part is of this kind."""
        if self.instance:
            return isinstance(part, self.kind)
        return isinstance(part, type) and issubclass(part, self.kind)

    def described(self) -> str:
        """Return what a part has to be, in words."""
        name = self.kind.__name__
        return f"a {name}" if self.instance else f"a class derived from {name}"


PART_KINDS: dict[str, tuple[PartKind, ...]] = {
    "cell": (PartKind(CELLS, Cell, False), PartKind(MODELS, ModelKind, True)),
    "attention": (PartKind(ATTENTIONS, Attention, False),),
    "optimizer": (PartKind(OPTIMIZERS, Choice, True),),
    "embedding_init": (PartKind(INITS, Init, True),),
}
"""The axes whose values are parts that a plugin can offer."""


class OfferedPart(NamedTuple):
    """A part that passed the checks: a value of an axis, and the registry that it enters."""

    axis: str
    value: str
    part: Any
    registry: dict[str, Any]


def check_parts(parts: object) -> Iterator[OfferedPart]:
    """Yield all parts that a plugin's PARTS offers; raise ValueError if one is not allowed."""
    if not isinstance(parts, dict) or not all(isinstance(p, dict) for p in parts.values()):
        raise ValueError("PARTS is not of the form {axis: {value: part}}; write it so")
    for axis, offered in parts.items():
        one_of("axis that takes parts from outside", str(axis), list(PART_KINDS))
        for value, part in offered.items():
            _check_new(axis, value, [v for kind in PART_KINDS[axis] for v in kind.registry])
            kind = _kind_of(axis, value, part)
            if isinstance(part, ModelKind):
                _check_model_kind(value, part)
            yield OfferedPart(axis, value, part, kind.registry)


def _check_model_kind(value: str, part: ModelKind) -> None:
    """Raise ValueError unless a whole model says in the right form which axes it reads."""
    if not isinstance(part.axes, frozenset | set) or not isinstance(part.about, str):
        raise ValueError(
            f"cell={value} says axes={part.axes!r} and about={part.about!r}; give a set of names "
            "of axes, and a text"
        )
    for axis in part.axes:
        one_of("axis that a model reads", str(axis), list(AXES))


def _kind_of(axis: str, value: str, part: object) -> PartKind:
    kind = next((kind for kind in PART_KINDS[axis] if kind.fits(part)), None)
    if kind is None:
        wanted = " or ".join(kind.described() for kind in PART_KINDS[axis])
        raise ValueError(f"{axis}={value} is {part!r}, which is not {wanted}; give one")
    return kind


def check_tasks(entries: object) -> list[Entry]:
    """Return the entries of a plugin's TASKS; raise ValueError if one is not allowed."""
    if not isinstance(entries, tuple | list) or not all(isinstance(e, Entry) for e in entries):
        raise ValueError("TASKS is not a tuple of tasks.Entry; give one")
    taken = [entry.name for entry in TASKS]
    for entry in entries:
        _check_new("task", entry.name, taken)
        taken.append(entry.name)
        _check_settings(entry)
    return list(entries)


def _check_settings(entry: Entry) -> None:
    """Raise ValueError unless a task's settings can be written in a label."""
    try:
        defaults = entry.settings()
        values = [getattr(defaults, field.name) for field in fields(defaults)]
    except Exception as error:
        raise ValueError(
            f"the settings of the task {entry.name} are not a dataclass with a default for each "
            f"({error_text(error)}); make them so"
        ) from None
    unwritable = [value for value in values if type(value) not in (int, float, str)]
    if unwritable:
        raise ValueError(
            f"a setting of the task {entry.name} has the default {unwritable[0]!r}, which no label "
            "can hold; give an int, a float or a str"
        )


def _check_new(what: str, name: object, taken: Sequence[str]) -> None:
    """Raise ValueError if a name cannot be written in a label or exists already."""
    if not isinstance(name, str) or not VALUE_NAME.fullmatch(name):
        raise ValueError(
            f"{what} {name!r} is not a name; take lower-case letters, digits, _ . and -, a letter "
            "or digit first"
        )
    if name in taken:
        raise ValueError(f"{what} {name!r} exists already; choose another name")
