"""Checks a store: its database against its journals, and both against what was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from results.errors import StoreError
from results.journal import Journal
from results.record import Record
from results.store.database import Store
from results.store.failures import store_errors

Identity = Callable[[Record], str]
"""Returns the id that a record's spec has; ValueError if it cannot be known."""


class Problem(NamedTuple):
    """Something in a store that is not as it was written. run: its id; empty for the database."""

    run: str
    what: str


class Verification(NamedTuple):
    """The state of a store. runs: finished ones in the database. unfinished: begun, not ended."""

    runs: int
    unfinished: int
    problems: list[Problem]


def verify(store: Store, identity: Identity) -> Verification:
    """Compare every run of a database with its journal, and with its own digest.

    Args:
        store: open for reading.
        identity: returns the id of a record's spec.
    """
    problems = list(_structure(store))
    sound: set[str] = set()
    damaged: set[str] = set()
    try:
        for found in store.sound_records():
            if isinstance(found, str):
                damaged.add(found)
                continue
            sound.add(found.id)
            problems += [Problem(found.id, what) for what in _compared(store, found, identity)]
    except StoreError as error:
        problems.append(Problem("", str(error)))
    problems += [Problem(run, "its row in the database is damaged") for run in sorted(damaged)]
    ended = {path.stem for path in store.journal.files() if Journal.read(path)}
    missing = sorted(ended - sound - damaged)
    problems += [Problem(run, "only its journal has it") for run in missing]
    return Verification(
        len(sound | damaged), len(set(store.journal.unfinished()) - sound), problems
    )


def _structure(store: Store) -> Iterator[Problem]:
    """Yield what SQLite itself finds wrong with its file."""
    try:
        with store_errors(store.folder):
            said = [str(row[0]) for row in store.connection.execute("PRAGMA integrity_check(5)")]
    except StoreError as error:
        said = [str(error)]
    yield from (Problem("", " ".join(line.split())) for line in said if line != "ok")


def _compared(store: Store, record: Record, identity: Identity) -> Iterator[str]:
    """Yield what is wrong with a run whose row is sound in itself."""
    try:
        own = identity(record)
    except ValueError:  # of another version, which had other settings
        own = record.id
    if own != record.id:
        yield f"its settings are those of run {own}"
    path = store.journal.path(record.id)
    journal = Journal.read(path)
    if not path.exists():
        yield "its journal is gone"
    elif journal is None:
        yield "its journal is damaged"
    elif journal != record:
        yield "its journal says otherwise"
    if problem := store.outputs.problem(record):
        yield problem
