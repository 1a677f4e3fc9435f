"""Drops runs, and brings dropped ones back until they are purged.

What is dropped lies in the folder `dropped`: a run's journal, its outputs, weights and training
state, as far as there are any.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from results.files import regular_files
from results.journal import Journal
from results.record import Record
from results.store.database import Store
from results.store.failures import store_errors
from results.store.outputs import OutputFiles


def drop(store: Store, runs: Sequence[str]) -> int:
    """Take runs out of a store, and return how many; `undrop` brings them back.

    Their rows go first: a kill in between brings back what was not dropped completely.
    """
    folder = _folder(store)
    lost = [run for run in runs if Journal.read(store.journal.path(run)) is None]
    # a journal may have been lost; without it the run could not come back
    for record in list(store.records(lost, details=True)):
        store.journal.finish(record)
    store.forget(runs)
    with store_errors(store.folder):
        folder.mkdir(exist_ok=True)
        for run in runs:
            store.checkpoint(run).unlink(missing_ok=True)
            for path in (*store.outputs.of(run), *_files(store, run)):
                if path.exists():
                    path.replace(folder / path.name)
    return len(runs)


def undrop(store: Store, runs: Iterable[str]) -> int:
    """Bring dropped runs back, and return how many; one that was done again since stays dropped."""
    known = store.ids()
    returning = [run for run in runs if run not in known]
    folder = _folder(store)
    with store_errors(store.folder):
        for run in returning:
            outputs = [store.outputs.folder / path.name for path in OutputFiles(folder).of(run)]
            for path in (*outputs, *_files(store, run)):
                if (dropped := folder / path.name).exists():
                    path.parent.mkdir(exist_ok=True)
                    dropped.replace(path)
    store.insert_journals()
    return len(returning)


def dropped(store: Store) -> list[Record]:
    """Return the runs that were dropped and can come back."""
    with store_errors(store.folder):
        read = map(Journal.read, regular_files(_folder(store), "*.jsonl"))
        return [record for record in read if record is not None]


def purge(store: Store) -> int:
    """Delete what was dropped for good, and return how many runs that were."""
    count = len(dropped(store))
    with store_errors(store.folder):
        for path in _folder(store).glob("*"):
            path.unlink()
    return count


def _files(store: Store, run: str) -> tuple[Path, ...]:
    """Return the paths of a run's files but for its outputs.

    The journal comes last: without it, a run would come back without what belongs to it.
    """
    return store.weights(run), store.training_state(run), store.journal.path(run)


def _folder(store: Store) -> Path:
    return store.place / "dropped"
