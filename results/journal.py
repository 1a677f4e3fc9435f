"""Writes one file of JSON lines per run: the log from which the database can be rebuilt.

    {"event": "started", "schema": 1, "id": ..., "spec": {...}}
    {"event": "point", "point": {...}, "clock": {...}}      one line per evaluation
    {"event": "finished", "record": {...}}

A run has ended only if the last line of its file is a complete `finished` event. A line that
could not be written completely, because the disk was full, is removed again, so that the same
line can be written once there is space.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from results.record import Record

JOURNAL_SCHEMA = 1
"""Version of the events' form, written into every `started` event."""


class Journal:
    """Holds the journal files of a store; only the driver writes to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[str, BinaryIO] = {}

    def path(self, run: str) -> Path:
        """Return the path of a run's file."""
        return self.folder / f"{run}.jsonl"

    def start(self, run: str, spec: Mapping[str, Any]) -> None:
        """Start a run's file, replacing what an interrupted attempt wrote."""
        self.close(run)
        self.folder.mkdir(parents=True, exist_ok=True)
        # unbuffered: a line that was written is with the operating system, and survives a kill
        self._open[run] = self.path(run).open("wb", buffering=0)
        event = {"event": "started", "schema": JOURNAL_SCHEMA, "id": run, "spec": dict(spec)}
        self._write(run, event)

    def point(self, run: str, point: Mapping[str, Any], clock: Mapping[str, float]) -> None:
        """Append one evaluation of a run that was started."""
        self._write(run, {"event": "point", "point": dict(point), "clock": dict(clock)})

    def finish(self, record: Record) -> None:
        """Append the record of a run, and close its file; start the file if nobody did."""
        if record.id not in self._open:
            self.start(record.id, record.spec)
        self._write(record.id, {"event": "finished", "record": record.plain()})
        self.close(record.id)

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
        text = json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n"
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
        """Return the ids of runs whose files do not end with `finished`."""
        paths = sorted(self.folder.glob("*.jsonl"))
        return [path.stem for path in paths if self.read(path) is None]

    @staticmethod
    def read(path: Path) -> Record | None:
        """Return the record in a file; None if the run did not end or the file is damaged."""
        try:
            event = json.loads(_last_line(path))
            if event.get("event") != "finished":
                return None
            record = Record.read(event["record"])
        except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
            return None
        # a file that was renamed or copied must not pass for another run
        return record if record.id == path.stem else None


def _last_line(path: Path) -> str:
    """Return the last line; ValueError if it was not written to its end."""
    with path.open("rb") as file:
        lines = file.read().split(b"\n")
    if len(lines) < 2 or lines[-1] != b"":
        raise ValueError("the last line is not complete")
    return lines[-2].decode("utf-8")
