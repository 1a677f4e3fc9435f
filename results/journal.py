"""One file of JSON lines a run: the truth that the database can be made from again.

    {"event": "started", "schema": 1, "id": ..., "spec": {...}}
    {"event": "point", "point": {...}, "clock": {...}}      one an evaluation
    {"event": "finished", "record": {...}}

A file without a whole last line of `finished` is a run that did not end. What could not be written
whole is taken back, so that it can be written again once the disk has room.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from results.record import Record

JOURNAL_SCHEMA = 1


class Journal:
    """The journals of a store. Only the driver writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[str, BinaryIO] = {}

    def path(self, run: str) -> Path:
        """The file of a run."""
        return self.folder / f"{run}.jsonl"

    def start(self, run: str, spec: Mapping[str, Any]) -> None:
        """Begin a run's file anew; what an interrupted try left is gone with it."""
        self.close(run)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._open[run] = self.path(run).open("wb", buffering=0)
        self._write(
            run, {"event": "started", "schema": JOURNAL_SCHEMA, "id": run, "spec": dict(spec)}
        )

    def point(self, run: str, point: Mapping[str, Any], clock: Mapping[str, float]) -> None:
        """One evaluation of a run that was started."""
        self._write(run, {"event": "point", "point": dict(point), "clock": dict(clock)})

    def finish(self, record: Record) -> None:
        """The record of a run; one that was not started is here."""
        if record.id not in self._open:
            self.start(record.id, record.spec)
        self._write(record.id, {"event": "finished", "record": record.plain()})
        self.close(record.id)

    def close(self, run: str) -> None:
        """Let a run's file go, finished or not."""
        file = self._open.pop(run, None)
        if file is not None:
            file.close()

    def close_all(self) -> None:
        """Let every file go."""
        for run in list(self._open):
            self.close(run)

    def _write(self, run: str, line: Mapping[str, Any]) -> None:
        file = self._open[run]
        text = json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n"
        left, before = memoryview(text.encode("utf-8")), file.tell()
        try:
            while left:
                left = left[file.write(left) :]
        except OSError:
            with contextlib.suppress(OSError):
                file.seek(before)
                file.truncate()
            raise

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
