"""Holds the parts of the GPU check: each is done once, kept in a file, then passed over."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple


class Asked(NamedTuple):
    """What the whole check was asked for.

    device: cuda, or cpu for a dry run. quick: small shapes and one of each kind, for the gate.
    """

    device: str
    quick: bool


class Part(NamedTuple):
    """A part of the check.

    work: returns what was found, as plain values: `wrong`, a list of sentences; `rows`, of tables.
    """

    name: str
    work: Callable[[Asked], dict[str, Any]]


class Kept:
    """Keeps what the parts found in one JSON file, which is whole after each part."""

    def __init__(self, path: Path, machine: dict[str, Any]) -> None:
        self.path = path
        self.found: dict[str, Any] = {"machine": machine, "parts": {}}
        if path.exists():
            self.found = json.loads(path.read_text("utf-8"))
            if self.found["machine"] != machine:
                raise SystemExit(
                    f"{path} was made on another machine, or by another torch; name another file"
                )

    def done(self, name: str) -> bool:
        """Return whether a part ended before, without an error of its own."""
        return "error" not in self.found["parts"].get(name, {"error": ""})

    def keep(self, name: str, found: dict[str, Any]) -> None:
        """Keep what a part found."""
        self.found["parts"][name] = found
        beside = self.path.with_suffix(".part")
        beside.write_text(json.dumps(self.found, indent=1), "utf-8")
        beside.replace(self.path)


def do(
    parts: Sequence[Part], asked: Asked, kept: Kept, seconds: float, say: Callable[[str], None]
) -> list[str]:
    """Do the parts that are not done yet, and return the names of those that time did not allow.

    An error ends its part and no other. No part begins after so many seconds.
    """
    began, left = time.monotonic(), []
    for part in parts:
        if kept.done(part.name):
            say(f"{part.name}: done before")
            continue
        since = time.monotonic()
        if since - began > seconds:
            left.append(part.name)
            continue
        try:
            found = part.work(asked)
        except Exception:
            found = {"error": traceback.format_exc()}
        took = time.monotonic() - since
        kept.keep(part.name, {**found, "seconds": took})
        say(f"{part.name}: {_sentence(found)} ({took:.0f} s)")
    return left


def _sentence(found: dict[str, Any]) -> str:
    """Return in a few words how a part ended."""
    if "error" in found:
        return f"error: {found['error'].strip().splitlines()[-1]}"
    if "checked" in found:
        wrong = found["wrong"]
        same = f"{found['checked'] - len(wrong)} of {found['checked']} as on the CPU"
        return "; ".join([f"{same}, worst difference {found['worst']:.1e}", *wrong])
    return f"{len(found['rows'])} rows"
