"""Proves what is said of variants over several tasks."""

from __future__ import annotations

import pytest

from results.compare.over_tasks import over_tasks, profile
from tests.records import SUITE, failed, record


def runs() -> list[object]:
    return [
        one
        for seed in range(4)
        for one in (
            record(seed, 0.5, task="reversal"),
            record(seed, 0.9, task="reversal", cell="lstm"),
            record(seed, 50.0, task="en-zh", metric="bleu"),
            record(seed, 30.0, task="en-zh", metric="bleu", cell="lstm"),
            record(seed, 0.1, task="reversal", cell="rnn"),
        )
    ]


def test_tables_weigh_alike_and_only_what_all_have_is_there() -> None:
    rows = over_tasks(runs(), SUITE)  # type: ignore[arg-type]
    assert [row["variant"] for row in rows] == ["cell=lstm", "base"]
    lstm, base = rows
    assert (lstm["tables"], lstm["runs"]) == (2, 8)
    # the middle half of 0.9 four times and 0.3 four times
    assert lstm["interquartile_mean"] == pytest.approx(0.6)
    assert base["interquartile_mean"] == pytest.approx(0.5)
    assert [lstm["low"], lstm["high"]] == pytest.approx([0.6, 0.6])
    # ahead in every pair of one task, behind in every pair of the other
    assert (lstm["beats_base"], base["beats_base"]) == (0.5, 0.5)


def test_a_run_without_a_score_counts() -> None:
    lost = [failed(seed, task="reversal", cell="lstm") for seed in range(4, 8)]
    rows = over_tasks([*runs(), *lost], SUITE)  # type: ignore[list-item]
    (lstm,) = [row for row in rows if row["variant"] == "cell=lstm"]
    assert lstm["runs"] == 12
    assert lstm["interquartile_mean"] < 0.6


def test_a_further_budget_of_a_task_takes_nothing_away() -> None:
    further = [record(seed, 0.7, task="reversal", steps=50) for seed in range(9)]
    assert over_tasks([*runs(), *further], SUITE) == over_tasks(runs(), SUITE)  # type: ignore[list-item, arg-type]


def test_one_table_is_not_several() -> None:
    assert over_tasks([record(0), record(0, cell="lstm")], SUITE) == []


def test_profiles_fall_from_all_to_none() -> None:
    rows = over_tasks(runs(), SUITE)  # type: ignore[arg-type]
    (best, base) = profile(rows, 1)
    assert (best["variant"], base["variant"]) == ("cell=lstm", "base")
    for line in (best, base):
        assert line["shares"][0] == 1.0
        assert line["shares"][-1] == 0.0
        assert line["shares"] == sorted(line["shares"], reverse=True)
    assert best["shares"][best["levels"].index(0.5)] == 0.5
