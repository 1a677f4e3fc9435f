"""Keeps what `bench list` printed, so that it answers at once the next time.

To list the values of axes takes their registries, and so torch. What is kept is valid as long as
none of the files changed that it was made from.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from bench.plugins import GROUPS

LISTED_FOLDERS = ("variants", "tasks", "bench/doctor", "bench/matrices", "bench/api", "bench/plan")
"""Folders of the files that a listing is made from."""

Rows = list[dict[str, Any]]


def kept_listing(make: Callable[[], Rows], keep: bool) -> Rows:
    """Return the rows that were kept, or make them and keep them.

    Args:
        make: Makes the rows.
        keep: False for rows that depend on something else, such as a plugin's file.
    """
    plugins = [entry for group in GROUPS for entry in entry_points(group=group)]
    file = _file()
    if not keep or plugins or file is None:
        return make()
    with contextlib.suppress(OSError, ValueError):
        found: Rows = json.loads(file.read_text(encoding="utf-8"))
        return found
    rows = make()
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(rows), encoding="utf-8")
        for old in file.parent.glob("listing-*.json"):
            old.unlink(missing_ok=True)
        part.replace(file)
    return json.loads(json.dumps(rows))  # type: ignore[no-any-return]


def _file() -> Path | None:
    """Return where the listing of these sources is kept; None where they are not in folders."""
    root = Path(__file__).parents[2]
    digest = hashlib.blake2b(digest_size=8)
    for folder in LISTED_FOLDERS:
        if not (root / folder).is_dir():
            return None
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".py", ".toml"):
                state = path.stat()
                digest.update(f"{path} {state.st_mtime_ns} {state.st_size}\n".encode())
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "seq2seq-bench" / f"listing-{digest.hexdigest()}.json"
