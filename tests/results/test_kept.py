"""Proves that an outcome stays until there is a new one, that what was dropped comes back, and that
what does not fit is noticed: between database and journals, and by whoever reads."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.errors import StoreError, StoreLockedError
from results.failing import by_machine
from results.files import json_text
from results.journal import Journal
from results.record import Record
from results.store import (
    Store,
    drop,
    dropped,
    has_driver,
    lock,
    purge,
    reading,
    rebuild,
    undrop,
    verify,
    writing,
)
from tests.records import SUITE, failed, record

RECORDS = (record(0), record(1, 1.0, 900), failed(3))


def identity(found: Record) -> str:
    return found.id


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with three runs."""
    place = tmp_path / "store"
    with writing(place) as store:
        for entry in RECORDS:
            store.begin(entry.id, entry.spec)
            store.add(entry)
        store.set_plan([], SUITE)
    return place


def everything(folder: Path) -> dict[str, dict[str, object]]:
    with reading(folder) as store:
        return {one.id: one.plain() for one in store.records(details=True)}


EXPECTED = {one.id: one.plain() for one in RECORDS}


def change(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "store.sqlite3")) as connection:
        connection.execute(statement)
        connection.commit()


def problems(folder: Path) -> list[str]:
    with reading(folder) as store:
        return [f"{problem.run}: {problem.what}" for problem in verify(store, identity).problems]


# done again


def test_a_run_that_begins_again_keeps_its_outcome_until_it_ends(folder: Path) -> None:
    old, new = RECORDS[2], record(3)
    assert old.id == new.id
    with writing(folder) as store:
        store.ask_again([old.id])
        store.begin(old.id, old.spec)
        store.point(old.id, {"step": 1}, {})
        assert store.journal.unfinished() == [old.id]
        assert Journal.read(store.journal.path(old.id)) == old
    # killed here: nothing is lost, and it is still to be done again
    assert everything(folder) == EXPECTED
    assert rebuild(folder, SUITE) == len(RECORDS)
    assert everything(folder) == EXPECTED
    with writing(folder) as store:
        store.ask_again([old.id])
        store.begin(new.id, new.spec)
        store.add(new)
        assert store.again() == set()
        assert Journal.read(store.journal.path(new.id)) == new
    assert everything(folder) == {**EXPECTED, new.id: new.plain()}


def test_a_new_outcome_that_only_the_journal_has_is_taken_in(folder: Path) -> None:
    new = record(3)
    with writing(folder) as store:
        store.ask_again([new.id, RECORDS[0].id])
        store.begin(new.id, new.spec)
        store.journal.finish(new)  # and killed before the database had it
    with writing(folder) as store:
        assert store.again() == {RECORDS[0].id}
    assert everything(folder)[new.id] == new.plain()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("its process died 3 times, the last time by signal 9", True),
        ("its node died 50 times, the last time", True),
        ("MemoryError: ", True),
        ("MemoryError", True),
        ("torch.OutOfMemoryError: CUDA out of memory", True),
        ("OutOfMemoryError: CUDA out of memory", True),
        ("RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory", True),
        ("OSError: [Errno 28] No space left on device", True),
        ("BlockingIOError: [Errno 11] Resource temporarily unavailable", True),
        ("OSError: [Errno 12] Cannot allocate memory", True),
        ("FileNotFoundError: [Errno 2] No such file", False),
        ("ValueError: MemoryError", False),
        ("ValueError: no", False),
        ("took longer than the 1 min that --time-limit allows", False),
        ("", False),
    ],
)
def test_what_the_machine_is_to_blame_for(error: str, expected: bool) -> None:
    assert by_machine(error) == expected


def test_what_failed_by_the_machine_is_to_be_done_again(folder: Path) -> None:
    killed = failed(8)
    killed = Record(
        killed.id,
        killed.spec,
        {"status": "failed", "error": "its process died 3 times, the last time by signal 9"},
        killed.measured,
    )
    with writing(folder) as store:
        store.add(killed)
        assert store.again() == {killed.id}
        assert set(store.failed()) == {killed.id, RECORDS[2].id}


# dropped


def test_what_is_dropped_comes_back_with_its_weights(folder: Path) -> None:
    one = RECORDS[1].id
    with writing(folder) as store:
        store.weights(one).parent.mkdir()
        store.weights(one).write_bytes(b"w")
        assert drop(store, [one]) == 1
        assert not store.weights(one).exists()
        assert [entry.id for entry in dropped(store)] == [one]
    assert everything(folder) == {run: plain for run, plain in EXPECTED.items() if run != one}
    assert rebuild(folder, SUITE) == len(RECORDS) - 1
    with writing(folder) as store:
        assert undrop(store, [one]) == 1
        assert store.weights(one).read_bytes() == b"w"
        assert dropped(store) == []
    assert everything(folder) == EXPECTED


