"""Proves that as many seeds are done as a verdict takes, or that it is said how many that are."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.api.run import MatrixOptions, enough_seeds, matrix_of, seeds_sentence
from results.stats.families import family_wise
from results.stats.inference import ALPHA
from tests.bench.cli.commands import Bench


@pytest.mark.parametrize(
    ("vary", "grid", "seeds"),
    [
        (["cell=gru,lstm"], False, 6),
        (["cell=lstm"], False, 6),
        (["cell=rnn,gru,lstm"], False, 6),
        (["cell=rnn,lstm", "hidden=32"], False, 6),
        (["cell=rnn,lstm"], True, 6),  # no base among them
        (["cell=all"], False, 6),
        (["cell=gru"], False, 3),  # nothing to compare
        ([], False, 3),
    ],
)
def test_seeds_are_chosen_for_a_verdict(vary: list[str], grid: bool, seeds: int) -> None:
    base = "base" if vary else "cell=lstm"
    matrix = matrix_of(MatrixOptions(tasks=["opposites"], vary=vary, grid=grid, base=base))
    assert {block.seeds for block in matrix.blocks} == {range(seeds)}
    asked = matrix_of(MatrixOptions(tasks=["opposites"], vary=vary or ["cell=rnn"], seeds=2))
    assert {block.seeds for block in asked.blocks} == {range(2)}


@pytest.mark.parametrize("values", [1, 2, 4, 8])
def test_so_many_seeds_can_give_a_verdict_and_fewer_cannot(values: int) -> None:
    """Effects without any spread, of an axis with some values: the smallest p there can be."""
    for seeds, possible in ((enough_seeds(), True), (enough_seeds() - 1, False)):
        family = [dict.fromkeys(range(seeds), 1.0 + value) for value in range(values)]
        assert (max(family_wise(family)) <= ALPHA) == possible


def test_what_seeds_cannot_show_is_said_before_they_are_done(bench: Bench, store: Path) -> None:
    few = "run --task opposites --vary cell=all --budget 20 --dry-run --seeds 3"
    code, out, _ = bench(*few.split())
    assert code == 0
    first = " ".join(" ".join(out.splitlines()[:3]).split())
    assert first.startswith(
        "3 seeds show the spread; even a large effect is significant only from 6 seeds: --seeds 6, "
        "or, for two variants, bench run --until-decided A B --task NAME"
    )
    assert max(map(len, out.splitlines()[:3])) <= 80
    out = bench(*"run --task opposites --vary cell=lstm --budget 20 --dry-run".split())[1]
    assert "show the spread" not in out
    assert "6 seeds, 20 steps" in out
    assert "7 seeds" in bench("run", "--task", "opposites", "--dry-run")[1]


def test_advice_on_seeds_keeps_to_the_range_asked_for() -> None:
    options = MatrixOptions(tasks=["opposites"], vary=["cell=rnn"], seeds="100:103")
    assert "3 seeds show" in seeds_sentence(matrix_of(options))
    assert "--seeds 100:106," in seeds_sentence(matrix_of(options))


def test_quick_says_what_its_seeds_show() -> None:
    assert "3 seeds show the spread" in seeds_sentence(matrix_of(MatrixOptions()))
