"""One file of JSON lines a run: the truth that the database can be made from again.

    {"event": "started", "schema": 1, "id": ..., "spec": {...}}
    {"event": "point", "point": {...}, "clock": {...}}      one an evaluation
    {"event": "finished", "record": {...}}

A file without a whole last line of `finished` is a run that did not end.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from results.record import Record

SCHEMA = 1


class Journal:
    """The journals of a store. Only the driver writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[str, TextIO] = {}

    def path(self, run: str) -> Path:
        """The file of a run."""
        return self.folder / f"{run}.jsonl"

    def start(self, run: str, spec: Mapping[str, Any]) -> None:
        """Begin a run's file anew; what an interrupted try left is gone with it."""
        self.close(run)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._open[run] = self.path(run).open("w", encoding="utf-8")
        self._write(run, {"event": "started", "schema": SCHEMA, "id": run, "spec": dict(spec)})

    def point(self, run: str, point: Mapping[str, Any], clock: Mapping[str, float]) -> None:
        """One evaluation of a run that was started."""
        self._write(run, {"event": "point", "point": dict(point), "clock": dict(clock)})

    def finish(self, record: Record) -> None:
        """The record, on the disk when this returns."""
        self._write(record.id, {"event": "finished", "record": record.plain()})
        os.fsync(self._open[record.id].fileno())
        self.close(record.id)

    def close(self, run: str) -> None:
        """Let a run's file go, finished or not."""
        file = self._open.pop(run, None)
        if file is not None:
            # on a full disk what could not be written fails once more here
            with contextlib.suppress(OSError):
                file.close()

    def close_all(self) -> None:
        """Let every file go."""
        for run in list(self._open):
            self.close(run)

    def _write(self, run: str, line: Mapping[str, Any]) -> None:
        file = self._open[run]
        file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
        file.flush()

    def finished(self) -> Iterator[Record]:
        """The record of every file that ended. Damaged files are passed over: they are runs
        that did not end, and will be run again."""
        for path in sorted(self.folder.glob("*.jsonl")):
            record = self.read(path)
            if record is not None:
                yield record

    def unfinished(self) -> list[str]:
        """Ids of files that did not end."""
        paths = sorted(self.folder.glob("*.jsonl"))
        return [path.stem for path in paths if self.read(path) is None]

    @staticmethod
    def read(path: Path) -> Record | None:
        """The record of a file; None if it did not end or is damaged."""
        try:
            last = _last_line(path)
            line = json.loads(last)
            if line.get("event") != "finished":
                return None
            record = Record.read(line["record"])
        except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
            return None
        return record if record.id == path.stem else None


def _last_line(path: Path) -> str:
    """The last whole line; ValueError if the file does not end with one."""
    with path.open("rb") as file:
        lines = file.read().split(b"\n")
    if len(lines) < 2 or lines[-1] != b"":
        raise ValueError("the last line is not whole")
    return lines[-2].decode("utf-8")