def test_a_run_that_was_done_again_since_stays_dropped(folder: Path) -> None:
    with writing(folder) as store:
        drop(store, [RECORDS[2].id])
        store.add(record(3))
        assert undrop(store, [RECORDS[2].id]) == 0
        assert [entry.status for entry in dropped(store)] == ["failed"]
    assert everything(folder)[record(3).id] == record(3).plain()


def test_a_run_whose_journal_was_lost_comes_back_too(folder: Path) -> None:
    with writing(folder) as store:
        store.journal.path(RECORDS[0].id).unlink()
        drop(store, [RECORDS[0].id])
        undrop(store, [RECORDS[0].id])
    assert everything(folder) == EXPECTED


def test_what_is_purged_is_gone(folder: Path) -> None:
    with writing(folder) as store:
        drop(store, [RECORDS[0].id])
        assert purge(store) == 1
        assert dropped(store) == []
        undrop(store, [RECORDS[0].id])
    assert RECORDS[0].id not in everything(folder)
    assert list((folder / "dropped").iterdir()) == []


# what does not fit


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM details WHERE id = '{run}'",
        "UPDATE runs SET spec = (SELECT spec FROM runs WHERE id = '{other}') WHERE id = '{run}'",
        "UPDATE runs SET outcome = replace(outcome, '0.5', '0.9') WHERE id = '{run}'",
        "UPDATE details SET outcome = replace(outcome, 'loss', 'less') WHERE id = '{run}'",
        "UPDATE runs SET measured = x'00' WHERE id = '{run}'",
        "UPDATE runs SET measured = CAST(zeroblob(100) AS TEXT) WHERE id = '{run}'",
    ],
)
def test_a_row_that_was_altered_is_noticed_and_mended(folder: Path, damage: str) -> None:
    change(folder, damage.format(run=RECORDS[0].id, other=RECORDS[1].id))
    with reading(folder) as store, pytest.raises(StoreError, match="bench rebuild") as error:
        list(store.records(details=True))
    assert RECORDS[0].id in str(error.value)
    assert problems(folder) == [f"{RECORDS[0].id}: its row in the database is damaged"]
    assert rebuild(folder, SUITE) == len(RECORDS)
    assert everything(folder) == EXPECTED
    assert problems(folder) == []


def test_a_zeroed_page_is_noticed(folder: Path) -> None:
    path = folder / "store.sqlite3"
    whole, size = path.read_bytes(), 4096
    noticed = 0
    for start in range(0, len(whole), size):
        path.write_bytes(whole[:start] + bytes(size) + whole[start + size :])
        try:
            found = problems(folder)
        except StoreError:
            found = ["cannot be opened"]
        noticed += bool(found)
        assert found or everything(folder) == EXPECTED
    assert noticed > 5


def test_journals_and_database_are_compared(folder: Path) -> None:
    first, second, third = (folder / "journal" / f"{one.id}.jsonl" for one in RECORDS)
    first.unlink()
    second.write_bytes(second.read_bytes().replace(b'"steps": 100', b'"steps": 101'))
    third.write_bytes(third.read_bytes().replace(b"ValueError: no", b"ValueError: ok"))
    change(folder, f"DELETE FROM runs WHERE id = '{RECORDS[2].id}'")
    with writing(folder) as store:
        store.journal.finish(record(9))
        store.begin("f" * 16, {})
    assert set(problems(folder)) == {
        f"{RECORDS[0].id}: its journal is gone",
        f"{RECORDS[1].id}: its journal is damaged",
        f"{record(9).id}: only its journal has it",
    }
    with reading(folder) as store:
        found = verify(store, identity)
    assert (found.runs, found.unfinished) == (2, 2)
    assert rebuild(folder, SUITE) == 3
    assert problems(folder) == []


def test_a_row_that_says_otherwise_than_its_journal_is_noticed(folder: Path) -> None:
    with writing(folder) as store:
        store.journal.finish(record(0, 0.75))
    assert problems(folder) == [f"{RECORDS[0].id}: its journal says otherwise"]


def test_a_store_of_the_first_version_is_read(folder: Path) -> None:
    change(folder, "DROP TABLE digests")
    change(folder, "DROP TABLE again")
    change(folder, "PRAGMA user_version = 1")
    assert everything(folder) == EXPECTED
    assert problems(folder) == []
    with writing(folder) as store:
        assert store.again() == set()
    assert everything(folder) == EXPECTED


