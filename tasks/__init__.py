"""Tasks: what is learned, one file per task. Gives numpy arrays and plain facts, never tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from tasks import en_zh, increment, keyphrase, opposites, pairs, reversal, translation
from tasks.choices import one_of
from tasks.ragged import Ids, Indices, Ragged
from tasks.task import Facts, Outputs, Split, Task
from tasks.vocabulary import BOS, EOS, PAD, UNK, Vocabulary

__all__ = [
    "BOS",
    "EOS",
    "PAD",
    "TASKS",
    "UNK",
    "Entry",
    "Facts",
    "Ids",
    "Indices",
    "Outputs",
    "Ragged",
    "Split",
    "Task",
    "Vocabulary",
    "build",
    "canonical",
    "describe",
    "find",
]


class Entry(NamedTuple):
    """A row of the registry.

    settings: a frozen dataclass whose defaults are the task's base. build: makes the task from its
    settings and the folder of fetched data, if there is one. about: one line for `bench list`.
    """

    name: str
    settings: Callable[..., Any]
    build: Callable[[Any, Path | None], Task]
    about: str


TASKS: list[Entry] = [
    Entry("increment", increment.Settings, increment.Increment, "every id + 1"),
    Entry("reversal", reversal.Settings, reversal.Reversal, "the same symbols, last first"),
    Entry("opposites", opposites.Settings, opposites.Opposites, "six word pairs, by letters"),
    Entry("keyphrase", keyphrase.Settings, keyphrase.Keyphrase, "keyphrases tagged by two heads"),
    Entry(
        "pairs", pairs.Settings, translation.build_pairs, "translation between any two languages"
    ),
    Entry("en-zh", en_zh.Settings, translation.build_en_zh, "English to Chinese, of any size"),
]


def find(name: str) -> Entry:
    """Return the registry's row of that name; ValueError names similar ones."""
    one_of("task", name, [entry.name for entry in TASKS])
    return next(entry for entry in TASKS if entry.name == name)


def _settings(name: str, given: Mapping[str, str]) -> tuple[Entry, Any]:
    """Read settings from texts, each as the type of its default."""
    entry = find(name)
    defaults = entry.settings()
    allowed = [field.name for field in fields(defaults)]
    values: dict[str, Any] = {}
    for key, text in given.items():
        if not allowed:
            raise ValueError(f"{name} has no settings, but {key}={text!r} was given; leave it out")
        one_of(f"setting of {name}", key, allowed)
        kind = type(getattr(defaults, key))
        try:
            values[key] = kind(text)
        except ValueError:
            raise ValueError(f"{name}:{key}={text!r} is not {_words(kind)}; give one") from None
    return entry, entry.settings(**values)


def _words(kind: type) -> str:
    """Return what a setting of a type has to be, in words."""
    return {int: "a whole number", float: "a number"}.get(kind, kind.__name__)


def split_label(label: str) -> tuple[str, dict[str, str]]:
    """Split `name` or `name:key=value,key=value` into the name and its settings, still as texts."""
    name, _, rest = label.partition(":")
    given: dict[str, str] = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise ValueError(f"{part!r} in the task {label!r} is not key=value; write it so")
        if key.strip() in given:
            raise ValueError(f"{key.strip()} is given twice in the task {label!r}; give it once")
        given[key.strip()] = value.strip()
    return name.strip(), given


def canonical(label: str) -> str:
    """Return the canonical label of a task: its name, and the settings that differ from its base.

    Raises ValueError for a name, key or value that does not exist.
    """
    entry, settings = _settings(*split_label(label))
    base = entry.settings()
    different = [
        f"{field.name}={getattr(settings, field.name)}"
        for field in fields(settings)
        if getattr(settings, field.name) != getattr(base, field.name)
    ]
    return entry.name + (":" + ",".join(different) if different else "")


def build(label: str, data: Path | None = None) -> Task:
    """Build the task of that label. data: the folder where `bench data` keeps corpora.

    Raises ValueError for a wrong label, FileNotFoundError for a corpus that is not there.
    """
    entry, settings = _settings(*split_label(label))
    return entry.build(settings, data)


def describe(name: str) -> dict[str, Any]:
    """Return the settings of a task with their defaults."""
    defaults = find(name).settings()
    return {field.name: getattr(defaults, field.name) for field in fields(defaults)}
