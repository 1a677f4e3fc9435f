"""Proves how runs of a store are found, selected and removed."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.api.store import (
    chosen,
    drop,
    find_run,
    purge,
    runs_of,
    status,
    undrop,
    verify,
    with_trends,
)
from bench.training.process import freeze_imports
from results.errors import StoreError
from results.stats.flattening import trend_of
from results.store import Planned, reading, writing
from tests.records import SUITE, failed, record, with_curve


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
        with pytest.raises(StoreError, match="empty name"):
            find_run(store, "")
        with pytest.raises(StoreError, match="no run zz"):
            find_run(store, "zz")


def test_runs_are_selected_by_task(filled: Path) -> None:
    with reading(filled) as store:
        assert len(runs_of(store)) == len(runs_of(store, ["opposites"])) == 3
        with pytest.raises(StoreError, match="did you mean opposites"):
            runs_of(store, ["opposits"])


def test_runs_are_selected_by_seed(filled: Path) -> None:
    with reading(filled) as store:
        assert [run.seed for run in runs_of(store, seeds=range(1, 2))] == [1]
        with pytest.raises(StoreError, match=r"no finished run here has seeds 5:9.* from 0 to 2"):
            runs_of(store, ["opposites"], seeds=range(5, 9))


def test_an_empty_store_has_no_runs(tmp_path: Path) -> None:
    with writing(tmp_path) as store, pytest.raises(StoreError, match="no finished run"):
        runs_of(store)


def test_the_status_of_a_plan(filled: Path) -> None:
    with reading(filled) as store:
        found = status(store)
    states = [row["state"] for row in found.rows]
    assert states == [record(0).status, "waiting", "not applicable"]
    assert (found.planned, found.others, found.active, found.engine) == (2, 2, False, {})


def test_runs_are_chosen_by_status_task_and_id(filled: Path) -> None:
    def ids(**how: Any) -> set[str]:
        return {entry.id for entry in chosen(store, **how)}

    with reading(filled) as store:
        with pytest.raises(ValueError, match="nothing was chosen"):
            ids()
        with pytest.raises(ValueError, match="status 'done'"):
            ids(statuses=["done"])
        for empty in ("", " "):
            with pytest.raises(StoreError, match="empty name"):
                ids(runs=[empty])
        assert ids(tasks=["opposites"], statuses=["failed"]) == {failed(2).id}
        assert ids(runs=[record(0).id[:12]]) == {record(0).id}
        assert len(ids(every=True)) == 3


def test_what_is_dropped_comes_back_by_its_name(filled: Path) -> None:
    everything = [record(0).id, record(1).id, failed(2).id]
    assert drop(filled, everything) == 3
    with pytest.raises(StoreError, match="no run zz among the 3 dropped"):
        undrop(filled, ["zz"])
    assert undrop(filled, [record(0).id[:12]]) == 1
    with reading(filled) as store:
        assert store.ids() == {record(0).id}
    assert undrop(filled) == 2
    drop(filled, everything[:1])
    assert purge(filled) == 1
    assert undrop(filled) == 0
    with reading(filled) as store:
        assert store.ids() == set(everything[1:])
    for act in (undrop, purge, verify):
        with pytest.raises(StoreError, match="there is no store"):
            act(filled / "nowhere")
    assert not (filled / "nowhere").exists()


def test_a_spec_of_another_run_is_noticed(filled: Path) -> None:
    assert verify(filled).problems == []
    with writing(filled) as store:
        odd = replace(record(5), id="f" * 16)
        store.add(odd)
    (problem,) = verify(filled).problems
    assert (problem.run, problem.what) == (odd.id, f"its settings are those of run {record(5).id}")


def test_runs_are_read_with_whether_they_had_flattened(filled: Path) -> None:
    """From their curves, which are not kept; a run that failed has none."""
    with writing(filled) as store:
        store.add(with_curve(record(8), [0.5] * 12))
        found = {one.seed: one for one in with_trends(store, list(store.records()))}
        whole = {one.seed: trend_of(one) for one in store.records(details=True)}
    assert found[8].trend == "flattened"
    assert not any("curve" in one.outcome for one in found.values())
    assert {seed: trend_of(one) for seed, one in found.items()} == whole


def test_reading_leaves_frozen_what_was(filled: Path) -> None:
    """Otherwise each later run of this process would search all that was imported."""
    gc.freeze()
    before = gc.get_freeze_count()
    with reading(filled) as store:
        assert len(runs_of(store)) == 3
    assert gc.get_freeze_count() >= 0.9 * before > 0
    assert gc.isenabled()


def test_what_is_frozen_is_counted_once(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To count it takes a tenth of a second where torch is loaded, longer than to read the runs."""
    with reading(filled) as store:
        runs_of(store)
        monkeypatch.setattr(gc, "get_freeze_count", lambda: pytest.fail("counted again"))
        assert len(runs_of(store)) == 3
    freeze_imports()
    freeze_imports()
