"""Proves that curves over seeds are means of what was measured, and say where a run broke off."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from results.curves import CurveRow, average_curves
from results.record import Record
from results.show.curves import show_curves
from results.show.run import show_run
from tests.records import SUITE, failed, record, with_curve

ROW_KEYS = {"task", "setting", "variant", "metric", "seeds", "points"}
POINT_KEYS = {"step", "mean", "least", "most"}


def run(seed: int, values: dict[int, float | None], **changes: Any) -> Record:
    whole = record(seed, **changes)
    curve = [{"step": step, "loss": value} for step, value in values.items()]
    return Record(whole.id, whole.spec, {**whole.outcome, "curve": curve}, whole.measured)


def points(*runs: Record) -> dict[float, tuple[float | None, float | None, float | None]]:
    (row,) = average_curves(runs, SUITE, "loss")
    return {
        point["step"]: (point["mean"], point["least"], point["most"]) for point in row["points"]
    }


def drawn(rows: list[CurveRow], width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    show_curves(rows, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_rows_and_points_have_these_keys() -> None:
    (row,) = average_curves([record()], SUITE, "loss")
    assert set(row) == ROW_KEYS
    assert all(set(point) == POINT_KEYS for point in row["points"])


def test_seeds_are_averaged_step_by_step() -> None:
    found = points(run(0, {10: 4.0, 20: 2.0}), run(1, {10: 2.0, 20: 1.0}))
    assert found == {10: (3.0, 2.0, 4.0), 20: (1.5, 1.0, 2.0)}


def test_a_run_that_stopped_early_keeps_its_last_value() -> None:
    found = points(run(0, {10: 4.0}), run(1, {10: 2.0, 20: 1.0}))
    assert found[20] == (2.5, 1.0, 4.0)


def test_from_where_one_diverged_there_is_no_mean() -> None:
    found = points(run(0, {10: 4.0, 20: None}), run(1, {10: 2.0, 20: 1.0, 30: 1.0}))
    assert found[10] == (3.0, 2.0, 4.0)
    assert found[20] == found[30] == (None, None, None)


def test_variants_and_settings_are_kept_apart() -> None:
    rows = average_curves([record(0), record(0, cell="lstm"), record(0, steps=7)], SUITE, "loss")
    assert [(row["setting"][:9], row["variant"]) for row in rows] == [
        ("100 steps", "base"),
        ("100 steps", "cell=lstm"),
        ("7 steps, ", "base"),
    ]


def test_a_metric_that_no_run_has_is_answered_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"no curve has 'los'; there are .*loss"):
        average_curves([record()], SUITE, "los")


def test_runs_without_a_curve_are_no_rows() -> None:
    assert average_curves([failed()], SUITE, "loss") == []
    assert drawn([]) == ""


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_lines_fit_the_screen(width: int) -> None:
    rows = average_curves(
        [
            run(0, {10: 4.0, 20: None}),
            run(0, {10: 2.0, 20: 1.0, 30: 0.5}, cell="注意力" * 12),
            run(0, {10: None}, cell="gone"),
        ],
        SUITE,
        "loss",
    )
    text = drawn(rows, width)
    assert max(map(cell_len, text.splitlines())) <= width
    if width == 200:
        assert "not finite at 20" in text
        assert "0.5000 at 30" in text
        assert "×" in text


def test_a_task_of_which_nothing_is_finite_is_said_so() -> None:
    text = drawn(average_curves([run(0, {10: None})], SUITE, "loss"))
    assert "opposites" in text
    assert "not finite" in text


@pytest.mark.parametrize("one", [record(3), record(0, None), failed(1), record(2, 1.0, 900)])
@pytest.mark.parametrize("width", [30, 80])
def test_one_run_is_shown_whatever_became_of_it(one: Record, width: int) -> None:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    show_run(one, SUITE, console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert one.id in text
    assert one.status in text
    assert max(map(cell_len, text.splitlines())) <= width
    if one.status == "failed":
        assert "ValueError: no" in text
        assert "Traceback" in text
    else:
        assert "人" in text


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([0.5] * 12, "it had flattened: no better in the last third"),
        ([0.0] * 8 + [0.1, 0.2, 0.3, 0.25], "exact match got better by 0.300"),
        ([0.5] * 3, "3 evaluations are too few to tell whether it had flattened"),
    ],
)
def test_a_run_says_whether_it_had_flattened(scores: list[float], said: str) -> None:
    console = Console(file=io.StringIO(), width=80, highlight=False)
    show_run(with_curve(record(0), scores), SUITE, console)
    assert isinstance(console.file, io.StringIO)
    assert said in " ".join(console.file.getvalue().split())


def test_a_few_curves_share_a_chart() -> None:
    rows = average_curves(
        [run(seed, {10: 4.0 - seed, 20: 2.0, 30: 1.0}) for seed in range(3)]
        + [run(seed, {10: 4.0, 20: 4.0, 30: 4.0 + seed}, cell="lstm") for seed in range(2)],
        SUITE,
        "loss",
    )
    lines = drawn(rows, 60).splitlines()
    chart = [line for line in lines if "│" in line]
    assert len(chart) == 12
    assert chart[0].split("│")[0].strip() == "5.0000"
    assert chart[-1].rstrip().endswith("A")  # down to 1 at the last step
    assert chart[0].rstrip().endswith("b")  # the highest seed of the other
    assert any(line.strip() == "A base" for line in lines)
    assert any(line.strip() == "B cell=lstm" for line in lines)
    many = average_curves([run(0, {10: 1.0}, hidden=n) for n in range(7)], SUITE, "loss")
    assert "│" not in drawn(many, 60)


def test_variants_can_be_chosen() -> None:
    records = [record(0), record(0, cell="lstm"), record(0, cell="rnn")]
    rows = average_curves(records, SUITE, "loss", ["cell=rnn", "cell=gru"])
    assert [row["variant"] for row in rows] == ["cell=rnn", "base"]
    with pytest.raises(ValueError, match="no curve is of the variant 'cell=x'; there are base"):
        average_curves(records, SUITE, "loss", ["cell=x"])
