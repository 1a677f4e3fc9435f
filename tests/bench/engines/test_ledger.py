"""Proves by made-up events, without processes, that the books of engines are kept right: every run
ends exactly once whatever dies, and the counts that records hold are true."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.engines.contract import EngineError, Event, Job, Limits
from bench.engines.ledger import NODE_TRIES, STARTS_WITHIN, TRIES, Death, Ledger

CRASH = Death("signal 9", " by signal 9", startup_error="free some memory")
NODE_CRASH = Death("its node died", ": its node died", of_node=True)


def job(*runs: str) -> Job:
    specs = tuple({"task": "opposites", "run": run} for run in runs)
    return Job(specs, runs, (None,) * len(runs))


def finish(ledger: Ledger[str], process: str, run: str) -> Event:
    record = {"id": run, "outcome": {"status": "finished"}, "measured": {"seconds": 1.0}}
    return ledger.finished(process, Event("finished", run, record))


def begun(ledger: Ledger[str], process: str, given: Job, node: str = "", now: float = 0.0) -> None:
    ledger.assign(process, given)
    for run in given.ids:
        ledger.started(process, run, now, node)


def errors(events: list[Event]) -> dict[str, str]:
    return {e.id: e.value["outcome"]["error"] for e in events if e.kind == "finished"}


def lost(events: list[Event]) -> dict[str, str]:
    return {e.id: e.value["reason"] for e in events if e.kind == "lost"}


def test_what_came_back_is_taken_first() -> None:
    ledger: Ledger[str] = Ledger(Limits())
    ledger.begin([job("a"), job("b")])
    first = ledger.take()
    assert first == job("a")
    ledger.put_back(first)
    assert [ledger.take(), ledger.take(), ledger.take()] == [job("a"), job("b"), None]


def test_a_run_knows_the_most_that_trained_next_to_it_on_its_node() -> None:
    ledger: Ledger[str] = Ledger(Limits())
    begun(ledger, "one", job("a"), "here")
    begun(ledger, "two", job("b", "c"), "here")
    begun(ledger, "far", job("d"), "there")
    assert finish(ledger, "two", "b").value["measured"] == {"seconds": 1.0, "beside": 1}
    begun(ledger, "three", job("e"), "here")
    company = {
        run: finish(ledger, process, run).value["measured"]["beside"]
        for process, run in [("one", "a"), ("two", "c"), ("far", "d"), ("three", "e")]
    }
    # runs that are trained together share a process and disturb no one
    assert company == {"a": 2, "c": 2, "d": 0, "e": 2}


def test_a_run_that_dies_too_often_fails_and_the_others_of_its_group_start_again() -> None:
    ledger: Ledger[str] = Ledger(Limits())
    group: Job | None = job("a", "b")
    for death in range(1, TRIES):
        assert group is not None
        begun(ledger, "p", group)
        assert lost(ledger.died("p", CRASH)) == {"a": "signal 9", "b": "signal 9"}
        assert ledger.retried == death
        group = ledger.take()
        assert group == job("a", "b")
    begun(ledger, "p", job("a", "b"))
    events = ledger.died("p", CRASH)
    assert errors(events) == {"a": f"its process died {TRIES} times, the last time by signal 9"}
    assert lost(events) == {"b": "signal 9"}
    assert ledger.take() == job("b")
    assert ledger.retried == TRIES - 1


def test_deaths_of_nodes_count_for_less() -> None:
    ledger: Ledger[str] = Ledger(Limits())
    for _ in range(NODE_TRIES - 1):
        begun(ledger, "p", job("a"))
        assert lost(ledger.died("p", NODE_CRASH)) == {"a": "its node died"}
        assert ledger.take() == job("a")
    begun(ledger, "p", job("a"))
    reason = f"its node died {NODE_TRIES} times, the last time: its node died"
    assert errors(ledger.died("p", NODE_CRASH)) == {"a": reason}


def test_processes_that_never_get_to_a_run_stop_the_engine() -> None:
    ledger: Ledger[str] = Ledger(Limits())
    for run in ("a", "b"):  # whichever run it was to be
        ledger.assign("p", job(run))
        assert ledger.died("p", CRASH) == []
        assert ledger.take() == job(run)
    begun(ledger, "p", job("c"))  # one that gets there sets the count back
    finish(ledger, "p", "c")
    for run in ("a", "b"):
        ledger.assign("p", job(run))
        assert ledger.died("p", CRASH) == []
    ledger.assign("p", job("a"))
    with pytest.raises(EngineError, match="free some memory"):
        ledger.died("p", CRASH)


def test_where_only_the_run_is_to_blame_it_fails_before_it_started() -> None:
    ledger: Ledger[str] = Ledger(Limits())
    death = Death("its process died", ": its process died")
    for _ in range(TRIES - 1):
        ledger.assign("p", job("a"))
        assert ledger.died("p", death) == []
    ledger.assign("p", job("a"))
    assert "a" in errors(ledger.died("p", death))


def test_time_begins_with_the_first_run_and_is_shared_by_a_group() -> None:
    ledger: Ledger[str] = Ledger(Limits(seconds=10))
    ledger.assign("waits", job("w"))
    ledger.assign("group", job("a", "b"))
    ledger.started("group", "a", 100.0)
    ledger.started("group", "b", 105.0)
    begun(ledger, "single", job("c"), now=105.0)
    assert ledger.overdue(114.9) == []
    assert ledger.overdue(115.1) == ["single"]
    assert ledger.overdue(120.1) == ["group", "single"]
    ledger.exceeded("single", "too late")
    ledger.exceeded("single", "too large")
    assert ledger.overdue(120.1) == ["group"]
    assert errors(ledger.died("single", CRASH)) == {"c": "too late"}
    finish(ledger, "group", "a")
    finish(ledger, "group", "b")
    assert ledger.overdue(1e9) == []
    assert ledger.died("group", CRASH) == []
    assert Ledger[str](Limits()).overdue(1e9) == []


def test_a_process_that_never_starts_a_run_is_late_too() -> None:
    ledger: Ledger[str] = Ledger(Limits(seconds=10))
    ledger.assign("stopped", job("a"), 100.0)
    assert ledger.overdue(100.0 + STARTS_WITHIN) == []
    assert ledger.overdue(100.1 + STARTS_WITHIN) == ["stopped"]
    ledger.started("stopped", "a", 200.0)
    assert ledger.overdue(209.9) == []
    assert ledger.overdue(210.1) == ["stopped"]


def test_all_runs_of_a_process_over_a_limit_fail() -> None:
    ledger: Ledger[str] = Ledger(Limits())
    begun(ledger, "p", job("a", "b", "c"))
    finish(ledger, "p", "a")
    ledger.exceeded("p", "too large")
    assert errors(ledger.died("p", CRASH)) == {"b": "too large", "c": "too large"}
    assert (ledger.take(), ledger.retried) == (None, 0)


def test_a_job_that_a_node_cannot_do_comes_back() -> None:
    ledger: Ledger[str] = Ledger(Limits())
    begun(ledger, "p", job("a"))
    assert lost(ledger.unable("p", "its disk is full")) == {"a": "its disk is full"}
    assert (ledger.take(), ledger.running, ledger.retried) == (job("a"), 0, 1)
    assert ledger.died("p", CRASH) == []
    assert "p" not in ledger


@given(data=st.data(), sizes=st.lists(st.integers(1, 3), min_size=1, max_size=6))
def test_every_run_ends_once_whatever_happens(data: Any, sizes: list[int]) -> None:
    """Up to three processes take jobs, and start, finish, die or exceed limits as chance has it."""
    groups = [job(*(f"{n}.{place}" for place in range(size))) for n, size in enumerate(sizes)]
    ledger: Ledger[int] = Ledger(Limits())
    ledger.begin(groups)
    ended: Counter[str] = Counter()
    alive: set[str] = set()
    deaths: Counter[str] = Counter()
    processes = 0

    def note(events: list[Event]) -> None:
        for event in events:
            alive.discard(event.id)
            ended[event.id] += event.kind == "finished"

    while True:
        while len(ledger) < 3 and (taken := ledger.take()):
            processes += 1
            ledger.assign(processes, taken)
        if not len(ledger):
            break
        process = data.draw(st.sampled_from(list(ledger)))
        assignment = ledger[process]
        first = assignment.job.ids[0]
        waits = [run for run in assignment.job.ids if run not in assignment.running]
        act = data.draw(st.sampled_from(["go", "go", "die", "node", "limit"]))
        if act == "go" and waits:
            ledger.started(process, waits[0], 0.0)
            alive.add(waits[0])
        elif act == "go":
            record = {"id": first, "measured": {}}
            note([ledger.finished(process, Event("finished", first, record))])
            if not assignment.job.specs:
                ledger.release(process)
        elif act == "limit":
            ledger.exceeded(process, "too large")
        else:
            death = Death("died", ": died", of_node=act == "node")
            deaths[first] += not death.of_node
            note(ledger.died(process, death))
        assert ledger.running == len(alive)
    assert ended == Counter(run for group in groups for run in group.ids)
    assert max(deaths.values(), default=0) <= TRIES
