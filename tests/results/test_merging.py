"""Proves that merging loses nothing: in any order, twice, and killed at any write."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results import packing
from results.errors import StoreError
from results.journal import Journal
from results.record import Record
from results.store import drop, merge, reading, rebuild, verify, writing
from results.store.database import Store
from tests.records import SUITE, failed, record


def identity(found: Record) -> str:
    return found.id


def content(seed: int) -> bytes:
    return f"outputs of {seed}".encode()


def variety(seed: int, kind: str) -> Record:
    """Return a run of a seed: as it fails, without outputs, with them, or another outcome."""
    if kind == "failed":
        return failed(seed)
    one = record(seed, 0.75 if kind == "other" else 0.5)
    outcome = dict(one.outcome)
    if kind in ("whole", "other"):
        outcome["outputs"] = packing.digest(content(seed))
    return Record(one.id, one.spec, outcome, {**one.measured, "host": f"of {kind}"})


def fill(folder: Path, runs: dict[int, str]) -> Path:
    with writing(folder) as store:
        for seed, kind in runs.items():
            one = variety(seed, kind)
            if "outputs" in one.outcome:
                store.keep_outputs(one.id, content(seed))
                store.keep_weights(one.id, b"weights")
                store.training_state(one.id).write_bytes(b"state")
            store.add(one)
        store.set_plan([], SUITE)
    return folder


def merged(folder: Path, other: Path) -> dict[str, str]:
    with writing(folder) as store:
        return {one.run: one.what for one in merge(store, other, identity)}


def everything(folder: Path) -> dict[str, Record]:
    with reading(folder) as store:
        assert verify(store, identity).problems == []
        return {one.id: one for one in store.records(details=True)}


STORES = st.dictionaries(
    st.integers(0, 3), st.sampled_from(["failed", "old", "whole", "other"]), max_size=4
)


@settings(max_examples=25)
@given(STORES, STORES)
def test_any_two_stores_in_any_order_and_twice(
    ours: dict[int, str], theirs: dict[int, str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        a, b = fill(Path(folder) / "a", ours), fill(Path(folder) / "b", theirs)
        before = everything(a), everything(b)
        shutil.copytree(a, Path(folder) / "c")
        done = merged(a, b)
        assert set(done) == set(before[1])
        first = everything(a)
        assert everything(b) == before[1]
        assert first.keys() == before[0].keys() | before[1].keys()
        again = merged(a, b)
        assert set(again.values()) <= {"known", "different"}
        assert everything(a) == first
        merged(b, Path(folder) / "c")
        for run, one in everything(b).items():
            there = [found[run] for found in before if run in found]
            statuses = {found.status for found in there}
            for result in (one, first[run]):
                assert result.status != "failed" or statuses == {"failed"}
                assert any(
                    {**result.outcome, "outputs": 0} == {**found.outcome, "outputs": 0}
                    for found in there
                )
            if len({str(found.outcome.get("scores")) for found in there}) == 1:
                assert one.outcome == first[run].outcome  # the order matters to measurements alone
        if first:
            rebuild(a, SUITE)
        assert everything(a) == first


def test_measurements_stay_those_of_their_machine(tmp_path: Path) -> None:
    a, b = (
        fill(tmp_path / "a", {0: "old", 1: "failed"}),
        fill(tmp_path / "b", {0: "whole", 1: "old"}),
    )
    done = merged(a, b)
    assert done == {record(0).id: "completed", record(1).id: "replaced"}
    found = everything(a)
    assert found[record(0).id].measured["host"] == "of old"  # what was measured here
    assert found[record(0).id].outcome["outputs"] == packing.digest(content(0))
    assert found[record(1).id].measured["host"] == "of old"


# killed


def steps(monkeypatch: pytest.MonkeyPatch, end: Callable[[], None]) -> None:
    """Call `end` after everything that a merge writes, and in the middle of a line."""

    def around(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def stepped(*given: Any, **named: Any) -> Any:
            found = real(*given, **named)
            end()
            return found

        monkeypatch.setattr(owner, name, stepped)

    for owner, name in ((os, "fsync"), (Path, "replace"), (shutil, "copyfile")):
        around(owner, name)
    around(Store, "_insert")
    real = Journal._write

    def halved(self: Journal, run: str, line: Any) -> None:
        file = self._open[run]
        file.write(b'{"event": "fin')
        end()
        file.seek(-14, os.SEEK_CUR)
        file.truncate()
        real(self, run, line)
        end()

    monkeypatch.setattr(Journal, "_write", halved)


def killed_at(place: int, a: Path, b: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Merge in a process that ends at its step of that number; return whether it got there."""
    child = os.fork()
    if child == 0:
        count = [0]

        def end() -> None:
            count[0] += 1
            if count[0] == place:
                os._exit(9)

        try:
            with writing(a) as store:
                steps(monkeypatch, end)
                merge(store, b, identity)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.filterwarnings("ignore:.*fork.*")
