"""Reads and writes the content of a store: runs, plan, weights, and the engine's state."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from results.journal import Journal
from results.record import Record
from results.store import rows
from results.store.failures import store_errors
from results.store.lock import has_driver

CHECKPOINT_LIFETIME = 30 * 24 * 3600.0
"""Seconds after which a checkpoint that no run resumed from is removed."""
ENGINE_KEYS = {"engine", "nodes", "running", "retried"}
"""Keys that the state of an engine must have to be shown."""


class Planned(NamedTuple):
    """One row of the last plan: a run, or a combination that does not apply.

    The latter has no id and no seed, and its `reason` says why it does not apply.
    """

    id: str | None
    task: str
    variant: str
    seed: int | None
    reason: str = ""


class Store:
    """Gives access to the folder of a store; open it with `reading` or `writing`.

    Every failure of the disk or the database is raised as a StoreError of one sentence.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self.journal = Journal(folder / "journal")
        self._connection = connection
        self._pending: list[Record] = []

    def weights(self, run: str) -> Path:
        """Return the path of a run's weights, which exist only if they were asked for."""
        return self.folder / "weights" / f"{run}.safetensors"

    def checkpoint(self, name: str) -> Path:
        """Return the path of the training state of a run, or of runs trained together."""
        return self.folder / "checkpoints" / f"{name}.safetensors"

    # runs

    def begin(self, run: str, spec: Mapping[str, Any]) -> None:
        """Note in the journal that a run starts, or starts again."""
        with store_errors(self.folder):
            self.journal.start(run, spec)

    def point(self, run: str, point: Mapping[str, Any], clock: Mapping[str, float]) -> None:
        """Add an evaluation of a run that was begun to its journal."""
        with store_errors(self.folder):
            self.journal.point(run, point, clock)

    def add(self, record: Record, commit: bool = True) -> None:
        """Keep a finished run, first in its journal, then in the database.

        Args:
            record: the run.
            commit: False leaves the database to the next `commit`, because each transaction
                costs some milliseconds of disk time.
        """
        with store_errors(self.folder):
            self.journal.finish(record)
        self._pending.append(record)
        if commit:
            self.commit()

    def commit(self) -> None:
        """Write all added runs to the database."""
        if self._pending:
            with store_errors(self.folder):
                self._insert(self._pending)
            # only now: after an error the next commit tries them again
            self._pending = []

    def _insert(self, records: Iterable[Record]) -> None:
        """Insert all of these records, or none if one fails."""
        with self._connection:
            for record in records:
                rows.insert(self._connection, record)

    def insert_missing(self, records: Iterable[Record]) -> int:
        """Insert records that the database lacks, and return how many came to be in it.

        The records are read one at a time, because there may be a million.
        """
        count = "SELECT COUNT(*) FROM runs"
        with store_errors(self.folder):
            (before,) = self._connection.execute(count).fetchone()
            self._insert(records)
            (after,) = self._connection.execute(count).fetchone()
        return int(after - before)

    def insert_journals(self) -> int:
        """Insert the records that only journals have, and return how many there were."""
        with store_errors(self.folder):
            known = self.ids()
            paths = self.journal.folder.glob("*.jsonl")
            new = [path for path in paths if path.stem not in known]
        read = (Journal.read(path) for path in new)
        return self.insert_missing(record for record in read if record is not None)

    def drop(self, runs: Iterable[str]) -> int:
        """Delete runs with their journals, weights and checkpoints; return how many were named."""
        runs = list(runs)
        with store_errors(self.folder):
            with self._connection:
                for table in ("runs", "details"):
                    self._connection.executemany(
                        f"DELETE FROM {table} WHERE id = ?", [(run,) for run in runs]
                    )
            for run in runs:
                self.journal.path(run).unlink(missing_ok=True)
                self.weights(run).unlink(missing_ok=True)
                self.checkpoint(run).unlink(missing_ok=True)
        return len(runs)

    def ids(self) -> set[str]:
        """Return the ids of all finished runs."""
        with store_errors(self.folder):
            return {row[0] for row in self._connection.execute("SELECT id FROM runs")}

    def records(self, ids: Sequence[str] | None = None, details: bool = False) -> Iterator[Record]:
        """Yield finished runs in the order of their ids.

        Args:
            ids: the runs to yield, as far as they exist; all if None.
            details: True to include curves, samples and tracebacks.
        """
        columns = "runs.id, runs.spec, runs.outcome, runs.measured"
        query = f"SELECT {columns} FROM runs"
        if details:
            query = (
                f"SELECT {columns}, details.outcome, details.measured "
                "FROM runs JOIN details ON details.id = runs.id"
            )
        parameters: tuple[str, ...] = ()
        if ids is not None:
            # one JSON array instead of a parameter per id, whose number SQLite limits
            query += " WHERE runs.id IN (SELECT value FROM json_each(?))"
            parameters = (json.dumps(list(ids)),)
        with store_errors(self.folder):
            for run, *texts in self._connection.execute(query + " ORDER BY runs.id", parameters):
                yield rows.record_of(run, texts)

    # the last plan

    def set_plan(self, planned: Iterable[Planned], base: Mapping[str, Any]) -> None:
        """Replace the plan, in this order, and the suite's base variant."""
        with store_errors(self.folder), self._connection:
            self._connection.execute("DELETE FROM plan")
            self._connection.executemany(
                "INSERT OR REPLACE INTO base VALUES (?, ?)",
                [(axis, json.dumps(value)) for axis, value in base.items()],
            )
            self._connection.executemany(
                "INSERT INTO plan (id, task, variant, seed, reason) VALUES (?, ?, ?, ?, ?)", planned
            )

    def plan(self) -> list[Planned]:
        """Return the last plan, in its order."""
        query = "SELECT id, task, variant, seed, reason FROM plan ORDER BY place"
        with store_errors(self.folder):
            return [Planned(*row) for row in self._connection.execute(query)]

    def base(self) -> dict[str, Any]:
        """Return the suite's base variant as of the last plan."""
        with store_errors(self.folder):
            found = self._connection.execute("SELECT axis, value FROM base").fetchall()
            try:
                return {axis: json.loads(value) for axis, value in found}
            except (ValueError, TypeError, RecursionError) as error:
                raise sqlite3.DatabaseError("malformed base") from error

    # other files of the store

    def write_engine_state(self, state: Mapping[str, Any]) -> None:
        """Write the state of the engine that is running, for `bench status` to read."""
        part = self.folder / "engine.part"
        # not worth an error: if the disk is full, writing records will raise one
        with contextlib.suppress(OSError):
            part.write_text(rows.dump(state), encoding="utf-8")
            part.replace(self.folder / "engine.json")

    def engine_state(self) -> dict[str, Any]:
        """Return the state that a running driver wrote; empty if there is none."""
        if not has_driver(self.folder):
            return {}
        try:
            state = json.loads((self.folder / "engine.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return state if isinstance(state, dict) and set(state) >= ENGINE_KEYS else {}

    def keep_weights(self, run: str, content: bytes) -> None:
        """Write weights that another machine sent, as a complete file or not at all."""
        path = self.weights(run)
        part = path.with_suffix(".part")
        with store_errors(self.folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(content)
            part.replace(path)

    def tidy(self) -> None:
        """Remove leftovers of drivers that were killed, and checkpoints nobody needs any more.

        These are partly written files, and checkpoints of finished runs or of runs that nobody
        resumed for CHECKPOINT_LIFETIME.
        """
        known, now = self.ids(), time.time()
        with store_errors(self.folder):
            for path in (*self.folder.glob(".driver-*"), *self.folder.glob("*/*.part")):
                path.unlink(missing_ok=True)
            for path in self.folder.glob("checkpoints/*.safetensors"):
                if path.stem in known or now - path.stat().st_mtime > CHECKPOINT_LIFETIME:
                    path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the journals and the database."""
        self.journal.close_all()
        self._connection.close()
