"""The store: one folder with a database, journals, weights and data.

    .bench/store.sqlite3    finished runs, and the last plan
    .bench/journal/ID.jsonl what each run said; `bench rebuild` makes the database from these
    .bench/weights/ID.safetensors
    .bench/checkpoints/     how far the runs are that have not ended
    .bench/data/            corpora, see `bench data`
    .bench/lock             held by the one driver that may write
    .bench/engine.json      who is at work

A record is in its journal before it is in the database, so that a kill at any moment loses
nothing: what a journal has and the database has not is taken in at the next start. What was
committed to the database is on the disk, which is what a power cut leaves.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from results.errors import FULL, DiskFullError, StoreError
from results.journal import Journal
from results.record import HEAVY, Record

MIGRATIONS = (
    """
    CREATE TABLE runs (
        id TEXT PRIMARY KEY, task TEXT NOT NULL, seed INTEGER NOT NULL, status TEXT NOT NULL,
        finished REAL NOT NULL, spec TEXT NOT NULL, outcome TEXT NOT NULL, measured TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX runs_by_task ON runs (task);
    CREATE TABLE details (
        id TEXT PRIMARY KEY, outcome TEXT NOT NULL, measured TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE plan (
        place INTEGER PRIMARY KEY, id TEXT, task TEXT NOT NULL, variant TEXT NOT NULL,
        seed INTEGER, reason TEXT NOT NULL
    );
    CREATE TABLE base (axis TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    """,
)
"""Entry i brings a store from version i to i + 1."""


PAGES = 2**16
"""Bytes that are tried where SQLite does not say why it cannot write."""
FORGOTTEN_AFTER = 30 * 24 * 3600.0
"""Seconds after which a checkpoint that nobody went on from is removed."""


class Planned(NamedTuple):
    """A row of the last plan. id is None for a combination that does not apply; reason says why."""

    id: str | None
    task: str
    variant: str
    seed: int | None
    reason: str = ""


class Store:
    """Open with `reading` or `writing`. Every failure is a StoreError of one sentence."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self.journal = Journal(folder / "journal")
        self._connection = connection
        self._pending: list[Record] = []

    def weights(self, run: str) -> Path:
        """Where a run's weights are kept on request."""
        return self.folder / "weights" / f"{run}.safetensors"

    def checkpoint(self, name: str) -> Path:
        """Where runs that are trained together, or one, keep how far they are."""
        return self.folder / "checkpoints" / f"{name}.safetensors"

    def begin(self, run: str, spec: Mapping[str, Any]) -> None:
        """A run starts, or starts again."""
        with _sentences(self.folder):
            self.journal.start(run, spec)

    def point(self, run: str, point: Mapping[str, Any], clock: Mapping[str, float]) -> None:
        """A begun run was evaluated."""
        with _sentences(self.folder):
            self.journal.point(run, point, clock)

    def add(self, record: Record, commit: bool = True) -> None:
        """Keep a finished run: journal first, then the database. commit: False leaves that to the
        next `commit`, as each takes the disk some milliseconds."""
        with _sentences(self.folder):
            self.journal.finish(record)
        self._pending.append(record)
        if commit:
            self.commit()

    def commit(self) -> None:
        """Put all that was added into the database."""
        if self._pending:
            with _sentences(self.folder):
                self._insert(self._pending)
            self._pending = []

    def _insert(self, records: Iterable[Record]) -> None:
        """All of them, or none."""
        with self._connection:
            for record in records:
                self._insert_one(record)

    def _insert_one(self, record: Record) -> None:
        light, heavy = _halves(record)
        named = (record.id, record.task, record.seed, record.status)
        self._connection.execute(
            "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*named, time.time(), _dump(record.spec), *light),
        )
        self._connection.execute(
            "INSERT OR REPLACE INTO details VALUES (?, ?, ?)", (record.id, *heavy)
        )

    def write_engine_state(self, state: Mapping[str, Any]) -> None:
        """Leave word, for who only reads, of what is at work on this store."""
        half = self.folder / "engine.part"
        with contextlib.suppress(OSError):  # it is of no use when the disk is full
            half.write_text(_dump(state), encoding="utf-8")
            half.replace(self.folder / "engine.json")

    def engine_state(self) -> dict[str, Any]:
        """That word, if a driver is at work and has left it."""
        if not has_driver(self.folder):
            return {}
        try:
            state = json.loads((self.folder / "engine.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        whole = isinstance(state, dict) and {"engine", "nodes", "running", "retried"} <= set(state)
        return state if whole else {}

    def keep_weights(self, run: str, content: bytes) -> None:
        """Weights that came from another machine, whole or not at all."""
        path = self.weights(run)
        half = path.with_suffix(".part")
        with _sentences(self.folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            half.write_bytes(content)
            half.replace(path)

    def take_in(self) -> int:
        """Records that a journal has and the database has not: how many were taken in."""
        with _sentences(self.folder):
            known = self.ids()
            paths = self.journal.folder.glob("*.jsonl")
            new = [path for path in paths if path.stem not in known]
            # one at a time, for there may be a million
            self._insert(record for path in new if (record := Journal.read(path)) is not None)
            return len(self.ids()) - len(known)

    def tidy(self) -> None:
        """Remove what nobody needs any more: halves of files, words of drivers that were killed,
        checkpoints of finished runs and of what was left for a month."""
        known, now = self.ids(), time.time()
        with _sentences(self.folder):
            for path in (*self.folder.glob(".driver-*"), *self.folder.glob("*/*.part")):
                path.unlink(missing_ok=True)
            for path in self.folder.glob("checkpoints/*.safetensors"):
                if path.stem in known or now - path.stat().st_mtime > FORGOTTEN_AFTER:
                    path.unlink(missing_ok=True)

    def drop(self, runs: Iterable[str]) -> int:
        """Forget runs: database, journal, weights and checkpoint."""
        runs = list(runs)
        with _sentences(self.folder):
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
        """Ids of all finished runs."""
        with _sentences(self.folder):
            return {row[0] for row in self._connection.execute("SELECT id FROM runs")}

    def records(self, ids: Sequence[str] | None = None, details: bool = False) -> Iterator[Record]:
        """Finished runs, all or those of these ids that there are; by id.

        details: with curves, samples and tracebacks.
        """
        columns = "runs.id, runs.spec, runs.outcome, runs.measured"
        query = f"SELECT {columns} FROM runs"
        if details:
            query = (
                f"SELECT {columns}, details.outcome, details.measured "
                "FROM runs JOIN details ON details.id = runs.id"
            )
        asked: tuple[str, ...] = ()
        if ids is not None:
            query += " WHERE runs.id IN (SELECT value FROM json_each(?))"
            asked = (json.dumps(list(ids)),)
        with _sentences(self.folder):
            for run, *texts in self._connection.execute(query + " ORDER BY runs.id", asked):
                yield _record(run, texts)

    def set_plan(self, rows: Iterable[Planned], base: Mapping[str, Any]) -> None:
        """Remember what was asked for last, in order, and the suite's base variant."""
        with _sentences(self.folder), self._connection:
            self._connection.execute("DELETE FROM plan")
            self._connection.executemany(
                "INSERT OR REPLACE INTO base VALUES (?, ?)",
                [(axis, json.dumps(value)) for axis, value in base.items()],
            )
            self._connection.executemany(
                "INSERT INTO plan (id, task, variant, seed, reason) VALUES (?, ?, ?, ?, ?)", rows
            )

    def plan(self) -> list[Planned]:
        """What was asked for last."""
        query = "SELECT id, task, variant, seed, reason FROM plan ORDER BY place"
        with _sentences(self.folder):
            return [Planned(*row) for row in self._connection.execute(query)]

    def base(self) -> dict[str, Any]:
        """The suite's base variant, as it was when something was last asked for."""
        with _sentences(self.folder):
            rows = self._connection.execute("SELECT axis, value FROM base").fetchall()
            try:
                return {axis: json.loads(value) for axis, value in rows}
            except (ValueError, TypeError, RecursionError) as error:
                raise sqlite3.DatabaseError("malformed base") from error

    def close(self) -> None:
        """Let files and database go."""
        self.journal.close_all()
        self._connection.close()


@contextmanager
def writing(folder: Path) -> Iterator[Store]:
    """The store to write to, made if it is not there. One process at a time holds it."""
    with _sentences(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("a+")
    with lock:
        _hold(lock.fileno(), folder)
        with _sentences(folder):
            connection = sqlite3.connect(_database(folder), timeout=30)
        store = Store(folder, connection)
        try:
            with _sentences(folder):
                _prepare(connection, folder)
            store.take_in()
            yield store
        finally:
            store.close()


@contextmanager
def reading(folder: Path) -> Iterator[Store]:
    """The store to read from; a driver may write meanwhile."""
    path = _database(folder)
    with _sentences(folder):
        there = path.is_file()
    if not there:
        raise StoreError(
            f"there is no store in {folder}; make one with bench run, or name another with --store"
        )
    with _sentences(folder):
        # a write-ahead log needs a writable folder unless the file is promised not to change
        # and a log that still holds rows must not be passed over
        still = os.access(folder, os.W_OK) or Path(f"{path}-wal").exists()
        mode = "mode=ro" if still else "mode=ro&immutable=1"
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=30)
    store = Store(folder, connection)
    try:
        with _sentences(folder):
            _check_version(connection, folder)
        yield store
    finally:
        store.close()


def rebuild(folder: Path, base: Mapping[str, Any]) -> int:
    """Make the database again from the journals; the old file is kept beside as .old.

    What journals do not hold is taken over where the old file can be read: what was asked for last,
    and runs whose journals a power cut took. base: the suite's base variant.
    """
    if not (folder / "journal").is_dir():
        raise StoreError(f"{folder} has no journal to rebuild from; name a store with --store")
    with _sentences(folder):
        lock = (folder / "lock").open("a+")
    with lock:
        _hold(lock.fileno(), folder)
        with _sentences(folder):
            path = _database(folder)
            fresh = path.with_suffix(".new")
            fresh.unlink(missing_ok=True)
            connection = sqlite3.connect(fresh)
            with closing(Store(folder, connection)) as store:
                _prepare(connection, folder)
                count = store.take_in() + _rescue(folder, store)
                store.set_plan(_plan_of(folder), base)
                connection.execute("PRAGMA journal_mode=DELETE")
            for ending in ("-wal", "-shm"):
                Path(f"{path}{ending}").unlink(missing_ok=True)
            if path.exists():
                path.replace(path.with_suffix(".old"))
            fresh.replace(path)
    return count


def _rescue(folder: Path, fresh: Store) -> int:
    """Runs that only the old database has: how many were taken over."""
    known = fresh.ids()

    def found() -> Iterator[Record]:
        # what comes before the damage is whole
        with contextlib.suppress(StoreError), reading(folder) as old:
            yield from (record for record in old.records(details=True) if record.id not in known)

    fresh._insert(found())
    return len(fresh.ids()) - len(known)


def _plan_of(folder: Path) -> list[Planned]:
    """What was asked for last, nothing if that cannot be read."""
    try:
        with reading(folder) as old:
            return old.plan()
    except StoreError:
        return []


def exists(folder: Path) -> bool:
    """Return whether there is a store in a folder."""
    return _database(folder).is_file()


def _database(folder: Path) -> Path:
    return folder / "store.sqlite3"


def _hold(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StoreError(
            f"another bench is writing to {folder}; wait for it, or use another --store"
        ) from None


def has_driver(folder: Path) -> bool:
    """Whether a driver is at work on this store."""
    try:
        with (folder / "lock").open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _prepare(connection: sqlite3.Connection, folder: Path) -> None:
    version = _check_version(connection, folder)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    for number in range(version, len(MIGRATIONS)):
        connection.executescript(
            f"BEGIN; {MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT;"
        )


def _check_version(connection: sqlite3.Connection, folder: Path) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StoreError(
            f"the store in {folder} has version {version} and this bench knows up to "
            f"{len(MIGRATIONS)}; update seq2seq-bench, or use another --store"
        )
    return int(version)


@contextmanager
def _sentences(folder: Path) -> Iterator[None]:
    """Failures of disk and database as one sentence each."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        cause = str(error)
        # SQLite says of a quota only that it could not write
        full = "i/o error" in cause.lower() and not _room(folder)
        raise _failure("full" if full else cause, folder) from error
    except UnicodeDecodeError as error:
        raise _failure("malformed text", folder) from error
    except OSError as error:
        cause = "full" if error.errno in FULL else os.strerror(error.errno or 0)
        raise _failure(cause, folder) from error


def _room(folder: Path) -> bool:
    """Whether anything more can be written there."""
    try:
        with tempfile.TemporaryFile(dir=folder) as trial:
            trial.write(bytes(PAGES))
            trial.flush()
            os.fsync(trial.fileno())
    except OSError as error:
        return error.errno not in FULL
    return True


def _failure(cause: str, folder: Path) -> StoreError:
    low = cause.lower()
    if "full" in low or "no space" in low:
        return DiskFullError(
            f"the disk under {folder} is full; free some space and give the same command again: "
            "finished runs are kept"
        )
    if any(
        sign in low for sign in ("file exists", "not a directory", "no such file", "name too long")
    ):
        return StoreError(f"{folder} cannot hold a store ({cause}); name a folder with --store")
    unwritable = ("readonly", "read-only", "permission", "not permitted", "unable to open")
    if any(sign in low for sign in unwritable):
        return StoreError(
            f"{folder} cannot be written ({cause}); give a folder that can with --store"
        )
    damaged = ("malformed", "not a database", "no such table", "no such column", "decode")
    if any(sign in low for sign in damaged):
        return StoreError(
            f"the database in {folder} is damaged ({cause}); mend it with: bench rebuild"
        )
    return StoreError(f"the store in {folder} does not answer: {cause}")


def _halves(record: Record) -> tuple[tuple[str, str], tuple[str, str]]:
    """Outcome and measured, split into what tables read and what they do not."""
    light, heavy = [], []
    for part, keys in HEAVY.items():
        values: dict[str, Any] = dict(getattr(record, part))
        heavy.append(_dump({key: values.pop(key) for key in keys if key in values}))
        light.append(_dump(values))
    return (light[0], light[1]), (heavy[0], heavy[1])


def _record(run: str, texts: Sequence[str]) -> Record:
    """A row, checked as what a journal holds is. texts: spec, outcome, measured, and what there
    is of details."""
    try:
        spec, outcome, measured, *rest = map(json.loads, texts)
        if rest:
            outcome, measured = outcome | rest[0], measured | rest[1]
        return Record.read({"id": run, "spec": spec, "outcome": outcome, "measured": measured})
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise sqlite3.DatabaseError(f"malformed row {run}") from error


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
