"""Proves that a store loses nothing: what ended stays, whatever is cut, killed, full or damaged,
and that what cannot be served is told in one sentence and left as it was."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.errors import DiskFullError, StoreError
from results.journal import Journal
from results.record import Record
from results.store import Planned, Store, drop, has_driver, reading, rebuild, schema, writing
from tests.records import SUITE, failed, record

ROOT = Path(__file__).parents[2]
RECORDS = (record(0), record(1, 1.0, 900), record(2, None, cell="rnn"), failed(3))
PLAN = [Planned("a" * 16, "opposites", "base", 0), Planned(None, "x", "y=z", None, "why not")]


def keep(store: Store, *records: Record) -> None:
    for one in records:
        store.begin(one.id, one.spec)
        for point in one.outcome.get("curve", []):
            store.point(one.id, point, {"train_seconds": 0.1})
        store.add(one)


def filled(folder: Path) -> Path:
    with writing(folder) as store:
        keep(store, *RECORDS)
        store.set_plan(PLAN, SUITE)
    return folder


def everything(folder: Path) -> dict[str, dict[str, object]]:
    with reading(folder) as store:
        return {one.id: one.plain() for one in store.records(details=True)}


def files(folder: Path) -> dict[str, bytes]:
    """All that counts: the lock is empty, -shm is made anew by whoever looks."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock" and not path.name.endswith(("-shm", "-wal"))
    }


EXPECTED = {one.id: one.plain() for one in RECORDS}


def one_sentence(error: pytest.ExceptionInfo[StoreError]) -> str:
    sentence = str(error.value)
    assert sentence
    assert "\n" not in sentence
    return sentence


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    filled(tmp_path)
    assert everything(tmp_path) == EXPECTED
    with reading(tmp_path) as store:
        assert store.ids() == set(EXPECTED)
        assert store.plan() == PLAN
        assert store.base() == SUITE
        assert list(store.records(["nothing"])) == []
        assert [one.id for one in store.records([RECORDS[1].id])] == [RECORDS[1].id]


def test_rows_for_tables_leave_out_only_what_is_heavy(tmp_path: Path) -> None:
    filled(tmp_path)
    with reading(tmp_path) as store:
        (light,) = store.records([RECORDS[0].id])
    assert "curve" not in light.outcome
    assert "clock" not in light.measured
    assert light.outcome["scores"] == RECORDS[0].outcome["scores"]


def test_a_plan_replaces_the_one_before(tmp_path: Path) -> None:
    filled(tmp_path)
    with writing(tmp_path) as store:
        store.set_plan(PLAN[1:], {"cell": "lstm"})
        assert store.plan() == PLAN[1:]
        assert store.base()["cell"] == "lstm"


def test_a_journal_without_a_row_is_taken_in(tmp_path: Path) -> None:
    with writing(tmp_path) as store:
        keep(store, RECORDS[0])
        store.begin(RECORDS[1].id, RECORDS[1].spec)
        store.journal.finish(RECORDS[1])  # and killed before the database had it
        assert store.ids() == {RECORDS[0].id}
    with writing(tmp_path) as store:
        assert store.ids() == {RECORDS[0].id, RECORDS[1].id}
    assert everything(tmp_path) == {one.id: one.plain() for one in RECORDS[:2]}


def test_a_run_begun_is_unfinished_until_its_last_line(tmp_path: Path) -> None:
    with writing(tmp_path) as store:
        store.begin(RECORDS[0].id, RECORDS[0].spec)
        store.point(RECORDS[0].id, {"step": 1}, {})
        assert store.journal.unfinished() == [RECORDS[0].id]
        store.add(RECORDS[0])
        assert store.journal.unfinished() == []


@pytest.mark.parametrize(
    "ending",
    [
        b"",
        b"\n",
        b"null\n",
        b"[]\n",
        b"\xff\xfe\n",
        b'{"event": "finished"}\n',
        b'{"event": "finished", "record": []}\n',
        b'{"event": "finished", "record": 3}\n',
        b"[" * 100_000 + b"\n",
        b'{"event": "finished", "record": {"id": "NAME", "spec": {}, "outcome": {"status": '
        b'"solved"}, "measured": {}}}\n',
    ],
)
def test_a_garbled_last_line_is_a_run_that_did_not_end(tmp_path: Path, ending: bytes) -> None:
    filled(tmp_path)
    name = RECORDS[0].id
    path = tmp_path / "journal" / f"{name}.jsonl"
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:-1]) + ending.replace(b"NAME", name.encode()))
    assert Journal.read(path) is None
    (tmp_path / "store.sqlite3").unlink()
    with writing(tmp_path) as store:
        assert store.ids() == set(EXPECTED) - {name}
        assert store.journal.unfinished() == [name]


