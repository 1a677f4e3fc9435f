"""Proves that what a notebook or a script defines is usable at once, and never mixed up."""

from __future__ import annotations

import importlib
import linecache
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import bench
from bench.api.outputs import forget_tasks
from bench.notebook import parts
from bench.plugins import loading
from bench.training.process import cached_task

CELL = """
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from tasks import Entry, Facts, Ragged, Split, Task, Vocabulary
from tasks.scoring import sequence_scores
from variants.cells import Cell, Hidden
from variants.models import MODELS, ModelKind
from variants.optimizers import Choice

LETTERS = {"few": ("a", "b", "c")}


class Slow(Cell):
    gates = 1

    def __init__(self, input_size, hidden):
        super().__init__(input_size, hidden)
        self.inputs = nn.Linear(input_size, hidden)

    def project(self, inputs):
        return self.inputs(inputs)

    def advance(self, gates_BG, state, dropped_BH=None):
        return Hidden(state.h_BH + 0.1 * torch.tanh(gates_BG))

    def recurrent_blocks(self):
        return ()


@dataclass(frozen=True)
class Settings:
    pairs: int = 30


class Copying(Task):
    metric, solved_at = "exact_match", 0.99

    def __init__(self, settings, data):
        self.source = self.target = Vocabulary.closed(list(LETTERS["few"]))
        drawn = np.random.default_rng(0).integers(3, 6, size=(settings.pairs, 3)).tolist()
        self.splits = {
            name: Split(Ragged.of(drawn[place::3]), (Ragged.of(drawn[place::3]),))
            for place, name in enumerate(("train", "valid", "test"))
        }
        self.facts = Facts(6, (6,), length_limit=5)

    def tokenize(self, text):
        return text.split()

    def source_text(self, ids):
        return " ".join(self.source.decode(ids))

    def target_text(self, streams, source):
        return self.source_text(streams[0])

    def score(self, outputs, split):
        return sequence_scores(outputs[0], split.targets[0])


def plain_sgd(named, lr, decay):
    return torch.optim.SGD([p for _, p in named], lr=lr)


ENTRY = Entry("copying", Settings, Copying, "the same symbols")
OPTIMIZER = Choice(plain_sgd, "plain descent")


def around():
    rate = 0.5

    class Inner(Slow):
        def project(self, inputs):
            return rate * self.inputs(inputs)

    return Inner


INNER = around()
"""
_numbers = count()


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, registries_put_back: None) -> Iterator[None]:
    monkeypatch.setattr(parts, "_defined", {})
    yield
    forget_tasks()
    cached_task.cache_clear()


def executed(code: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Execute a cell as a notebook does, and return its names."""
    file = f"<cell {next(_numbers)}>"
    linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)
    main = ModuleType("__main__")
    names = vars(main)
    names["In"] = ["", "%magic", code]
    monkeypatch.setitem(sys.modules, "__main__", main)
    exec(compile(code, file, "exec"), names)
    return names


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return executed(CELL, monkeypatch)


@pytest.mark.usefixtures("no_workers")
def test_a_task_of_a_notebook_is_run_and_read(cell: dict[str, Any], tmp_path: Path) -> None:
    bench.register(tasks=[cell["ENTRY"]], cell={"slow": cell["Slow"]})
    assert bench.task("copying:pairs=60").texts("test", 1)[0][0].count(" ") == 2
    answer = bench.run(
        "copying", cell=["gru", "slow"], hidden=8, seeds=1, budget="4steps", store=tmp_path
    )
    assert {row["variant"] for row in answer.rows} == {"base", "cell=slow"}
    frame = bench.runs(tmp_path)
    assert set(frame["status"]) <= {"finished", "solved"}
    outputs = bench.outputs("cell=slow,hidden=8", tmp_path)
    assert len(outputs) == 10
    assert (outputs["source"] == outputs["reference"]).all()


def test_parts_that_are_no_classes_can_be_registered(cell: dict[str, Any]) -> None:
    bench.register(
        optimizer={"plain": cell["OPTIMIZER"]},
        cell={
            "copy-of-transformer": cell["MODELS"]["transformer"],
            "slow": cell["Slow"],
        },
    )
    assert loading.digest_of("opposites", {"optimizer": "plain"})
    assert bench.model("optimizer=plain", task="opposites")
    digests = {loading.digest_of("opposites", {"cell": c}) for c in ("copy-of-transformer", "slow")}
    assert len(digests) == 2  # each has an id of its own


def test_what_is_changed_and_registered_again_takes_its_place(
    cell: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.register(tasks=[cell["ENTRY"]], cell={"slow": cell["Slow"]})
    assert {len(s) for s, _ in bench.task("copying").texts()} == {5}
    before = loading.digest_of("copying", {"cell": "slow"})
    bench.register(tasks=[cell["ENTRY"]], cell={"slow": cell["Slow"]})  # the cell was run again
    assert loading.digest_of("copying", {"cell": "slow"}) == before

    changed = executed(
        CELL.replace("size=(settings.pairs, 3)", "size=(settings.pairs, 4)"), monkeypatch
    )
    bench.register(tasks=[changed["ENTRY"]])
    assert {len(s) for s, _ in bench.task("copying").texts()} == {7}
    assert loading.digest_of("copying", {"cell": "slow"}) != before
    assert loading.digest_of("reversal", {"cell": "slow"}) in before  # the cell is what it was
    # what is refused leaves what there was
    with pytest.raises(ValueError, match="is not a class derived from Cell or a ModelKind"):
        bench.register(cell={"slow": changed["plain_sgd"]})
    assert bench.model("cell=slow", task="copying")
    with pytest.raises(ValueError, match="exists already"):
        bench.register(cell={"gru": changed["Slow"]})


def test_an_edited_file_is_loaded_anew(cell: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(CELL + 'PARTS = {"cell": {"mine": Slow}}\n', "utf-8")
    bench.register(file)
    before = loading.digest_of("reversal", {"cell": "mine"})
    file.write_text(CELL.replace("0.1", "0.2") + 'PARTS = {"cell": {"mine": Slow}}\n', "utf-8")
    bench.register(file)
    assert before != loading.digest_of("reversal", {"cell": "mine"})


def test_a_module_beside_the_notebook_is_part_of_the_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "steps_of_mine.py").write_text("STEP = 0.1\n", "utf-8")
    body = CELL.replace("0.1 *", "steps_of_mine.STEP *")
    (tmp_path / "cells_of_mine.py").write_text("import steps_of_mine\n" + body, "utf-8")
    module = importlib.import_module("cells_of_mine")
    bench.register(cell={"mine": module.Slow})
    before = loading.digest_of("reversal", {"cell": "mine"})
    (tmp_path / "steps_of_mine.py").write_text("STEP = 0.25\n", "utf-8")
    bench.register(cell={"mine": module.Slow})
    assert before != loading.digest_of("reversal", {"cell": "mine"})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("optimizer={'x': lambda named, lr, decay: None}", "a lambda has no name"),
        ("cell={'x': INNER}", "Inner uses rate of the function around it; define it outside"),
        ("cell=Slow", "names no value; write cell={'mine': ...}"),
        ("tasks=[Copying]", "is no list of tasks.Entry"),
        ("tasks=ENTRY", "is no list of tasks.Entry"),
        ("cel={'x': Slow}", "did you mean cell"),
    ],
)
def test_mistakes_are_one_sentence(cell: dict[str, Any], given: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        eval(f"bench.register({given})", {**cell, "bench": bench})
    assert len(str(caught.value).splitlines()) == 1
