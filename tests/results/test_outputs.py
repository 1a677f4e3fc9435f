"""Proves that kept outputs come back as they were, through whatever happens to a store."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results import packing
from results.outputs import SplitOutputs, decode, encode
from results.record import Record
from results.store import drop, purge, reading, rebuild, undrop, verify, writing
from tests.records import SUITE, record

IDS = st.lists(st.integers(0, 70_000), max_size=6)


@st.composite
def kept(draw: st.DrawFn) -> SplitOutputs:
    """Any outputs of a split, of one stream or several, with any counts."""
    count, streams = draw(st.integers(0, 5)), draw(st.integers(1, 3))
    rows = [[np.array(draw(IDS), dtype=np.int32) for _ in range(count)] for _ in range(streams)]
    statistics = {}
    for name in draw(st.lists(st.sampled_from(["bleu", "chrf", "exact_match"]), unique=True)):
        columns, most = draw(st.integers(1, 4)), draw(st.sampled_from([1, 255, 256, 2**40]))
        drawn = st.lists(st.integers(0, most), min_size=columns, max_size=columns)
        counts = [draw(drawn) for _ in range(count)]
        statistics[name] = np.array(counts, dtype=np.int64).reshape(count, columns)
    ended = np.array([draw(st.booleans()) for _ in range(count)], dtype=bool)
    return SplitOutputs(rows, ended, statistics)


def plain(found: Any) -> Any:
    return {
        name: (
            [[row.tolist() for row in rows] for rows in split.streams],
            split.ended.tolist(),
            {key: (counts.shape, counts.tolist()) for key, counts in split.statistics.items()},
        )
        for name, split in found.items()
    }


@given(st.dictionaries(st.sampled_from(["test", "unseen", "长"]), kept(), max_size=2))
def test_outputs_come_back_as_they_were(given_outputs: dict[str, SplitOutputs]) -> None:
    content = encode(given_outputs)
    assert plain(decode(packing.unpack(packing.pack(content)))) == plain(given_outputs)
    assert encode(decode(content)) == content


def example(last: int = 3) -> bytes:
    rows = [np.array([1, 300, last], dtype=np.int32), np.zeros(0, dtype=np.int32)]
    counts = {"exact_match": np.array([[1, 1], [0, 1]])}
    return encode({"test": SplitOutputs([rows], np.array([True, False]), counts)})


@given(st.binary(max_size=40), st.integers(0, 400), st.booleans())
def test_damage_is_a_value_error(noise: bytes, place: int, packed: bool) -> None:
    whole = packing.pack(example()) if packed else example()
    altered = whole[:place] + noise + whole[place + len(noise) :]
    if altered == whole:
        return
    if packed:
        with pytest.raises(ValueError, match="packed content"):
            packing.unpack(altered)
        return
    try:  # without xz's check some bytes are other numbers, but never another error
        decode(altered)
    except ValueError:
        return
    assert packing.digest(altered) != packing.digest(whole)


def test_what_is_no_count_is_refused() -> None:
    rows = [np.zeros(1, dtype=np.int32)]
    for counts in (np.array([[0.5]]), np.array([[-1]]), np.array([1]), np.array([[1], [2]])):
        odd = SplitOutputs([rows], np.ones(1, dtype=bool), {"mine": counts})
        with pytest.raises(ValueError, match="give"):
            encode({"test": odd})
    newer = example().replace(b'"format": 1', b'"format": 9')
    with pytest.raises(ValueError, match="the form 9; update"):
        decode(newer)


# in a store


def with_outputs(seed: int, content: bytes) -> Record:
    one = record(seed)
    outcome = {**one.outcome, "outputs": packing.digest(content)}
    return Record(one.id, one.spec, outcome, one.measured)


FIRST, OLD = with_outputs(0, example()), record(1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with a run that has outputs, and one that an older version kept."""
    place = tmp_path / "store"
    with writing(place) as store:
        store.begin(FIRST.id, FIRST.spec)
        store.keep_outputs(FIRST.id, example())
        store.add(FIRST)
        store.add(OLD)
        store.set_plan([], SUITE)
    return place


def problems(folder: Path) -> list[str]:
    with reading(folder) as store:
        return [f"{p.run}: {p.what}" for p in verify(store, lambda found: found.id).problems]


def content_of(folder: Path, run: Record) -> bytes:
    with reading(folder) as store:
        (found,) = store.records([run.id])
        return store.outputs.read(found)