def test_a_journal_of_another_name_is_not_taken_for_its_record(tmp_path: Path) -> None:
    filled(tmp_path)
    path = tmp_path / "journal" / f"{RECORDS[0].id}.jsonl"
    path.rename(path.with_name("0" * 16 + ".jsonl"))
    assert Journal.read(path.with_name("0" * 16 + ".jsonl")) is None


@pytest.fixture(scope="module")
def journal() -> Iterator[tuple[Path, bytes]]:
    with tempfile.TemporaryDirectory() as folder:
        filled(Path(folder))
        path = Path(folder) / "journal" / f"{RECORDS[1].id}.jsonl"
        yield path, path.read_bytes()


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_cut_anywhere_it_is_the_whole_record_or_none(
    journal: tuple[Path, bytes], data: st.DataObject
) -> None:
    path, whole = journal
    end = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:end])
    found = Journal.read(path)
    if end == len(whole):
        assert found == RECORDS[1]
    else:
        assert found is None


@settings(max_examples=200, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_a_byte_altered_anywhere_is_no_exception(
    journal: tuple[Path, bytes], place: float, byte: int
) -> None:
    path, whole = journal
    at = int(place * len(whole))
    path.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
    found = Journal.read(path)
    assert found is None or found.id == RECORDS[1].id


@pytest.mark.parametrize("damage", ["none", "gone", "noise", "short", "empty"])
def test_rebuilding_gives_the_same_records(tmp_path: Path, damage: str) -> None:
    path = filled(tmp_path) / "store.sqlite3"
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage != "none":
        noise = random.Random(0).randbytes(9000)
        path.write_bytes({"noise": noise, "short": content[:5000], "empty": b""}[damage])
    before = files(tmp_path / "journal")
    assert rebuild(tmp_path, SUITE) == len(EXPECTED)
    assert everything(tmp_path) == EXPECTED
    assert files(tmp_path / "journal") == before
    with reading(tmp_path) as store:
        assert store.base() == SUITE
        assert store.plan() == (PLAN if damage == "none" else [])
    if damage == "noise":
        assert (tmp_path / "store.old").read_bytes() == noise


def test_there_is_nothing_to_rebuild_without_journals(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no journal") as error:
        rebuild(tmp_path / "none", SUITE)
    one_sentence(error)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("opened", [reading, writing])
def test_a_newer_store_is_left_alone(tmp_path: Path, opened: type, mode: str) -> None:
    filled(tmp_path)
    connection = sqlite3.connect(tmp_path / "store.sqlite3")
    connection.execute(f"PRAGMA journal_mode={mode}")
    connection.execute("PRAGMA user_version = 99")
    connection.commit()
    connection.close()
    before = files(tmp_path)
    with pytest.raises(StoreError, match=r"version 99.*update") as error, opened(tmp_path):
        pass
    one_sentence(error)
    assert files(tmp_path) == before


@pytest.mark.parametrize("damage", ["noise", "short", "pages"])
@pytest.mark.parametrize("opened", [reading, writing])
def test_a_damaged_database_is_told_and_left(tmp_path: Path, opened: type, damage: str) -> None:
    path = filled(tmp_path) / "store.sqlite3"
    content = path.read_bytes()
    noise = random.Random(1).randbytes(len(content))
    path.write_bytes(
        {"noise": noise, "short": content[: 4096 * 2], "pages": content[:4096] + noise[4096:]}[
            damage
        ]
    )
    before = files(tmp_path)
    with (
        pytest.raises(StoreError, match=r"damaged.*bench rebuild") as error,
        opened(tmp_path) as store,
    ):
        list(store.records(details=True))
    one_sentence(error)
    assert files(tmp_path) == before


def test_altered_bytes_are_never_more_than_a_sentence(tmp_path: Path) -> None:
    path = filled(tmp_path) / "store.sqlite3"
    content = path.read_bytes()
    chance = random.Random(2)
    told = 0
    for _ in range(150):
        altered = bytearray(content)
        for _ in range(40):
            altered[chance.randrange(len(content))] = chance.randrange(256)
        path.write_bytes(altered)
        try:
            with reading(tmp_path) as store:
                list(store.records(details=True))
                store.plan()
                store.base()
        except StoreError:
            told += 1
    assert told > 10


def test_the_first_version_is_brought_up(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "store.sqlite3").close()
    (tmp_path / "store.sqlite3").touch()
    with pytest.raises(StoreError, match="damaged"), reading(tmp_path) as store:
        store.ids()
    with writing(tmp_path) as store:
        assert store.ids() == set()
        keep(store, RECORDS[0])
    connection = sqlite3.connect(tmp_path / "store.sqlite3")
    assert connection.execute("PRAGMA user_version").fetchone() == (len(schema.MIGRATIONS),)
    connection.close()


def test_each_migration_is_done_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path)
    more = "CREATE TABLE later (x TEXT);"
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, more))
    for _ in range(2):
        with writing(tmp_path) as store:
            assert store.ids() == set(EXPECTED)
    assert everything(tmp_path) == EXPECTED


