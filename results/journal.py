"""Writes one file of JSON lines per run: the log from which the database can be rebuilt.

    {"event": "started", "schema": 1, "id": ..., "spec": {...}}
    {"event": "point", "point": {...}, "clock": {...}}      one line per evaluation
    {"event": "finished", "digest": ..., "record": {...}}

A run has ended only if the last line of its file is a complete `finished` event. A run that is
done again writes to ID.part, which replaces its file when it has ended: until then the outcome
before is kept. A line that could not be written completely, because the disk was full, is removed
again, so that the same line can be written once there is space.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from results.files import json_text, read_regular, regular_files
from results.record import Record

JOURNAL_SCHEMA = 1
"""Version of the events' form, written into every `started` event."""


class UnderWay(NamedTuple):
    """Holds what a run's file says before the run has ended.

    spec: the run's. points, clock: its evaluations, and the seconds spent until each. at: when the
    last was written, in seconds since 1970.
    """

    spec: Mapping[str, Any]
    points: Sequence[Mapping[str, Any]]
    clock: Sequence[Mapping[str, float]]
    at: float


class Journal:
    """Holds the journal files of a store; only the driver writes to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[str, BinaryIO] = {}

    def path(self, run: str) -> Path:
        """Return the path of a run's file."""
        return self.folder / f"{run}.jsonl"

    def _part(self, run: str) -> Path:
        """Return the path of the file of a run that is done again."""
        return self.folder / f"{run}.part"

    def start(self, run: str, spec: Mapping[str, Any]) -> None:
        """Start a run's file; the file of an attempt that ended stays until this one has ended."""
        self.close(run)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.path(run)
        kept = self._part(run) if self.read(path) else path
        if os.path.lexists(kept) and not kept.is_file():
            kept.unlink()  # a pipe, say, which would wait for a reader
        # unbuffered: a line that was written is with the operating system, and survives a kill
        self._open[run] = kept.open("wb", buffering=0)
        event = {"event": "started", "schema": JOURNAL_SCHEMA, "id": run, "spec": dict(spec)}
        self._write(run, event)

    def point(self, run: str, point: Mapping[str, Any], clock: Mapping[str, float]) -> None:
        """Append one evaluation of a run that was started."""
        self._write(run, {"event": "point", "point": dict(point), "clock": dict(clock)})

    def finish(self, record: Record) -> None:
        """Append the record of a run, and close its file; start the file if nobody did."""
        if record.id not in self._open:
            self.start(record.id, record.spec)
        plain = record.plain()
        self._write(record.id, {"event": "finished", "digest": _digest(plain), "record": plain})
        again = Path(self._open[record.id].name) == self._part(record.id)
        self.close(record.id)
        if again:
            self._part(record.id).replace(self.path(record.id))

    def close(self, run: str) -> None:
        """Close a run's file, whether the run has ended or not."""
        file = self._open.pop(run, None)
        if file is not None:
            file.close()

    def close_all(self) -> None:
        """Close every open file."""
        for run in list(self._open):
            self.close(run)

    def _write(self, run: str, line: Mapping[str, Any]) -> None:
        file = self._open[run]
        text = json_text(line) + "\n"
        remaining, start = memoryview(text.encode("utf-8")), file.tell()
        try:
            # an unbuffered file may write less than it was given
            while remaining:
                remaining = remaining[file.write(remaining) :]
        except OSError:
            # remove the half line: a later attempt must not append to it
            with contextlib.suppress(OSError):
                file.seek(start)
                file.truncate()
            raise

    def unfinished(self) -> list[str]:
        """Return the ids of runs that began, or began again, and did not end."""
        begun = {path.stem for path in self.files() if self.read(path) is None}
        return sorted(begun | {path.stem for path in regular_files(self.folder, "*.part")})

    def under_way(self, run: str) -> UnderWay | None:
        """Return how far a run is; None if it has not begun, has ended, or cannot be read."""
        part = self._part(run)
        path = part if part.is_file() else self.path(run)
        try:
            at = path.stat().st_mtime
            # whoever writes may be within the last line
            lines = read_regular(path).decode("utf-8").split("\n")[:-1]
            first, *events = map(json.loads, lines)
            if any(event["event"] == "finished" for event in events):
                return None
            points, clock = ([event[key] for event in events] for key in ("point", "clock"))
            return UnderWay(first["spec"], points, clock, at)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def files(self) -> list[Path]:
        """Return the files of all runs; whatever else lies among them is passed over."""
        return regular_files(self.folder, "*.jsonl")

    @staticmethod
    def read(path: Path) -> Record | None:
        """Return the record in a file; None if the run did not end or the file is damaged."""
        try:
            event = json.loads(_last_line(path))
            if event.get("event") != "finished":
                return None
            # older journals have no digest
            if event.get("digest") not in (None, _digest(event["record"])):
                return None
            record = Record.read(event["record"])
        except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
            return None
        # a file that was renamed or copied must not pass for another run
        return record if record.id == path.stem else None


def _digest(plain: Mapping[str, Any]) -> str:
    """Return a digest of a record's JSON, which is the same after the JSON was read."""
    return hashlib.blake2b(json_text(plain).encode(), digest_size=8).hexdigest()


def _last_line(path: Path) -> str:
    """Return the last line; ValueError if it was not written to its end."""
    lines = read_regular(path).split(b"\n")
    if len(lines) < 2 or lines[-1] != b"":
        raise ValueError("the last line is not complete")
    return lines[-2].decode("utf-8")
