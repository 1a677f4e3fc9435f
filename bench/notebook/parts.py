"""Registers parts and tasks of a caller's own, by the contract of plugins."""

from __future__ import annotations

import getpass
import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.api.outputs import forget_tasks
from bench.notebook.source import ModuleWriter
from bench.plugins import loading
from bench.plugins.registering import PART_KINDS
from bench.training.process import cached_task
from tasks import Entry
from tasks.choices import one_of

_defined: dict[tuple[str, str], Path] = {}
"""The file of each part (axis, value) and task ("task", name) that was defined by a caller."""


def register(*files: str | Path, tasks: Sequence[Entry] = (), **parts: Mapping[str, Any]) -> None:
    """Make parts or tasks of your own known, by the same contract as plugins (docs/plugins.md).

        bench.register("my_cell.py")                 # a file with PARTS or TASKS; it is executed
        bench.register(cell={"mine": MyCell})        # classes and functions of this notebook
        bench.register(tasks=[Entry("mine", Settings, MyTask, "what it is about")])

    They can be named like the suite's own from then on, in every function of `bench`. A digest of
    their source is part of the id of every run that uses them: of the whole file, or of the
    definition with all that it uses from the same notebook. What was changed and is registered
    again takes the place of what it was; runs of both are told apart.

    Args:
        files: Plugin files.
        tasks: Tasks, as `TASKS` of a plugin has them.
        parts: For an axis such as `cell`, its new values, as `PARTS` of a plugin has them.

    Raises:
        ValueError: A file cannot be read, offers what is not allowed, or a definition uses what
            cannot be written to a file.
    """
    written = [*_written_parts(parts), *_written_tasks(tasks)]
    for file in map(Path, files):
        if loading.changed(file):
            _replace(file, file)
        loading.load([file])
    for (kind, name), file in written:
        with _named(f"{kind}={name}", file):
            _replace(_defined.get((kind, name)), file)
        _defined[kind, name] = file


@contextmanager
def _named(what: str, file: Path) -> Iterator[None]:
    """Call what a caller defined by its name in errors, not by the file that was made of it."""
    try:
        yield
    except loading.PluginError as error:
        text = str(error).removeprefix(f"the plugin {file}: ")
        raise ValueError(text.replace(f"the plugin {file}", what)) from None


def _replace(before: Path | None, file: Path) -> None:
    """Load a file in place of what was loaded before; if it is refused, that stays."""
    if before == file and file.resolve() in loading.files() and not loading.changed(file):
        return
    if before is not None:
        loading.unload(before)
    try:
        loading.load([file])
    except loading.PluginError:
        if before is not None and before != file:
            loading.load([before])
        raise
    cached_task.cache_clear()
    forget_tasks()


def _written_parts(
    parts: Mapping[str, Mapping[str, Any]],
) -> Iterator[tuple[tuple[str, str], Path]]:
    """Yield a file for each part, which worker processes load as a plugin."""
    for axis, values in parts.items():
        one_of("axis that takes parts from outside", axis, list(PART_KINDS))
        if not isinstance(values, Mapping):
            raise ValueError(
                f"{axis}={values!r} names no value; write {axis}={{'mine': ...}} with its name"
            )
        for value, part in values.items():
            module = ModuleWriter()
            text = module.expression(part, axis, value)
            yield (
                (axis, value),
                _written(f"{module.text()}\n\nPARTS = {{{axis!r}: {{{value!r}: {text}}}}}\n"),
            )


def _written_tasks(entries: Sequence[Entry]) -> Iterator[tuple[tuple[str, str], Path]]:
    """Yield a file for each task."""
    for entry in entries:
        if not isinstance(entry, Entry):
            raise ValueError(f"tasks={entries!r} is no list of tasks.Entry; give one")
        module = ModuleWriter()
        text = module.expression(entry, entry.name, "")
        yield ("task", entry.name), _written(f"{module.text()}\n\nTASKS = ({text},)\n")


def _written(text: str) -> Path:
    digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    # a folder of one's own: another user's could not be written
    folder = Path(tempfile.gettempdir()) / f"bench-parts-{getpass.getuser()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{digest}.py"
    path.write_text(text, "utf-8")
    return path