def test_no_store_is_a_sentence_and_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store in") as error, reading(tmp_path / "x"):
        pass
    one_sentence(error)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("opened", [reading, writing])
@pytest.mark.parametrize("name", ["file", "file/below", "n" * 300])
def test_a_place_that_holds_no_store_is_a_sentence(tmp_path: Path, opened: type, name: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError, match="store") as error, opened(tmp_path / name):
        pass
    one_sentence(error)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.fixture
def frozen(tmp_path: Path) -> Iterator[Path]:
    """A store on a read-only mount: root writes past mere permissions."""
    inside, outside = tmp_path / "real", tmp_path / "frozen"
    filled(inside)
    outside.mkdir()
    bound = ["mount", "--bind", str(inside), str(outside)]
    if os.geteuid() or subprocess.run(bound, capture_output=True).returncode:
        pytest.skip("needs to mount")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(outside)], check=True)
        yield outside
    finally:
        subprocess.run(["umount", str(outside)], check=True)


def test_a_read_only_store_is_read_but_not_written(frozen: Path) -> None:
    assert everything(frozen) == EXPECTED
    with pytest.raises(StoreError, match=r"cannot be written.*--store") as error, writing(frozen):
        pass
    one_sentence(error)
    with pytest.raises(StoreError, match="cannot be written"):
        rebuild(frozen, SUITE)
    assert not has_driver(frozen)


def test_a_full_disk_is_told_and_costs_no_finished_run(tiny: Path) -> None:
    kept: list[Record] = []

    def fill() -> None:
        with writing(tiny) as store:
            for seed in range(1000):
                one = record(seed)
                keep(store, one)
                kept.append(one)

    with pytest.raises(DiskFullError, match="full; free some") as error:
        fill()
    one_sentence(error)
    assert kept
    subprocess.run(["mount", "-o", "remount,size=4m", str(tiny)], check=True)
    with writing(tiny) as store:
        keep(store, record(2000))
    found = everything(tiny)
    assert {one.id: one.plain() for one in kept} == {one.id: found[one.id] for one in kept}
    assert record(2000).id in found


