"""Reads and writes the content of a store: runs, plan, weights, and the engine's state."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from results.failing import by_machine
from results.files import json_text, read_regular, regular_files, state_beside, utf8
from results.journal import Journal
from results.record import Record
from results.seeds import TUNING_SEED
from results.store import rows
from results.store.failures import store_errors
from results.store.lock import has_driver
from results.store.outputs import OutputFiles
from results.tuning import choices, labelled

CHECKPOINT_LIFETIME = 30 * 24 * 3600.0
"""Seconds after which a checkpoint that no run resumed from is removed."""
NAMED_OUTPUTS = (
    "SELECT id, iif(json_valid(outcome), coalesce(json_extract(outcome, '$.outputs'), ''), NULL) "
    "FROM runs"
)
"""Selects ids of runs with the digests of their outputs: "" for none, NULL for a damaged row."""
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

    Attributes:
        folder: the store, as it was named.
        place: its absolute path.
        journal: its journals.
        outputs: the files of outputs of its runs.
        connection: to the database, for this package alone.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder = folder
        # the working directory may be changed by code from outside
        self.place = folder.absolute()
        self.journal = Journal(self.place / "journal")
        self.outputs = OutputFiles(self.place / "outputs")
        self.connection = connection
        self._pending: list[Record] = []

    def weights(self, run: str) -> Path:
        """Return the path of a run's weights, which exist only if they were asked for."""
        return self.place / "weights" / f"{run}.safetensors"

    def training_state(self, run: str) -> Path:
        """Return the path of the state in which a run's training ended, kept with its weights."""
        return state_beside(self.weights(run))

    def checkpoint(self, name: str) -> Path:
        """Return the path of the training state of a run, or of runs trained together."""
        return self.place / "checkpoints" / f"{name}.safetensors"

    # runs

    def begin(self, run: str, spec: Mapping[str, Any]) -> None:
        """Note in the journal that a run starts, or starts again."""
        with store_errors(self.folder):
            self.journal.start(run, spec)

    def point(self, run: str, point: Mapping[str, Any], clock: Mapping[str, float]) -> None:
        """Add an evaluation of a run that was begun to its journal."""
        with store_errors(self.folder):
            self.journal.point(run, point, clock)

    def keep_outputs(self, run: str, content: bytes) -> None:
        """Keep the outputs of a run, whose record is added afterwards. content: unpacked."""
        with store_errors(self.folder):
            self.outputs.keep(run, content)

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
        with self.connection:
            for record in records:
                rows.insert(self.connection, record)

    def insert_missing(self, records: Iterable[Record]) -> int:
        """Insert records that the database lacks, and return how many came to be in it.

        The records are read one at a time, because there may be a million.
        """
        count = "SELECT COUNT(*) FROM runs"
        with store_errors(self.folder):
            (before,) = self.connection.execute(count).fetchone()
            self._insert(records)
            (after,) = self.connection.execute(count).fetchone()
        return int(after - before)

    def insert_journals(self) -> int:
        """Insert the records that only journals have, and return how many there were."""
        with store_errors(self.folder):
            known, again = self.ids(), self.again()
            new = [path for path in self.journal.files() if path.stem not in known - again]
        read = (Journal.read(path) for path in new)
        return self.insert_missing(r for r in read if r is not None and self._is_new(r, known))

    def _is_new(self, record: Record, known: set[str]) -> bool:
        """Return whether the database lacks a journal's record, or has the outcome before it."""
        return record.id not in known or record not in self.records([record.id], details=True)

    def forget(self, runs: Sequence[str]) -> None:
        """Delete runs from the database, and from it alone."""
        with store_errors(self.folder), self.connection:
            for table in ("runs", "details", "digests", "again"):
                self.connection.executemany(
                    f"DELETE FROM {table} WHERE id = ?", [(run,) for run in runs]
                )

    def ask_again(self, runs: Iterable[str]) -> None:
        """Note that runs are to be done again; each keeps its outcome until it has a new one."""
        with store_errors(self.folder), self.connection:
            self.connection.executemany(
                "INSERT OR IGNORE INTO again VALUES (?)", [(run,) for run in runs]
            )

    def again(self) -> set[str]:
        """Return the ids of runs to do again: asked for, or failed by the machine's fault."""
        with store_errors(self.folder):
            asked = {row[0] for row in self.connection.execute("SELECT id FROM again")}
        failed = self.failed()
        return asked | {run for run, error in failed.items() if by_machine(error)}

    def failed(self) -> dict[str, str]:
        """Return the errors of the runs that failed, by their ids."""
        query = "SELECT id FROM runs WHERE status = 'failed'"
        with store_errors(self.folder):
            ids = [row[0] for row in self.connection.execute(query)]
        return {record.id: str(record.outcome.get("error")) for record in self.records(ids)}

    def ids(self) -> set[str]:
        """Return the ids of all finished runs."""
        with store_errors(self.folder):
            return {row[0] for row in self.connection.execute("SELECT id FROM runs")}

    def finished_at(self) -> dict[str, float]:
        """Return when each run was written to the database, in seconds since 1970, by its id."""
        with store_errors(self.folder):
            return dict(self.connection.execute("SELECT id, finished FROM runs"))

    def records(self, ids: Sequence[str] | None = None, details: bool = False) -> Iterator[Record]:
        """Yield finished runs in the order of their ids.

        Args:
            ids: the runs to yield, as far as they exist. If None, all that are reported, with what
                tuning chose of them; runs that tune are not among them.
            details: True to include curves, samples and tracebacks.
        """
        if ids is not None:
            # one JSON array instead of a parameter per id, whose number SQLite limits
            condition = "runs.id IN (SELECT value FROM json_each(?))"
            yield from self._selected(condition, (json.dumps(list(ids)),), details)
            return
        made = choices(self.tuning_runs())
        for record in self._selected("runs.seed < ?", (TUNING_SEED,), details):
            yield labelled(record, made) if made else record

    def tuning_runs(self) -> list[Record]:
        """Return the finished runs that tune, which no table, comparison or page shows."""
        return list(self._selected("runs.seed >= ?", (TUNING_SEED,)))

    def all_runs(self) -> Iterator[Record]:
        """Yield all finished runs, those that are reported and those that tune."""
        yield from self._selected("true", ())

    def _selected(
        self, condition: str, parameters: tuple[str | int, ...], details: bool = False
    ) -> Iterator[Record]:
        query = f"{rows.query(details)} WHERE {condition} ORDER BY runs.id"
        with store_errors(self.folder):
            for run, *row in self.connection.execute(query, parameters):
                yield rows.record_of(run, row)

    def curves(self, ids: Sequence[str]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """Yield the ids of runs and their curves, without what else is kept beside them.

        Runs that have none are left out.
        """
        with store_errors(self.folder):
            for run, curve in self.connection.execute(rows.CURVES, (json.dumps(list(ids)),)):
                yield run, json.loads(curve)

    def sound_records(self) -> Iterator[Record | str]:
        """Yield all finished runs with their details; instead of a damaged one, its id.

        Raises:
            StoreError: The database cannot be read any further.
        """
        with store_errors(self.folder):
            for run, *row in self.connection.execute(f"{rows.query(True)} ORDER BY runs.id"):
                try:
                    yield rows.record_of(run, row)
                except sqlite3.DatabaseError:
                    yield str(run)

    # the last plan

    def set_plan(self, planned: Iterable[Planned], base: Mapping[str, Any]) -> None:
        """Replace the plan, in this order, and the suite's base variant."""
        with store_errors(self.folder), self.connection:
            self.connection.execute("DELETE FROM plan")
            self.connection.executemany(
                "INSERT OR REPLACE INTO base VALUES (?, ?)",
                [(axis, json.dumps(value)) for axis, value in base.items()],
            )
            self.connection.executemany(
                "INSERT INTO plan (id, task, variant, seed, reason) VALUES (?, ?, ?, ?, ?)",
                (
                    (one.id, utf8(one.task), utf8(one.variant), one.seed, utf8(one.reason))
                    for one in planned
                ),
            )

    def plan(self) -> list[Planned]:
        """Return the last plan, in its order."""
        query = "SELECT id, task, variant, seed, reason FROM plan ORDER BY place"
        with store_errors(self.folder):
            return [Planned(*row) for row in self.connection.execute(query)]

    def base(self) -> dict[str, Any]:
        """Return the suite's base variant as of the last plan."""
        with store_errors(self.folder):
            found = self.connection.execute("SELECT axis, value FROM base").fetchall()
            try:
                return {axis: json.loads(value) for axis, value in found}
            except (ValueError, TypeError, RecursionError) as error:
                raise sqlite3.DatabaseError("malformed base") from error

    # other files of the store

    def write_engine_state(self, state: Mapping[str, Any]) -> None:
        """Write the state of the engine that is running, for `bench status` to read."""
        part = self.place / "engine.part"
        # not worth an error: if the disk is full, writing records will raise one
        with contextlib.suppress(OSError):
            part.write_text(json_text(state), encoding="utf-8")
            part.replace(self.place / "engine.json")

    def engine_state(self) -> dict[str, Any]:
        """Return the state that a running driver wrote; empty if there is none."""
        if not has_driver(self.place):
            return {}
        try:
            state = json.loads(read_regular(self.place / "engine.json"))
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

        These are partly written files, outputs that no record names, and checkpoints of finished
        runs or of runs that nobody resumed for CHECKPOINT_LIFETIME.
        """
        known, now = self.ids(), time.time()
        with store_errors(self.folder):
            for path in (*self.place.glob(".driver-*"), *self.place.glob("*/*.part")):
                path.unlink(missing_ok=True)
            for path in self.place.glob("checkpoints/*.safetensors"):
                if path.stem in known or now - path.stat().st_mtime > CHECKPOINT_LIFETIME:
                    path.unlink(missing_ok=True)
            named = dict(self.connection.execute(NAMED_OUTPUTS))
            # of a run whose dropping, or whose coming back, was killed half way
            dropped = regular_files(self.place / "dropped", "*.jsonl")
            self.outputs.tidy(named | dict.fromkeys(path.stem for path in dropped))

    def close(self) -> None:
        """Close the journals and the database."""
        self.journal.close_all()
        self.connection.close()
