"""Proves that a matrix can be made, previewed and run from Python, without the command line."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bench.api.run import MatrixOptions, execute, matrix_of, plan_runs, preview
from bench.engines.choose import EngineOptions, engine_of
from bench.engines.contract import EngineError
from results.store import reading, writing

TINY = MatrixOptions(tasks=["opposites"], vary=["cell=rnn"], seeds=2, budget="5steps")


def test_a_plan_is_done_once(tmp_path: Path) -> None:
    work = plan_runs(matrix_of(TINY), "cpu", "auto", tmp_path)
    before = preview(work, tmp_path)
    assert (before.runs, before.finished, before.measured) == (4, 0, 0)
    assert [(row.variant, row.seeds) for row in before.rows] == [("base", 2), ("cell=rnn", 2)]
    assert before.seconds > 0
    options = EngineOptions(workers=1)
    for _ in range(2):
        with closing(engine_of(options, "cpu", 4, tmp_path)) as engine, writing(tmp_path) as store:
            execute(store, work.plan, work.cost(store.records()), engine)
            began = {record.id: record.measured["began"] for record in store.records()}
    assert set(began) == {spec.id for spec in work.plan.specs}
    with reading(tmp_path) as store:
        assert len(store.plan()) == 4
    after = preview(work, tmp_path)
    assert (after.finished, after.measured, after.seconds) == (4, 4, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (MatrixOptions(vary=["cell=gru"]), "add --task"),
        (MatrixOptions(vary=["cell=gru"], tasks=["opposites"], matrix="quick"), "leave --matrix"),
        (MatrixOptions(grid=True), "go with --vary"),
        (MatrixOptions(batch=4), "go with --vary"),
        (MatrixOptions(matrix="qick"), "did you mean quick"),
        (MatrixOptions(fault="softmax-over-tim"), "did you mean softmax-over-time"),
    ],
)
def test_options_that_contradict_are_refused(options: MatrixOptions, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        matrix_of(options)


@pytest.mark.parametrize("task", ["pairs", "reversal:pairs=900"])
def test_a_task_that_quick_lacks_is_run_with_the_base_alone(task: str) -> None:
    (block,) = matrix_of(MatrixOptions(tasks=[task])).blocks
    assert block.tasks == (task,)
    assert (block.star, block.grid, block.with_base) == ({}, {}, True)
    with pytest.raises(ValueError, match="task of the matrix"):
        matrix_of(MatrixOptions(matrix="quick", tasks=["pairs"]))


def test_options_change_a_named_matrix_throughout() -> None:
    changed = matrix_of(MatrixOptions(tasks=["opposites"], seeds=7, budget="9steps"))
    assert {block.tasks for block in changed.blocks} == {("opposites",)}
    assert {(block.seeds, block.budget.text()) for block in changed.blocks} == {
        (range(7), "9 steps")
    }


def test_what_does_not_apply_is_no_plan(tmp_path: Path) -> None:
    matrix = matrix_of(MatrixOptions(tasks=["opposites"], base="input_feeding=on"))
    with pytest.raises(ValueError, match="nothing of this applies"):
        plan_runs(matrix, "cpu", "auto", tmp_path)


def test_an_engine_that_does_not_start_is_an_error(tmp_path: Path) -> None:
    options = EngineOptions(name="ray", address="127.0.0.1:1")
    pytest.importorskip("ray")
    with pytest.raises(EngineError):
        engine_of(options, "cpu", 1, tmp_path)


def test_options_describe_the_runs_of_a_matrix(tmp_path: Path) -> None:
    """So the command that decides a large effect of `quick` adds to its runs."""
    quick = plan_runs(matrix_of(MatrixOptions(tasks=["reversal"])), "cpu", "eager", tmp_path)
    options = MatrixOptions(
        tasks=["reversal"],
        base="direction=bidirectional,cell=lstm",
        seeds=2,
        budget="500steps",
        batch=64,
        every=50,
    )
    asked = plan_runs(matrix_of(options), "cpu", "eager", tmp_path)
    assert {spec.id for spec in asked.plan.specs} < {spec.id for spec in quick.plan.specs}
    otherwise = plan_runs(matrix_of(replace(options, every=None)), "cpu", "eager", tmp_path)
    assert not {spec.id for spec in otherwise.plan.specs} & {s.id for s in quick.plan.specs}
    with pytest.raises(ValueError, match="--every go with --vary"):
        matrix_of(MatrixOptions(every=50))
