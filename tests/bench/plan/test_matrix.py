"""Proves that a matrix is expanded as written, and that a mistake is reported with its line
before anything runs."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.plan import matrix_file as matrices
from bench.plan.matrix import Block, Matrix, Plan, check_size, from_options, plan, read_budget
from bench.plan.matrix_file import BLOCK_KEYS, MatrixError, parse, read_matrix
from bench.specs import Budget, Epochs, make_budget
from bench.training.batching import DataPosition, endless
from tasks import TASKS, Task, build
from variants import AXES, BASE, axes, inapplicable

HEAD = '[[block]]\ntasks = ["increment"]\nsteps = 10\n'


def names(text: str) -> list[dict[str, object]]:
    """Return what each variant of the first block changes."""
    base = asdict(BASE)
    found = [asdict(variant) for variant in parse(text, "m.toml").blocks[0].variants()]
    return [{k: v for k, v in variant.items() if v != base[k]} for variant in found]


def test_a_star_changes_one_axis_at_a_time() -> None:
    text = HEAD + 'star.cell = ["rnn", "lstm"]\nstar.hidden = [5]\nstar.depth = [2]'
    assert names(text) == [
        {},
        {"cell": "rnn"},
        {"cell": "lstm"},
        {"hidden": 5},
        {"encoder_depth": 2, "decoder_depth": 2},
    ]


def test_a_grid_crosses_all() -> None:
    text = HEAD + 'grid.cell = ["rnn", "lstm"]\ngrid.hidden = [5, 6]'
    assert names(text) == [
        {},
        {"cell": "rnn", "hidden": 5},
        {"cell": "rnn", "hidden": 6},
        {"cell": "lstm", "hidden": 5},
        {"cell": "lstm", "hidden": 6},
    ]


def test_all_is_every_value_and_each_variant_stands_once() -> None:
    text = HEAD + 'star.cell = "all"\ngrid.cell = "all"'
    assert len(names(text)) == len(axes.values("cell"))
    assert {"cell": "lstm"} in names(text)


def test_the_base_is_changed_for_all() -> None:
    assert names(HEAD + 'base = { hidden = 50 }\nstar.cell = ["rnn"]') == [
        {"hidden": 50},
        {"cell": "rnn", "hidden": 50},
    ]


def planned(text: str, device: str = "cpu") -> Plan:
    read = parse(text, "m.toml")
    labels = {label for block in read.blocks for label in block.tasks}
    return plan(read, {label: task(label) for label in labels}, device)


def task(label: str) -> Task:
    if label not in BUILT:
        BUILT[label] = build(label)
    return BUILT[label]


BUILT: dict[str, Task] = {}


def test_a_plan_has_each_run_once() -> None:
    block = (
        '[[block]]\ntasks = ["opposites", "opposites"]\nsteps = 10\nstar.cell = ["gru", "rnn"]\n'
    )
    found = planned("seeds = 3\n" + block + block)
    assert len(found.specs) == 2 * 3
    assert len({spec.id for spec in found.specs}) == 6
    assert {spec.seed for spec in found.specs} == {0, 1, 2}
    assert found.inapplicable == ()
    assert len(found.rows()) == 6


def test_seeds_of_a_block_go_before_those_of_the_file() -> None:
    found = planned("seeds = 3\n" + HEAD.replace("increment", "opposites") + "seeds = 1")
    assert len(found.specs) == 1


def test_what_does_not_apply_is_listed_with_its_reason() -> None:
    found = planned(HEAD.replace("increment", "opposites") + "seeds = 2\nstar.window = [5, 7]")
    assert len(found.specs) == 2
    assert [(row.id, row.variant, row.seed) for row in found.inapplicable] == [
        (None, "window=5", None),
        (None, "window=7", None),
    ]
    assert all("only a tagger" in row.reason for row in found.inapplicable)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("sedes = 3\n" + HEAD, 1, ["'sedes'", "did you mean seeds"]),
        (HEAD + "batches = 3", 4, ["'batches'", "did you mean batch"]),
        (HEAD + "\n# cel\nstar.cel = ['gru']", 6, ["'cel'", "did you mean cell"]),
        (HEAD + "star.cell = ['gru', 'lstmm']", 4, ["'lstmm'", "did you mean lstm"]),
        (HEAD + "star.hidden = [5, 'many']", 4, ["hidden='many'", "whole number"]),
        (
            HEAD + "base = { cell = 'lstm' }\nstar.cell = ['gruu']",
            5,
            ["'gruu'", "did you mean gru"],
        ),
        (HEAD + "star.cell = ['rnn']\n[block.grid]\ncell = ['gruu']", 6, ["'gruu'"]),
        (HEAD + "star.hidden = 'all'", 4, ["hidden", "no list of values"]),
        (HEAD + "star.cell = 'gru'", 4, ["not a list"]),
        (HEAD + "star.cell = []", 4, ["not a list"]),
        (HEAD + "star = 3", 4, ["star=3 is not a table"]),
        (HEAD + "base = { hiden = 5 }", 4, ["'hiden'", "did you mean hidden"]),
        (HEAD + "base = { hidden = 0 }", 4, ["hidden=0", "from 1"]),
        (HEAD + "base = { window = 4 }", 4, ["window=4 is even"]),
        (HEAD.replace("increment", "incremet"), 2, ["'incremet'", "did you mean increment"]),
        (
            HEAD.replace("increment", "reversal:mod=symbols"),
            2,
            ["'mod'", "did you mean mode"],
        ),
        (HEAD.replace('["increment"]', '"increment"'), 2, ["not a list of task names"]),
        (HEAD.replace('"increment"', "3"), 2, ["not a list of task names"]),
        ("\n\n[[block]]\nsteps = 3", 3, ["tasks=None"]),
        (HEAD.replace("10", "1.5"), 3, ["steps=1.5", "kind int"]),
        (HEAD.replace("10", "true"), 3, ["steps=True", "kind int"]),
        (HEAD.replace("10", "'10'"), 3, ["steps='10'", "kind int"]),
        (HEAD.replace("10", "0"), 3, ["give one of the three"]),
        (HEAD.replace("10", "-4"), 3, ["give one of the three"]),
        (HEAD + "tokens = 10", 4, ["give one of the three"]),
        (HEAD.replace("steps = 10", "seconds = nan"), 3, ["give one of the three"]),
        (HEAD.replace("steps = 10", "batch = 3"), 3, ["give one of the three"]),
        (HEAD.replace("steps = 10", ""), 1, ["give one of the three"]),
        (HEAD + "stop = 'solve'", 4, ["stop='solve'", "solved"]),
        (HEAD + "batch = 0", 4, ["batch=0"]),
        (HEAD + "every = -1", 4, ["every=-1"]),
        ("seeds = -1\n" + HEAD, 1, ["seeds=-1", "from 1"]),
        ("seeds = true\n" + HEAD, 1, ["seeds=True"]),
        ("seeds = 1.0\n" + HEAD, 1, ["seeds=1.0"]),
        (HEAD + "seeds = 0", 4, ["seeds=0", "from 1"]),
        (HEAD + 'seeds = "9:5"', 4, ["seeds=9:5", "100:110"]),
        (HEAD + 'seeds = "0:1000001"', 4, ["seeds=0:1000001"]),
        (HEAD + "\n" + HEAD + "seeds = 0", 8, ["seeds=0"]),
        (HEAD + "\n[[block]]\ntasks = ['opposites']\nstep = 10", 7, ["'step'", "steps"]),
    ],
)
def test_a_mistake_is_reported_with_file_line_and_near_spellings(
    text: str, line: int, said: list[str]
) -> None:
    with pytest.raises(MatrixError) as error:
        parse(text, "mine.toml")
    sentence = str(error.value)
    assert "\n" not in sentence
    assert "mine.toml" in sentence
    for part in said:
        assert part in sentence
    assert f"line {line}:" in sentence


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no [[block]]"),
        ("seeds = 3", "no [[block]]"),
        ("block = []", "no [[block]]"),
        ("block = [3]", "no [[block]]"),
        ("[block]\nsteps = 3", "no [[block]]"),
        ("block = [{ tasks = ['increment'], stepps = 3 }]", "stepps"),
        ("block = [{ tasks = ['increment'], steps = 3 }, { steps = 3 }]", "tasks=None"),
        ("x = ", "is not TOML"),
        ("seeds = 3\nseeds = 4", "is not TOML"),
        ("\ufeffseeds = 3", "is not TOML"),
        ("x = " + "[" * 5000, "is not TOML"),
        ("seeds = " + "9" * 5000, "is not TOML"),
    ],
)
def test_a_text_that_is_no_matrix_is_reported(text: str, said: str) -> None:
    with pytest.raises(MatrixError, match="mine") as error:
        parse(text, "mine.toml")
    assert said in str(error.value)


def test_a_large_matrix_is_read() -> None:
    numbers = ", ".join(str(number) for number in range(1, 20_001))
    text = HEAD + f"star.hidden = [{numbers}]"
    assert len(list(parse(text, "m.toml").blocks[0].variants())) == 20_000
    many = HEAD * 500
    assert len(parse(many, "m.toml").blocks) == 500


def test_files_that_cannot_be_read_are_reported(tmp_path: Path) -> None:
    with pytest.raises(MatrixError, match="no matrix file"):
        read_matrix(str(tmp_path / "none.toml"))
    with pytest.raises(ValueError, match="did you mean quick"):
        read_matrix("qick")
    (tmp_path / "latin.toml").write_bytes(b"about = '\xe9'\n")
    with pytest.raises(MatrixError, match="not UTF-8 at byte 9"):
        read_matrix(str(tmp_path / "latin.toml"))
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(MatrixError, match="no matrix file"):
        read_matrix(str(tmp_path / "folder.toml"))


def test_a_block_says_how_outputs_are_made() -> None:
    text = HEAD + 'decoding = "beam=4, length_penalty=1"'
    assert parse(text, "m.toml").blocks[0].decoding == "beam=4,length_penalty=1"
    assert parse(HEAD, "m.toml").blocks[0].decoding == "greedy"
    with pytest.raises(MatrixError, match="line 4: the decoding 'beem' does not exist"):
        parse(HEAD + 'decoding = "beem"', "m.toml")
    changed = parse(text, "m.toml").changed(decoding="beam=1")
    assert changed.blocks[0].decoding == "greedy"


def test_a_file_by_its_path_is_a_matrix(tmp_path: Path) -> None:
    (tmp_path / "my own 矩阵.toml").write_text(HEAD, encoding="utf-8")
    read = read_matrix(str(tmp_path / "my own 矩阵.toml"))
    assert read.name == "my own 矩阵"
    assert read.blocks[0].tasks == ("increment",)


@pytest.mark.parametrize("name", matrices.names())
def test_the_matrices_of_the_suite_parse_and_apply(name: str) -> None:
    read = read_matrix(name)
    assert matrices.about(name)
    for block in read.blocks:
        for label in block.tasks:
            tagging = label.startswith("keyphrase")
            reasons = [inapplicable(variant, tagging) for variant in block.variants()]
            assert None in reasons


@example("[[block]]\ntasks = ['increment']\nsteps = 0xfff" + "f" * 5000)
@example("block = [{}]")
@settings(max_examples=200)
@given(st.text(max_size=200))
def test_any_text_is_read_or_reported(text: str) -> None:
    read_or_told(text)


KEYS = st.sampled_from([*BLOCK_KEYS, "sedes", "block", *list(AXES)[:4], "hidden", "depth", "all"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["all", "gru", "increment", "solved", "reversal:mode=words", "reversal:"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def toml(value: Any) -> str:
    """Draw inline TOML, and sometimes text that is not TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value)


