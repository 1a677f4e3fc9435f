"""Parts and tasks from outside: a file given by --plugin, or an installed package's entry point.

A plugin is a module that has PARTS, TASKS or both:

    PARTS = {"cell": {"mine": MyCell}, "attention": {...}, "optimizer": {...}, ...}
    TASKS = (tasks.Entry("mine", Settings, MyTask, "what it probes"),)

It is taken whole or not at all. Only its own source is part of a run's id, not what it imports.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import re
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from importlib.metadata import entry_points
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, NamedTuple

import torch

from tasks import TASKS, Entry
from tasks.choices import one_of
from variants import AXES
from variants.attention import ATTENTIONS, Attention
from variants.cells import CELLS, Cell
from variants.embedding import INITS, Init
from variants.models import MODELS, ModelKind
from variants.optimizers import OPTIMIZERS, Choice

GROUPS = ("seq2seq_bench.variants", "seq2seq_bench.tasks")
SECONDS = 30
"""A plugin that takes longer to import counts as hanging."""
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


class PluginError(ValueError):
    """A sentence for the user."""


class Place(NamedTuple):
    """Where parts of one kind are kept. instance: whether a part is a value of `kind`, rather
    than a class derived from it."""

    registry: dict[str, Any]
    kind: type
    instance: bool


PLACES: dict[str, tuple[Place, ...]] = {
    "cell": (Place(CELLS, Cell, False), Place(MODELS, ModelKind, True)),
    "attention": (Place(ATTENTIONS, Attention, False),),
    "optimizer": (Place(OPTIMIZERS, Choice, True),),
    "embedding_init": (Place(INITS, Init, True),),
}
"""The axes whose values are parts that can come from outside."""

_origins: dict[tuple[str, str], str] = {}
"""Digest of the plugin that a value of an axis, or a task, came with."""
_loaded: dict[str, str] = {}
"""Digest of every plugin, by what it was loaded from."""


def load(files: Sequence[Path]) -> None:
    """Take in these files, each once; PluginError says what is wrong with one."""
    for file in files:
        where = str(file.resolve())
        if where in _loaded:
            continue
        try:
            source = file.read_bytes()
        except OSError as error:
            raise PluginError(
                f"the plugin {file} cannot be read ({error.strerror}); give a Python file"
            ) from None
        digest = _digest([source])
        _loaded[where] = _take(_imported(file, digest), digest, str(file))


def load_installed() -> list[str]:
    """Take in what installed packages offer; gives a sentence for each that will not do."""
    complaints = []
    found = sorted({entry for group in GROUPS for entry in entry_points(group=group)}, key=str)
    for entry in found:
        where = entry.value
        if where in _loaded:
            continue
        try:
            with _no_longer_than(SECONDS, f"the plugin {entry.value}"), _as_plugin(entry.value):
                module = entry.load()
            if not isinstance(module, ModuleType) or module.__file__ is None:
                raise PluginError(f"the entry point {entry.value} is no module; name the module")
            digest = _digest([Path(module.__file__).read_bytes()])
            _loaded[where] = _take(module, digest, entry.value)
        except PluginError as error:
            complaints.append(str(error))
    return complaints


def digest_of(task: str, variant: Mapping[str, Any]) -> str:
    """Of the plugins that a run uses, empty if none: part of the run's id."""
    used = {_origins.get((axis, str(value))) for axis, value in variant.items()}
    used.add(_origins.get(("task", task.partition(":")[0])))
    return "+".join(sorted(filter(None, used)))


def _digest(sources: Sequence[bytes]) -> str:
    state = hashlib.blake2b(digest_size=8)
    for source in sources:
        state.update(source)
    return state.hexdigest()


def _imported(file: Path, digest: str) -> ModuleType:
    name = f"bench_plugin_{digest}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise PluginError(f"the plugin {file} is no Python file; give one that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _no_longer_than(SECONDS, f"the plugin {file}"), _as_plugin(str(file)):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextlib.contextmanager
def _as_plugin(name: str) -> Iterator[None]:
    """Whatever goes wrong in here is the plugin's, and it changes nothing for others."""
    kind = torch.get_default_dtype()
    try:
        yield
        if torch.get_default_dtype() != kind:
            raise PluginError(
                f"the plugin {name} changes torch's default dtype, also for runs that do not use "
                "it; give dtypes where tensors are made"
            )
    except (KeyboardInterrupt, PluginError):
        raise
    except BaseException as error:  # also SystemExit
        raise PluginError(
            f"the plugin {name} cannot be imported ({type(error).__name__}: {error}); mend it"
        ) from error
    finally:
        torch.set_default_dtype(kind)


