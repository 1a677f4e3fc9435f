"""Registers parts and tasks of a caller's own, by the contract of plugins."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.notebook.source import ModuleWriter
from bench.plugins import loading


def register(*files: str | Path, **parts: Mapping[str, Any]) -> None:
    """Make parts or tasks of your own known, by the same contract as plugins (docs/plugins.md).

        bench.register("my_cell.py")                 # a file with PARTS or TASKS; it is executed
        bench.register(cell={"mine": MyCell})        # classes and functions of this notebook

    They can be named like the suite's own from then on, in every function of `bench`. A digest of
    their source is part of the id of every run that uses them: of the whole file, or of the
    definitions with all that they use from the same notebook.

    Raises:
        ValueError: A file cannot be read, offers what is not allowed, or a definition uses what
            cannot be written to a file.
    """
    written = [_written(parts)] if parts else []
    loading.load([*map(Path, files), *written])


def _written(parts: Mapping[str, Mapping[str, Any]]) -> Path:
    """Return a file with the parts' definitions, which worker processes load as a plugin."""
    module = ModuleWriter()
    entries = []
    for axis, values in parts.items():
        named = []
        for name, value in values.items():
            own = getattr(value, "__name__", name)
            module.add(own, value, axis)
            named.append(f"{name!r}: {own}")
        entries.append(f"{axis!r}: {{{', '.join(named)}}}")
    text = f"{module.text()}\n\nPARTS = {{{', '.join(entries)}}}\n"
    digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    folder = Path(tempfile.gettempdir()) / "bench-parts"
    folder.mkdir(exist_ok=True)
    path = folder / f"{digest}.py"
    path.write_text(text, "utf-8")
    return path