def test_a_kill_at_any_write_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {0: "whole", 1: "failed", 2: "old"}, {1: "whole", 2: "whole", 3: "whole"}
    a, b = (fill(tmp_path / name, runs) for name, runs in zip("ab", kinds, strict=True))
    before = everything(a)
    shutil.copytree(a, tmp_path / "whole")
    merged(tmp_path / "whole", b)
    expected = everything(tmp_path / "whole")
    weights = sorted(path.name for path in (tmp_path / "whole" / "weights").iterdir())
    place = 0
    for place in range(1, 200):
        trial = tmp_path / "trial"
        shutil.rmtree(trial, ignore_errors=True)
        shutil.copytree(a, trial)
        if not killed_at(place, trial, b, monkeypatch):
            break
        with writing(trial) as store:
            assert verify(store, identity).problems == []
            kept = {one.id: one for one in store.records(details=True)}
        for run, one in before.items():  # nothing that was here is worse than it was
            assert kept[run] in (one, expected[run])
        merged(trial, b)
        with writing(trial) as store:
            store.tidy()
        assert everything(trial) == expected
        assert sorted(path.name for path in (trial / "weights").iterdir()) == weights
        left = [path.relative_to(trial) for path in trial.rglob("*.part")]
        assert left == []
    assert 20 < place < 199


# nonsense


def test_nonsense_is_refused_in_one_sentence(tmp_path: Path) -> None:
    a = fill(tmp_path / "a", {0: "whole"})
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "same").symlink_to(a)
    newer = fill(tmp_path / "newer", {1: "whole"})
    with closing(sqlite3.connect(newer / "store.sqlite3")) as connection:
        connection.execute("PRAGMA user_version = 99")
    noise = fill(tmp_path / "noise", {1: "whole"})
    (noise / "store.sqlite3").write_bytes(b"noise" * 2000)
    before = everything(a)
    for name, said in {
        "nowhere": "holds no store",
        "empty": "holds no store",
        "file": "holds no store",
        "same": "is this store itself",
        "newer": "version 99",
        "noise": "is damaged",
    }.items():
        with pytest.raises(StoreError, match=said) as error:
            merged(a, tmp_path / name)
        assert "\n" not in str(error.value)
        assert everything(a) == before
    assert list((tmp_path / "empty").iterdir()) == []


def test_damaged_runs_are_left_out_and_named(tmp_path: Path) -> None:
    a, b = fill(tmp_path / "a", {}), fill(tmp_path / "b", {0: "whole", 1: "whole", 2: "whole"})
    with closing(sqlite3.connect(b / "store.sqlite3")) as connection:
        for seed in (0, 1):
            connection.execute("UPDATE runs SET measured = 'no' WHERE id = ?", (record(seed).id,))
        connection.commit()
    (b / "journal" / f"{record(0).id}.jsonl").unlink()
    assert merged(a, b) == {
        record(0).id: "left out",
        record(1).id: "taken",  # from its journal
        record(2).id: "taken",
    }
    assert set(everything(a)) == {record(1).id, record(2).id}
    with writing(a) as store:
        odd = merge(store, b, lambda found: "f" * 16)
    assert {one.what for one in odd} == {"left out"}
    assert any("its settings are those of run ffff" in one.why for one in odd)


def test_a_store_that_is_new_takes_the_names_of_variants_too(tmp_path: Path) -> None:
    b = fill(tmp_path / "b", {0: "whole"})
    with writing(b) as store:
        store.journal.finish(variety(1, "old"))  # killed before the database had it
    merged(tmp_path / "new", b)
    with reading(tmp_path / "new") as store:
        assert store.base() == SUITE
        assert store.ids() == {record(0).id, record(1).id}
        assert store.weights(record(0).id).read_bytes() == b"weights"
        assert store.training_state(record(0).id).read_bytes() == b"state"


def test_what_was_dropped_there_is_not_taken(tmp_path: Path) -> None:
    a, b = fill(tmp_path / "a", {}), fill(tmp_path / "b", {0: "whole", 1: "whole"})
    with writing(b) as store:
        drop(store, [record(0).id])
    assert merged(a, b) == {record(1).id: "taken"}