def test_outputs_lie_beside_the_journal_and_not_in_rows(folder: Path) -> None:
    assert content_of(folder, FIRST) == example()
    assert [path.name for path in (folder / "outputs").iterdir()] == [
        f"{FIRST.id}-{packing.digest(example())}.xz"
    ]
    assert problems(folder) == []
    with pytest.raises(FileNotFoundError, match="has no outputs"):
        content_of(folder, OLD)


def test_rebuilding_and_copying_keep_outputs(folder: Path, tmp_path: Path) -> None:
    (folder / "store.sqlite3").unlink()
    rebuild(folder, SUITE)
    shutil.copytree(folder, tmp_path / "copy")
    for place in (folder, tmp_path / "copy"):
        assert content_of(place, FIRST) == example()
        assert problems(place) == []


def test_what_is_dropped_comes_back_with_its_outputs(folder: Path) -> None:
    with writing(folder) as store:
        drop(store, [FIRST.id, OLD.id])
        assert list(store.outputs.folder.iterdir()) == []
        store.tidy()
        undrop(store, [FIRST.id, OLD.id])
    assert content_of(folder, FIRST) == example()
    assert problems(folder) == []
    with writing(folder) as store:
        drop(store, [FIRST.id])
        purge(store)
    assert not list(folder.glob("*/*.xz"))


@pytest.mark.parametrize("way", ["dropped", "brought back"])
def test_a_kill_while_a_run_is_moved_loses_no_outputs(folder: Path, way: str) -> None:
    with writing(folder) as store:
        drop(store, [FIRST.id])
        name = next((folder / "dropped").glob("*.xz")).name
        (folder / "dropped" / name).rename(folder / "outputs" / name)
        if way == "dropped":  # its row is gone, and its journal still here
            journal = store.journal.path(FIRST.id)
            (folder / "dropped" / journal.name).rename(journal)
    with writing(folder) as store:
        store.tidy()
        undrop(store, [FIRST.id])
    assert content_of(folder, FIRST) == example()
    assert problems(folder) == []


@pytest.mark.parametrize("damage", ["gone", "noise", "other"])
def test_outputs_that_are_not_as_written_are_noticed(folder: Path, damage: str) -> None:
    (path,) = (folder / "outputs").iterdir()
    path.unlink()
    if damage != "gone":
        path.write_bytes(b"noise" if damage == "noise" else packing.pack(example(7)))
    said = "gone" if damage == "gone" else "damaged"
    assert problems(folder) == [f"{FIRST.id}: its outputs are {said}"]


def test_a_kill_at_any_write_leaves_each_outcome_its_outputs(folder: Path) -> None:
    """A run is done again with other outputs, and its driver is killed after each write."""
    again = with_outputs(0, example(9))
    with writing(folder) as store:
        store.begin(again.id, again.spec)
        store.keep_outputs(again.id, example(9))
    assert content_of(folder, FIRST) == example()
    assert problems(folder) == []
    with writing(folder) as store:
        store.begin(again.id, again.spec)
        store.journal.finish(again)
    assert content_of(folder, FIRST) == example()  # the database has the outcome before
    with writing(folder) as store:
        store.ask_again([again.id])
    with writing(folder) as store:
        store.tidy()
    assert content_of(folder, again) == example(9)
    assert problems(folder) == []
    assert len(list((folder / "outputs").iterdir())) == 1


def test_what_nobody_names_is_tidied_and_a_damaged_row_loses_nothing(folder: Path) -> None:
    with writing(folder) as store:
        store.keep_outputs("f" * 16, example())  # killed before its record
        store.connection.execute("UPDATE runs SET outcome = 'no JSON' WHERE id = ?", (FIRST.id,))
        store.connection.commit()
        store.tidy()
        left = [path.name[:16] for path in store.outputs.folder.iterdir()]
    assert left == [FIRST.id]
    rebuild(folder, SUITE)
    assert content_of(folder, FIRST) == example()


def test_a_digest_from_outside_leads_nowhere(folder: Path) -> None:
    odd = Record(OLD.id, OLD.spec, {**OLD.outcome, "outputs": "../../lock"}, OLD.measured)
    with reading(folder) as store:
        path = store.outputs.path(odd)
        assert path is not None
        assert path.parent == store.outputs.folder
        assert store.outputs.problem(odd) == "its outputs are gone"