@settings(max_examples=300)
@given(
    top=st.dictionaries(KEYS, VALUES, max_size=2),
    blocks=st.lists(st.dictionaries(KEYS, VALUES, max_size=5), max_size=3),
    sound=st.booleans(),
)
def test_any_toml_is_read_or_reported(
    top: dict[str, Any], blocks: list[dict[str, Any]], sound: bool
) -> None:
    lines = [f"{key} = {toml(value)}" for key, value in top.items() if key != "block"]
    for block in blocks:
        full = {"tasks": ["increment"], "steps": 3} | block if sound else block
        lines += ["[[block]]", *(f"{key} = {toml(value)}" for key, value in full.items())]
    read_or_told("\n".join(lines))


def read_or_told(text: str) -> None:
    try:
        read = parse(text, "any.toml")
    except MatrixError as error:
        assert "any.toml" in str(error)  # noqa: PT017
    else:
        assert all(list(block.variants()) for block in read.blocks)


@pytest.mark.parametrize("crossed", [False, True])
def test_options_make_the_same_as_a_file(crossed: bool) -> None:
    part = "grid" if crossed else "star"
    text = (
        '[[block]]\ntasks = ["increment", "reversal:mode=symbols"]\ntokens = 5000\nbatch = 8\n'
        "base = { hidden = 32, learning_rate = 0.01 }\n"
        f'{part}.cell = "all"\n{part}.hidden = [16, 48]\n'
    )
    options = from_options(
        ["increment", "reversal:mode=symbols"],
        "hidden=32,learning_rate=0.01",
        ["cell=all", "hidden=16, 48"],
        crossed,
        "5000tokens",
        8,
    )
    # a grid of options has the cells that were asked for; a file's has its base besides
    in_file = parse(text, "m.toml").blocks
    assert options.blocks == tuple(replace(block, with_base=not crossed) for block in in_file)


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        (["cell"], "is not of the form axis=value"),
        (["cell="], "is not of the form axis=value"),
        (["=gru"], "axis ''"),
        (["cell=gru,,lstm"], "cell ''"),
        (["cel=gru"], "did you mean cell"),
        (["cell=gruu"], "did you mean gru"),
        (["hidden=all"], "a number has no list of values"),
        (["cell=gru", "cell=lstm"], "is given twice"),
    ],
)
def test_wrong_options_are_reported(vary: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        from_options(["increment"], "base", vary, False, "10", 32)


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("500", Budget(steps=500)),
        ("500steps", Budget(steps=500)),
        (" 500 steps ", Budget(steps=500)),
        ("2000000tokens", Budget(tokens=2_000_000)),
        ("60s", Budget(seconds=60.0)),
        ("0.5s", Budget(seconds=0.5)),
    ],
)
def test_a_budget_is_read(text: str, budget: Budget) -> None:
    assert Budget(**read_budget(text)) == budget