def test_the_same_store_goes_on_once_there_is_room(tiny: Path) -> None:
    seed = 0
    with writing(tiny) as store:
        try:
            for seed in range(1000):
                store.begin(record(seed).id, record(seed).spec)
                store.add(record(seed), commit=seed % 7 == 0)
        except DiskFullError:
            subprocess.run(["mount", "-o", "remount,size=4m", str(tiny)], check=True)
        assert 0 < seed < 999
        store.begin(record(seed).id, record(seed).spec)
        store.add(record(seed))
    found = everything(tiny)
    assert len(found) == seed + 1
    for one in found:
        lines = (tiny / "journal" / f"{one}.jsonl").read_text("utf-8").splitlines()
        events = [json.loads(line)["event"] for line in lines]
        assert (events[0], events[-1]) == ("started", "finished")
    shutil.rmtree(tiny / "journal")  # all of it is in the database too
    assert everything(tiny) == found


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_no_space_for_a_journal_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    filled(tmp_path)

    def full(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with writing(tmp_path) as store:
        new = record(9)
        store.begin(new.id, new.spec)
        monkeypatch.setattr(Journal, "_write", full)
        with pytest.raises(DiskFullError) as error:
            store.add(new)
        monkeypatch.undo()
    one_sentence(error)
    assert everything(tmp_path) == EXPECTED


@pytest.mark.parametrize("room", [True, False])
def test_what_sqlite_does_not_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: bool
) -> None:
    """Of a quota that is used up it says but that it could not write."""
    filled(tmp_path)

    def fails(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    def sync(_: int) -> None:
        if not room:
            raise OSError(errno.EDQUOT, "quota")

    with writing(tmp_path) as store:
        store._pending = [record(9)]
        monkeypatch.setattr(store, "_insert", fails)
        monkeypatch.setattr(os, "fsync", sync)
        with pytest.raises(StoreError) as error:
            store.commit()
        monkeypatch.undo()
        store._pending = []
    assert isinstance(error.value, DiskFullError) is not room
    one_sentence(error)


def test_journals_are_taken_in_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be a million."""
    with writing(tmp_path) as store:
        keep(store, *(record(seed) for seed in range(20)))
    seen: list[weakref.ref[Record]] = []
    most, read = [0], Journal.read

    def counted(path: Path) -> Record | None:
        found = read(path)
        if found is not None:
            seen.append(weakref.ref(found))
        most[0] = max(most[0], sum(one() is not None for one in seen))
        return found

    monkeypatch.setattr(Journal, "read", counted)
    assert rebuild(tmp_path, SUITE) == 20
    assert most[0] <= 2


LOCKER = """
import sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from results.store import writing
with writing(Path({folder!r})):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_only_one_writes_and_any_may_read_meanwhile(tmp_path: Path) -> None:
    filled(tmp_path)
    code = LOCKER.format(root=str(ROOT), folder=str(tmp_path))
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert has_driver(tmp_path)
        with (
            pytest.raises(StoreError, match="another bench is writing") as error,
            writing(tmp_path),
        ):
            pass
        one_sentence(error)
        with pytest.raises(StoreError, match="another bench is writing"):
            rebuild(tmp_path, SUITE)
        assert everything(tmp_path) == EXPECTED
        other.kill()
    assert not has_driver(tmp_path)
    with writing(tmp_path) as store:
        assert store.ids() == set(EXPECTED)


def test_the_lock_holds_within_one_process_too(tmp_path: Path) -> None:
    with writing(tmp_path):
        with pytest.raises(StoreError, match="another bench is writing"), writing(tmp_path):
            pass
        assert has_driver(tmp_path)


def test_a_reader_sees_what_is_added_meanwhile(tmp_path: Path) -> None:
    filled(tmp_path)
    with writing(tmp_path) as store, reading(tmp_path) as reader:
        assert reader.ids() == set(EXPECTED)
        new = record(7)
        keep(store, new)
        assert reader.ids() == {*EXPECTED, new.id}
        begun = reader.records()
        next(begun)  # a reader in mid-read holds no writer up
        keep(store, record(8))
        assert len(list(begun)) == len(EXPECTED)


def test_what_is_dropped_is_gone_everywhere(tmp_path: Path) -> None:
    filled(tmp_path)
    gone = RECORDS[1].id
    with writing(tmp_path) as store:
        for one in RECORDS:
            store.weights(one.id).parent.mkdir(exist_ok=True)
            store.weights(one.id).write_bytes(b"w")
        assert drop(store, [gone]) == 1
        assert not store.weights(gone).exists()
        assert store.weights(RECORDS[0].id).exists()
        assert not store.journal.path(gone).exists()
    assert set(everything(tmp_path)) == set(EXPECTED) - {gone}
    assert rebuild(tmp_path, SUITE) == len(EXPECTED) - 1


@pytest.mark.parametrize(
    "plain",
    [
        {},
        {"id": "a", "spec": {}, "outcome": {}},
        {"id": "a", "spec": {}, "outcome": {"status": "solved"}, "measured": {}},
        {**record().plain(), "outcome": {"status": "well"}},
    ],
)
def test_a_record_lacking_a_part_is_refused(plain: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a record"):
        Record.read(plain)


def test_a_record_is_one_line_of_json(tmp_path: Path) -> None:
    filled(tmp_path)
    lines = (tmp_path / "journal" / f"{RECORDS[0].id}.jsonl").read_text("utf-8").splitlines()
    events = [json.loads(line)["event"] for line in lines]
    assert events == ["started", "point", "point", "point", "finished"]
