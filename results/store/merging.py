"""Takes the runs of another store into a store.

A run is known by its id. What is here stays: a run that both have is left as it is, unless it
failed here and did not there. Each run is taken as a driver writes one: outputs and weights, then
its journal, then its row. A merge that is killed has taken some runs whole, and goes on when it is
asked for again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from results.errors import StoreError
from results.journal import Journal
from results.record import Record
from results.store.access import exists, reading
from results.store.database import Store
from results.store.failures import store_errors
from results.store.verifying import Identity

COMMITTED_AFTER = 100
"""Number of runs that are taken between two commits of the database."""
OF_EXAMINATION = ("health", "findings", "outputs")
"""Keys of an outcome that do not say what came of a run."""


class MergedRun(NamedTuple):
    """States what a merge did with a run of the other store.

    what: `taken`; `known` (it was here); `replaced` (it failed here, and was taken in its place);
    `completed` (it was here, and its outputs or weights were taken); `different` (another outcome,
    which was not taken); `left out` (it is damaged). why: it was left out, or what it lacks.
    machine: that it was measured on, "" if unknown.
    """

    run: str
    what: str
    why: str
    machine: str


def merge(store: Store, other: Path, identity: Identity) -> list[MergedRun]:
    """Take the runs of another store, and return what was done with each, by id.

    Args:
        store: open for writing.
        other: the folder of the other store, which is only read.
        identity: returns the id of a record's spec.

    Raises:
        StoreError: the other is no store, this one itself, of a newer version, or unreadable.
    """
    check_other(other)
    with store_errors(other):
        if other.samefile(store.place):
            raise StoreError(f"{other} is this store itself; name another")
    done: list[MergedRun] = []
    with reading(other) as theirs:
        base = theirs.base()
        if base and not store.base():  # this store is new, and would not know names of variants
            store.set_plan([], base)
        known = store.ids()
        for found in _found_in(theirs):
            merged = _merged(store, theirs, found, identity, known)
            done.append(merged)
            if len(done) % COMMITTED_AFTER == 0:
                store.commit()
        store.commit()
    return sorted(done)


def check_other(other: Path) -> None:
    """Raise a StoreError if a folder from which runs are to be taken holds no store."""
    with store_errors(other):
        there = exists(other)
    if not there:
        raise StoreError(f"{other} holds no store; name the folder of one, such as there/.bench")


def _found_in(theirs: Store) -> Iterator[Record | str]:
    """Yield all finished runs of a store, also those that only journals have; or a damaged id."""
    seen = set()
    for found in theirs.sound_records():
        run = found if isinstance(found, str) else found.id
        seen.add(run)
        yield found if isinstance(found, Record) else Journal.read(theirs.journal.path(run)) or run
    for path in theirs.journal.files():
        if path.stem not in seen and (record := Journal.read(path)) is not None:
            yield record


def _merged(
    store: Store, theirs: Store, found: Record | str, identity: Identity, known: set[str]
) -> MergedRun:
    """Take a run, or leave it, and say so."""
    if isinstance(found, str):
        return MergedRun(found, "left out", "it is damaged; mend that store: bench rebuild", "")
    machine = str(found.measured.get("host", ""))
    if (own := _own_id(found, identity)) != found.id:
        return MergedRun(found.id, "left out", f"its settings are those of run {own}", machine)
    if found.id not in known:
        _take(store, theirs, found)
        return MergedRun(found.id, "taken", theirs.outputs.problem(found), machine)
    (mine,) = store.records([found.id], details=True)
    return MergedRun(found.id, _double(store, theirs, mine, found), "", machine)


def _own_id(record: Record, identity: Identity) -> str:
    try:
        return identity(record)
    except ValueError:  # of another version, which had other settings
        return record.id


def _double(store: Store, theirs: Store, mine: Record, found: Record) -> str:
    """Decide about a run that both stores have, and return what was done."""
    if mine.status == "failed" and found.status != "failed":
        _take_instead(store, theirs, found)
        return "replaced"
    if _essence(mine) != _essence(found):
        return "different"
    completed = False
    if "outputs" not in mine.outcome and _outputs(theirs, found) is not None:
        completed_run = Record(mine.id, mine.spec, found.outcome, mine.measured)
        _take_instead(store, theirs, completed_run)
        completed = True
    if theirs.weights(found.id).is_file() and not store.weights(found.id).is_file():
        _take_weights(store, theirs, found)
        completed = True
    return "completed" if completed else "known"


def _essence(record: Record) -> dict[str, Any]:
    """Return an outcome without what an examination, or a newer version, adds to it."""
    return {key: value for key, value in record.outcome.items() if key not in OF_EXAMINATION}


def _take(store: Store, theirs: Store, record: Record) -> None:
    """Write a run with all that belongs to it; its journal comes last but for the database."""
    content = _outputs(theirs, record)
    if content is not None:
        store.keep_outputs(record.id, content)
    _take_weights(store, theirs, record)
    store.add(record, commit=False)


def _take_instead(store: Store, theirs: Store, record: Record) -> None:
    """Write a run that is here already.

    Its journal is newer than its row until the next commit. After a kill in between, whoever opens
    the store looks only at the journals of runs that are unknown, or to be done again.
    """
    store.ask_again([record.id])
    _take(store, theirs, record)


def _take_weights(store: Store, theirs: Store, record: Record) -> None:
    """Copy a run's weights and training state, each as a complete file or not at all."""
    run = record.id
    for source, target in (
        (theirs.weights(run), store.weights(run)),
        (theirs.training_state(run), store.training_state(run)),
    ):
        if source.is_file():
            part = target.with_name(f"{target.name}.part")
            with store_errors(store.folder):
                target.parent.mkdir(exist_ok=True)
                shutil.copyfile(source, part)
                part.replace(target)


def _outputs(theirs: Store, record: Record) -> bytes | None:
    """Return the outputs of a run; None where there are none, or they are damaged."""
    try:
        return theirs.outputs.read(record)
    except (OSError, ValueError):
        return None
