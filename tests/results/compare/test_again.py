"""Proves that words of some seeds stand beside those of others, and how they are counted."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from results.compare import axis_effects
from results.compare.again import beside_again, came_again
from results.compare.judging import ComparisonRow
from results.compare.pairs import ComparisonError
from results.record import Record
from results.show.comparisons import show_effects, show_every_axis
from tests.records import SUITE, record

OTHERS = range(100, 108)


def side(first: float, second: float, **changes: Any) -> list[Record]:
    """Eight runs near one score, and eight of the other seeds near another."""
    seeds = [*((seed, first) for seed in range(8)), *((seed, second) for seed in OTHERS)]
    return [record(seed, score + 0.001 * (seed % 3), **changes) for seed, score in seeds]


RUNS = [
    *side(0.5, 0.5),
    *side(0.9, 0.8, cell="lstm"),  # better, and again
    *side(0.2, 0.9, cell="rnn"),  # worse, then better
    *side(0.5, 0.9, attention="dot"),  # no difference, then better
    *(run for run in side(0.7, 0.7, attention="general") if run.seed < 100),  # never asked again
]


def page(records: list[Record]) -> list[ComparisonRow]:
    return axis_effects.every_axis(records, SUITE)


def twice() -> dict[str, ComparisonRow]:
    return {row["a"]: row for row in beside_again(RUNS, OTHERS, page)}


def test_each_row_is_that_of_its_seeds_alone() -> None:
    rows = twice()
    assert {name: (row["verdict"], row["again_verdict"]) for name, row in rows.items()} == {
        "cell=lstm": ("better", "better"),
        "cell=rnn": ("worse", "better"),
        "attention=dot": ("alike", "better"),
        "attention=general": ("better", None),
    }
    alone = {row["a"]: row for row in page([run for run in RUNS if run.seed < 100])}
    for name, row in rows.items():
        assert {key: row[key] for key in alone[name]} == alone[name]  # type: ignore[literal-required]
    assert rows["cell=lstm"]["effect"] == pytest.approx(0.4)
    assert rows["cell=lstm"]["again_effect"] == pytest.approx(0.3)
    # of three words one was not asked again, and what is no word does not count
    assert came_again(list(rows.values())) == (2, 1, 1)


def test_what_is_printed() -> None:
    console = Console(width=100, highlight=False, file=io.StringIO(), record=True)
    show_every_axis(list(twice().values()), console)
    overview = console.export_text()
    for value, cell in (
        ("cell=lstm", "+0.400 ++"),
        ("cell=rnn", "-0.300 -+"),
        ("attention=dot", "+0.000 ~"),
        ("attention=general", "+0.200 +"),
    ):
        (line,) = (line for line in overview.splitlines() if line.startswith(value))
        assert line.split(maxsplit=1)[1].strip() == cell
    told = " ".join(overview.split())
    assert "of 2 words better or worse 1 came again, 1 the other way round" in told
    rows = beside_again(RUNS, OTHERS, lambda runs: axis_effects.axis_effects(runs, SUITE, "cell"))
    show_effects(rows, [], console)
    table = console.export_text()
    assert "+0.300, better" in table
    assert "+0.400, better" in table


@pytest.mark.parametrize("again", [range(0, 200), range(200, 210)])
def test_without_runs_of_both_nothing_is_compared_twice(again: range) -> None:
    with pytest.raises(ComparisonError, match="run has one of the seeds"):
        beside_again(RUNS, again, page)