def test_epochs_are_the_steps_of_each_tasks_training_split() -> None:
    tasks = {label: build(label) for label in ("opposites", "increment:pairs=50")}
    given = from_options(list(tasks), "base", [], False, "3epochs", 32)
    assert given.blocks[0].budget == Epochs(3)
    steps = {spec.task: spec.budget for spec in plan(given, tasks, "cpu").specs}
    # six pairs are one batch, fifty are two
    assert {task: budget.steps for task, budget in steps.items()} == {
        "opposites": 3,
        "increment:pairs=50": 6,
    }
    position = DataPosition()
    batches = endless(tasks["increment:pairs=50"].splits["train"], 32, 0, position)
    assert [next(batches)[1].epoch for _ in range(7)] == [0, 0, 1, 1, 2, 2, 3]
    written = HEAD.replace("steps = 10", "epochs = 1")
    assert (
        parse(written, "m.toml").blocks[0].budget
        == parse(HEAD, "m.toml").changed(None, "1epoch").blocks[0].budget
    )


@pytest.mark.parametrize("text", ["0epochs", "1.5epochs", "3epoch s"])
def test_epochs_are_whole(text: str) -> None:
    with pytest.raises(ValueError, match="3epochs"):
        read_budget(text)


def test_epochs_and_steps_together_are_refused() -> None:
    with pytest.raises(ValueError, match="epochs=2 and steps too"):
        make_budget(epochs=2, steps=5)