@contextlib.contextmanager
def _no_longer_than(seconds: int, what: str) -> Iterator[None]:
    """PluginError after so long, in the main thread and where there are alarms."""
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise PluginError(
            f"{what} was not imported within {seconds} s; take what hangs out of its top level"
        )

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _take(module: ModuleType, digest: str, name: str) -> str:
    """Check all that a plugin offers, then register it; its digest."""
    with _as_plugin(name):
        parts, entries = getattr(module, "PARTS", None), getattr(module, "TASKS", None)
    if parts is None and entries is None:
        raise PluginError(f"the plugin {name} has neither PARTS nor TASKS; give it one of them")
    try:
        checked = list(_parts(parts if parts is not None else {}))
        tasks = _tasks(entries if entries is not None else ())
    except ValueError as error:
        raise PluginError(f"the plugin {name}: {error}") from None
    for axis, value, part, registry in checked:
        registry[value] = part
        _origins[axis, value] = digest
    for entry in tasks:
        TASKS.append(entry)
        _origins["task", entry.name] = digest
    return digest


def _parts(parts: object) -> Iterator[tuple[str, str, Any, dict[str, Any]]]:
    """Axis, value, part and registry of all that is offered."""
    if not isinstance(parts, dict) or not all(isinstance(p, dict) for p in parts.values()):
        raise ValueError("PARTS is not of the form {axis: {value: part}}; write it so")
    for axis, offered in parts.items():
        one_of("axis that takes parts from outside", str(axis), list(PLACES))
        for value, part in offered.items():
            _check_new(axis, value, [v for place in PLACES[axis] for v in place.registry])
            place = _place(axis, value, part)
            if isinstance(part, ModelKind):
                _check_axes(value, part)
            yield axis, value, part, place.registry


def _check_axes(value: str, part: ModelKind) -> None:
    if not isinstance(part.axes, frozenset | set) or not isinstance(part.about, str):
        raise ValueError(
            f"cell={value} says axes={part.axes!r} and about={part.about!r}; give a set of names "
            "of axes, and a text"
        )
    for axis in part.axes:
        one_of("axis that a model reads", str(axis), list(AXES))


def _place(axis: str, value: str, part: object) -> Place:
    for place in PLACES[axis]:
        fits = (
            isinstance(part, place.kind)
            if place.instance
            else isinstance(part, type) and issubclass(part, place.kind)
        )
        if fits:
            return place
    wanted = " or ".join(
        f"a {p.kind.__name__}" if p.instance else f"a class derived from {p.kind.__name__}"
        for p in PLACES[axis]
    )
    raise ValueError(f"{axis}={value} is {part!r}, which is not {wanted}; give such")


def _tasks(entries: object) -> list[Entry]:
    if not isinstance(entries, tuple | list) or not all(isinstance(e, Entry) for e in entries):
        raise ValueError("TASKS is not a tuple of tasks.Entry; give such")
    taken = [entry.name for entry in TASKS]
    for entry in entries:
        _check_new("task", entry.name, taken)
        taken.append(entry.name)
        _check_settings(entry)
    return list(entries)


def _check_settings(entry: Entry) -> None:
    try:
        defaults = entry.settings()
        plain = [getattr(defaults, field.name) for field in fields(defaults)]
    except Exception as error:
        raise ValueError(
            f"the settings of the task {entry.name} are not a dataclass with a default for each "
            f"({type(error).__name__}: {error}); make them so"
        ) from None
    odd = [value for value in plain if type(value) not in (int, float, str)]
    if odd:
        raise ValueError(
            f"a setting of the task {entry.name} has the default {odd[0]!r}, which no label can "
            "hold; give an int, a float or a str"
        )


def _check_new(what: str, value: object, taken: Sequence[str]) -> None:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ValueError(
            f"{what} {value!r} is no name; take lower-case letters, digits, _ . and -, a letter or "
            "digit first"
        )
    if value in taken:
        raise ValueError(f"{what} {value!r} is there already; choose another name")
