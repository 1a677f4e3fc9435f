"""Proves that the guard trains what it is asked to, and writes what a plugin's owner needs."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from bench.api import guard as guards
from bench.api.guard import GuardOptions, quality_matrix
from bench.cli import app
from bench.guard import quality
from bench.guard.processes import GuardError
from bench.guard.quality_matrix import as_toml, chosen_blocks
from bench.plan.matrix import Block
from bench.plan.matrix_file import parse, read_matrix
from bench.specs import Budget
from variants import axes


def steps_of(block: Block) -> int:
    """The steps of a block whose budget is in steps."""
    assert isinstance(block.budget, Budget)
    return block.budget.steps


def blocks_of(*variants: str, tasks: tuple[str, ...] = ()) -> list[tuple[str, str, int, int]]:
    """Return task, variant, seeds and steps of all that the guard would train."""
    matrix = parse(quality_matrix(None, GuardOptions(variants, tasks)), "guard.toml")
    return [
        (task, str(variant.cell), len(block.seeds), steps_of(block))
        for block in matrix.blocks
        for task in block.tasks
        for variant in block.variants()
    ]


def test_the_variants_and_tasks_asked_for_are_trained_and_no_others() -> None:
    assert blocks_of("cell=mingru") == [
        ("increment", "mingru", 8, 100),
        ("opposites", "mingru", 8, 150),
    ]
    assert blocks_of("cell=mingru", "base", tasks=("opposites",)) == [
        ("opposites", "mingru", 8, 150),
        ("opposites", "gru", 8, 150),
    ]
    # a task that the matrix has not is trained shortly
    assert blocks_of("cell=lstm", tasks=("reversal",)) == [("reversal", "lstm", 8, 150)]
    # a task alone keeps the matrix's variants
    assert {cell for _, cell, _, _ in blocks_of(tasks=("opposites",))} == {"gru", "lstm", "rnn"}


def test_settings_of_a_block_are_kept() -> None:
    (block, _) = chosen_blocks(read_matrix("guard"), ["cell=mingru,depth=2"], []).blocks
    assert block.base == axes.parse(
        "cell=mingru,depth=2,hidden=50,embedding=50,learning_rate=0.01,clip=3"
    )


@pytest.mark.parametrize("name", ["guard", "quick", "reversal"])
def test_a_matrix_survives_being_written(name: str) -> None:
    matrix = read_matrix(name)
    assert parse(as_toml(matrix), "m.toml").blocks == matrix.blocks
    decoded = matrix.changed(decoding="beam=3")
    assert parse(as_toml(decoded), "m.toml").blocks == decoded.blocks


def test_seeds_are_written_as_older_versions_read_them_where_these_can() -> None:
    matrix = read_matrix("guard")
    assert "seeds = 8\n" in as_toml(matrix)
    other = matrix.changed("100:110")
    assert 'seeds = "100:110"\n' in as_toml(other)
    assert parse(as_toml(other), "m.toml").blocks == other.blocks


@pytest.mark.parametrize("budget", ["20steps", "2epochs"])
def test_batches_are_written_only_where_older_versions_would_make_others(budget: str) -> None:
    matrix = read_matrix("guard").changed(budget=budget)
    assert "batching" not in as_toml(matrix)
    other = matrix.changed(batching="random")
    assert 'batching = "random"\n' in as_toml(other)
    assert parse(as_toml(other), "m.toml").blocks == other.blocks


@pytest.mark.parametrize(
    ("variants", "tasks", "message"),
    [
        (("cell=gur",), (), "did you mean gru"),
        ((), ("opposits",), "did you mean opposites"),
        (("window=5",), ("opposites",), "nothing of this applies"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    variants: tuple[str, ...], tasks: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        quality_matrix(None, GuardOptions(variants, tasks))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, as the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").touch()
    commit = "git -c user.name=a -c user.email=a@b commit -q -m x"
    for command in ("git init -q", "git add mine.py", commit):
        subprocess.run(command.split(), check=True)
    return tmp_path


def test_matrices_do_not_share_a_store(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[Path] = []

    def compared(reference: Path, present: Path, known: Path, *others: Any) -> list[Any]:
        seen.append(known)
        return []

    monkeypatch.setattr(quality, "compare_quality", compared)
    against = guards.versions("HEAD")
    for text in ("one", "two", "one"):
        guards.guard_quality(against, text, tmp_path / "store", print)
    assert seen[0] == seen[2] != seen[1]
    assert {folder.parent for folder in seen} == {tmp_path / "store" / "guard"}


def test_a_plugins_repository_gets_a_baseline_and_a_workflow(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["guard", "--init", "--variant", "cell=rnn", "--task", "opposites"]
    assert app.main(asked) == 0
    out = capsys.readouterr().out
    assert ".github/workflows/guard.yml: checks every pull request against guard.json" in out
    assert "guard.json: counts of 2 subjects" in out
    workflow = (repository / ".github/workflows/guard.yml").read_text("utf-8")
    assert "bench guard --baseline guard.json" in workflow
    assert "bench guard --variant cell=rnn --task opposites --quality --against" in workflow
    assert (repository / "guard.json").is_file()
    # what is there, and may have been changed, stays
    assert app.main(asked) == 3
    assert "is there already" in capsys.readouterr().err


def test_runs_of_a_version_are_counted_and_its_last_words_told(tmp_path: Path) -> None:
    """By code of its own that only prints, as `bench run` does."""
    (tmp_path / "bench").mkdir()
    main = tmp_path / "bench" / "__main__.py"
    told = (
        'print("0 of 8 runs, 0% of the work"); print("  x step 1"); print("3 of 8 runs, 3 solved")'
    )
    main.write_text(told)
    counted: list[tuple[int, int]] = []

    def count(done: int, total: int) -> None:
        counted.append((done, total))

    def run() -> None:
        quality._run(tmp_path, tmp_path, tmp_path / "m.toml", 1, (), 1, (), count)

    run()
    assert counted == [(0, 8), (3, 8)]
    main.write_text("import sys; print('first', file=sys.stderr); sys.exit('bench: not so')")
    with pytest.raises(GuardError, match=r"does not run .*: bench: not so"):
        run()