@pytest.mark.parametrize(
    "text", ["", "0", "0s", "-5", "5x", "1.5steps", "1e3", "s", "nan", "inf", "9" * 400 + "s"]
)
def test_a_wrong_budget_is_reported(text: str) -> None:
    with pytest.raises(ValueError, match="budget"):
        Budget(**read_budget(text))


def test_narrowing_keeps_tasks_by_label_or_by_name() -> None:
    text = HEAD.replace('"increment"', '"increment", "reversal", "reversal:mode=symbols"')
    read = parse(text + "[[block]]\ntasks = ['opposites']\nsteps = 5", "m.toml")

    def kept(*labels: str) -> list[tuple[str, ...]]:
        return [block.tasks for block in read.narrowed(list(labels)).blocks]

    assert kept("opposites") == [("opposites",)]
    assert kept("reversal") == [("reversal", "reversal:mode=symbols")]
    assert kept("reversal:mode=symbols") == [("reversal:mode=symbols",)]
    assert kept("increment", "opposites") == [("increment",), ("opposites",)]
    with pytest.raises(ValueError, match="did you mean increment"):
        read.narrowed(["incremnt"])
    with pytest.raises(ValueError, match="is not one of"):
        read.narrowed(["keyphrase"])


def test_seeds_and_budget_can_be_changed_for_all() -> None:
    read = parse(HEAD + "every = 7\n" + HEAD, "m.toml").changed(9, "60s")
    assert [block.seeds for block in read.blocks] == [range(9), range(9)]
    assert read.blocks[0].budget == Budget(seconds=60.0, every=7)
    assert parse(HEAD, "m.toml").changed(None, None) == parse(HEAD, "m.toml")
    assert {block.seeds for block in read.changed("100:103").blocks} == {range(100, 103)}
    with pytest.raises(ValueError, match="seeds=0"):
        read.changed(0, None)