# what lies among the files


@pytest.mark.parametrize("odd", ["pipe", "loop", "folder", "device", "dangling"])
def test_odd_files_hold_nobody_up(folder: Path, odd: str) -> None:
    journal = folder / "journal"
    path = journal / ("0" * 16 + ".jsonl")
    if odd == "pipe":
        os.mkfifo(path)
    elif odd == "folder":
        path.mkdir()
    else:
        path.symlink_to({"loop": path.name, "device": "/dev/zero", "dangling": "nothing"}[odd])
    (journal / "deeper").symlink_to(journal)
    assert Journal.read(path) is None
    with writing(folder) as store:
        assert store.ids() == set(EXPECTED)
        assert store.journal.unfinished() == []
    assert rebuild(folder, SUITE) == len(RECORDS)
    assert problems(folder) == []


@pytest.mark.parametrize("odd", ["pipe", "loop", "device"])
def test_odd_files_in_the_place_of_a_journal_are_replaced(folder: Path, odd: str) -> None:
    path = folder / "journal" / f"{RECORDS[0].id}.jsonl"
    path.unlink()
    if odd == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to({"loop": path.name, "device": "/dev/null"}[odd])
    assert rebuild(folder, SUITE) == len(RECORDS)
    assert problems(folder) == []
    assert path.is_file()
    assert not path.is_symlink()


def test_pipes_in_the_place_of_our_own_files_hold_nobody_up(folder: Path) -> None:
    (folder / "lock").unlink()
    os.mkfifo(folder / "lock")
    os.mkfifo(folder / "engine.json")
    assert not has_driver(folder)
    with reading(folder) as store:
        assert store.engine_state() == {}


@pytest.mark.parametrize("name", ["journal", "weights", "checkpoints", "dropped", "data"])
def test_a_file_where_a_folder_belongs_is_told_before_anything(folder: Path, name: str) -> None:
    place = folder / name
    if place.exists():
        place.rename(folder / "aside")
    place.write_text("mine")
    with pytest.raises(StoreError, match=f"{name} is not a folder"), writing(folder):
        pass
    assert place.read_text() == "mine"


# no half-made store


@pytest.mark.parametrize("place", ["new", "new/deeper"])
def test_a_store_that_cannot_be_made_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def fails(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("results.store.access.migrate", fails)
    with pytest.raises(StoreError), writing(tmp_path / place):
        pass
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    with pytest.raises(StoreError), writing(tmp_path / "mine"):
        pass
    assert list((tmp_path / "mine").iterdir()) == []


def test_limits_of_a_shell_are_a_sentence_and_leave_nothing(tmp_path: Path) -> None:
    """In a process of its own, as no test may limit those after it."""
    script = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from results.errors import StoreError
from results.store import writing
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with writing(Path({place!r})):
        pass
except StoreError as error:
    print(error)
"""
    root, place = Path(__file__).parents[2], tmp_path / "new" / "deeper"
    code = script.format(root=str(root), place=str(place))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == ""
    assert "ulimit -f" in done.stdout
    assert done.stdout.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_failure_later_on_removes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: Store) -> int:
        raise StoreError("no")

    monkeypatch.setattr(Store, "insert_journals", fails)
    with pytest.raises(StoreError), writing(folder):
        pass
    monkeypatch.undo()
    assert everything(folder) == EXPECTED


# the lock


def test_whoever_asks_for_a_driver_keeps_none_from_beginning(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that asks holds the lock for a moment."""
    import fcntl

    with (folder / "lock").open("r") as asked:
        fcntl.flock(asked, fcntl.LOCK_SH)
        monkeypatch.setattr("time.sleep", lambda _: fcntl.flock(asked, fcntl.LOCK_UN))
        with writing(folder) as store:
            assert store.ids() == set(EXPECTED)


def test_a_lock_that_was_removed_meanwhile_is_not_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "_is_at", lambda file, path: False)
    with pytest.raises(StoreLockedError), writing(folder):
        pass


# texts from outside


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("texts") / "store"


@given(error=st.text(st.characters(), max_size=50))
def test_any_text_is_kept(place: Path, error: str) -> None:
    """Also half of a surrogate pair, which UTF-8 has no form for."""
    kept = Record(failed(1).id, failed(1).spec, {"status": "failed", "error": error}, {"beside": 0})
    with writing(place) as store:
        store.begin(kept.id, kept.spec)
        store.add(kept)
        assert list(store.records(details=True)) == [kept]
        assert Journal.read(store.journal.path(kept.id)) == kept
        assert verify(store, identity).problems == []
    json_text(error).encode()
