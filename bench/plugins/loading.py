"""Loads plugins: a file given by --plugin, or the entry point of an installed package.

A plugin is a module that has PARTS, TASKS or both:

    PARTS = {"cell": {"mine": MyCell}, "attention": {...}, "optimizer": {...}, ...}
    TASKS = (tasks.Entry("mine", Settings, MyTask, "what it probes"),)

It is loaded completely or not at all. The digest of its source is part of the id of every run
that uses it; the digest does not cover what it imports.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.plugins import GROUPS
from bench.plugins.guarding import PluginError, no_longer_than, plugin_errors
from bench.plugins.registering import PART_KINDS, check_parts, check_tasks
from results.files import read_regular
from tasks import TASKS

__all__ = ["PluginError", "digest_of", "load", "load_installed"]

IMPORT_SECONDS = 30
"""A plugin that takes longer to import is refused."""

_origins: dict[tuple[str, str], str] = {}
"""Digest of the plugin that a value of an axis (axis, value) or a task ("task", name) came from."""
_loaded: dict[str, str] = {}
"""Digest of every loaded plugin, by its path or entry point."""


def load(files: Sequence[Path]) -> None:
    """Load plugins from files, each file once.

    Raises:
        PluginError: A file cannot be read or imported, or offers what is not allowed.
    """
    for file in files:
        path = str(file.resolve())
        if path in _loaded:
            continue
        try:
            source = read_regular(file)
        except OSError as error:
            raise PluginError(
                f"the plugin {file} cannot be read ({error.strerror}); give a Python file"
            ) from None
        digest = _digest(source)
        _loaded[path] = _register(_imported(file, digest), digest, str(file))


def unload(file: Path) -> None:
    """Take out what a file brought in, so that another version of it can be loaded."""
    digest = _loaded.pop(str(file.resolve()), None)
    for axis, value in [name for name, origin in _origins.items() if origin == digest]:
        del _origins[axis, value]
        if axis == "task":
            TASKS[:] = [entry for entry in TASKS if entry.name != value]
        for kind in PART_KINDS.get(axis, ()):
            kind.registry.pop(value, None)


def changed(file: Path) -> bool:
    """Return whether a loaded file holds something else by now."""
    digest = _loaded.get(str(file.resolve()))
    try:
        return digest is not None and _digest(read_regular(file)) != digest
    except OSError:
        return False


def files() -> list[Path]:
    """Return the files that plugins were loaded from, which every worker loads too."""
    return [Path(name) for name in _loaded if Path(name).is_file()]


def load_installed() -> list[str]:
    """Load the plugins of installed packages; return a sentence for each that is refused."""
    complaints = []
    found = sorted({entry for group in GROUPS for entry in entry_points(group=group)}, key=str)
    for entry in found:
        name = entry.value
        if name in _loaded:
            continue
        try:
            with no_longer_than(IMPORT_SECONDS, f"the plugin {name}"), plugin_errors(name):
                module = entry.load()
            if not isinstance(module, ModuleType) or module.__file__ is None:
                raise PluginError(f"the entry point {name} is not a module; name the module")
            digest = _digest(Path(module.__file__).read_bytes())
            _loaded[name] = _register(module, digest, name)
        except PluginError as error:
            complaints.append(str(error))
    return complaints


def digest_of(task: str, variant: Mapping[str, Any]) -> str:
    """Return the digests of the plugins that a run uses, joined by +; empty if it uses none."""
    used = {_origins.get((axis, str(value))) for axis, value in variant.items()}
    used.add(_origins.get(("task", task.partition(":")[0])))
    return "+".join(sorted(filter(None, used)))


def _digest(source: bytes) -> str:
    return hashlib.blake2b(source, digest_size=8).hexdigest()


def _imported(file: Path, digest: str) -> ModuleType:
    """Import a file under a name of its own, as two plugins may have the same file name."""
    name = f"bench_plugin_{digest}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise PluginError(f"the plugin {file} is not a Python file; give one that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with no_longer_than(IMPORT_SECONDS, f"the plugin {file}"), plugin_errors(str(file)):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _register(module: ModuleType, digest: str, name: str) -> str:
    """Check all that a plugin offers, then add it to the registries; return the digest."""
    with plugin_errors(name):  # a module may compute its attributes
        parts, entries = getattr(module, "PARTS", None), getattr(module, "TASKS", None)
    if parts is None and entries is None:
        raise PluginError(f"the plugin {name} has neither PARTS nor TASKS; give it one of them")
    try:
        checked = list(check_parts(parts if parts is not None else {}))
        tasks = check_tasks(entries if entries is not None else ())
    except ValueError as error:
        raise PluginError(f"the plugin {name}: {error}") from None
    # nothing is registered before everything is checked
    for part in checked:
        part.registry[part.value] = part.part
        _origins[part.axis, part.value] = digest
    for entry in tasks:
        TASKS.append(entry)
        _origins["task", entry.name] = digest
    return digest