def test_seeds_of_a_file_may_be_a_range() -> None:
    text = 'seeds = "100:110"\n' + HEAD + "\n" + HEAD + 'seeds = "7:8"'
    assert [block.seeds for block in parse(text, "m.toml").blocks] == [range(100, 110), range(7, 8)]


def test_every_task_can_stand_in_a_matrix() -> None:
    text = HEAD.replace('["increment"]', str([entry.name for entry in TASKS]))
    assert parse(text, "m.toml").blocks[0].tasks == tuple(entry.name for entry in TASKS)


def test_a_matrix_that_is_too_large_is_refused_by_its_number_alone() -> None:
    """Of ten million and of ten to the twelfth alike: none of them is made."""
    for count in (10_000_000, 10**12):
        hidden = tuple(range(1, int(count**0.25) + 1))
        values: dict[str, tuple[axes.Value, ...]] = dict.fromkeys(
            ("hidden", "embedding", "warmup", "window"), hidden
        )
        block = Block(("opposites",), BASE, {}, values, range(1), Budget(steps=10))
        with pytest.raises(ValueError, match=r"this would be [\d,]+ runs.*at most 1,000,000"):
            check_size(Matrix("large", (block,)))
    star = Block(
        ("opposites", "increment"), BASE, {"hidden": (1, 2)}, {}, range(3), Budget(steps=10)
    )
    assert star.runs == 2 * 3 * 3
    check_size(Matrix("small", (star,)))
