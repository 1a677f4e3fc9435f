"""Proves how runs of a store are found, selected and removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.api.store import drop, find_run, runs_of, status
from results.errors import StoreError
from results.store import Planned, reading, writing
from tests.records import SUITE, failed, record


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A store with two runs that finished and one that failed."""
    with writing(tmp_path) as store:
        for entry in (record(0), record(1), failed(2)):
            store.begin(entry.id, entry.spec)
            store.add(entry)
        waiting = Planned("f" * 16, "opposites", "base", 9)
        inapplicable = Planned(None, "opposites", "x", None, "why not")
        done = Planned(record(0).id, "opposites", "base", 0)
        store.set_plan([done, waiting, inapplicable], SUITE)
    return tmp_path


def test_a_prefix_names_one_run(filled: Path) -> None:
    run = record(0).id
    with reading(filled) as store:
        assert find_run(store, run[:12]) == run
        with pytest.raises(StoreError, match="begins 3 runs"):
            find_run(store, "")
        with pytest.raises(StoreError, match="no run zz"):
            find_run(store, "zz")


def test_runs_are_selected_by_task(filled: Path) -> None:
    with reading(filled) as store:
        assert len(runs_of(store)) == len(runs_of(store, ["opposites"])) == 3
        with pytest.raises(StoreError, match="did you mean opposites"):
            runs_of(store, ["opposits"])


def test_an_empty_store_has_no_runs(tmp_path: Path) -> None:
    with writing(tmp_path) as store, pytest.raises(StoreError, match="no finished run"):
        runs_of(store)


def test_the_status_of_a_plan(filled: Path) -> None:
    with reading(filled) as store:
        found = status(store)
    states = [row["state"] for row in found.rows]
    assert states == [record(0).status, "waiting", "not applicable"]
    assert (found.planned, found.others, found.active, found.engine) == (2, 2, False, {})


def test_runs_are_dropped_by_status_and_task(filled: Path) -> None:
    with pytest.raises(ValueError, match="nothing was chosen"):
        drop(filled)
    with pytest.raises(ValueError, match="status 'done'"):
        drop(filled, statuses=["done"])
    assert drop(filled, tasks=["opposites"], statuses=["failed"]) == 1
    assert drop(filled, runs=[record(0).id[:12]]) == 1
    assert drop(filled, every=True) == 1
    with pytest.raises(StoreError, match="there is no store"):
        drop(filled / "nowhere", every=True)
    assert not (filled / "nowhere").exists()
