"""Proves that a row of a table has the times of one machine, wherever its runs were done."""

from __future__ import annotations

import pytest

from results.record import Record
from results.summary import summarise
from tests.records import SUITE, record


def on(host: str, seed: int, speed: float) -> Record:
    one = record(seed)
    measured = {**one.measured, "host": host, "tokens_per_second": speed}
    return Record(one.id, one.spec, one.outcome, measured)


@pytest.mark.parametrize(
    ("hosts", "expected"), [("aab", 2.0), ("abb", 30.0), ("ab", 1.0), ("ccc", 3.0), ("b", 10.0)]
)
def test_times_of_machines_are_not_mixed(hosts: str, expected: float) -> None:
    speeds = {"a": [1.0, 3.0, 5.0], "b": [10.0, 20.0, 40.0], "c": [1.0, 3.0, 5.0]}
    runs = [on(host, seed, speeds[host][seed]) for seed, host in enumerate(hosts)]
    (row,) = summarise(runs, SUITE)
    assert row["tokens_per_second"] == expected
    assert row["seeds"] == len(hosts)
    assert row["hosts"] == sorted(set(hosts))
