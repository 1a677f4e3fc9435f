"""Proves that an examination says in one sentence what to write where it cannot find it out."""

from __future__ import annotations

import io
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

import bench
from bench.watching.examine.plans import EXAMPLE
from tests.bench.watching.strangers import Plain, Tagger, batches

ROOT = Path(__file__).parents[3]
CRITERION = nn.CrossEntropyLoss(ignore_index=0)


class Odd(Plain):
    """Needs an argument that no batch has."""

    def forward(self, src: Tensor, graph: Any) -> Tensor:
        return super().forward(src, graph["nodes"])


def test_a_model_that_cannot_be_called_is_asked_for_a_step_by_an_example_that_runs() -> None:
    with pytest.raises(ValueError, match="give step=") as raised:
        bench.examine(Odd(), batches(), CRITERION)
    text = str(raised.value)
    assert text.startswith("Odd.forward(src: ")
    assert "(8, 7), part (8, 8)" in text
    sentence, _, example = text.partition("\n\n")
    assert sentence.count(". ") == 0
    assert example.strip() == EXAMPLE.strip()
    names: dict[str, Any] = {
        "bench": bench,
        "model": Plain(),
        "criterion": CRITERION,
        "batches": batches(),
    }
    exec(example, names)
    assert names["found"].findings == ()
    assert names["found"].called == "step(batch)"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"batches": []}, "there is no batch in list"),
        ({"batches": iter(())}, "there is no batch"),
        ({"batches": None}, "there is no batch in NoneType"),
        ({"batches": [([[1, 2], [3]], [[1], [2]])]}, "rows of unequal length.*padding symbol"),
        ({"batches": [(batches()[0][0],)]}, "give step="),
        ({"batches": [("a", "b")]}, "no tensors.*give step="),
        ({"loss": nn.CrossEntropyLoss}, r"loss=CrossEntropyLoss\(\)"),
        ({"loss": 3}, "give a function or nn.CrossEntropyLoss"),
        ({"loss": nn.CrossEntropyLoss(reduction="none")}, "one number is needed.*give step="),
        ({"loss": nn.CrossEntropyLoss(weight=torch.ones(5))}, "could not be computed.*give step="),
        ({"optimizer": "adam"}, "optimizer is str; give one of torch.optim"),
        ({"step": 4}, "step is int; give a function"),
        ({"model": [Plain(), Plain()]}, "several modules.*give step="),
        ({"model": "model"}, "model is str; give an nn.Module"),
    ],
)
def test_what_cannot_be_used_is_told(change: dict[str, Any], says: str) -> None:
    given: dict[str, Any] = {"model": Plain(), "batches": batches(), "loss": CRITERION} | change
    with pytest.raises(ValueError, match="(?s)" + says):
        bench.examine(**given)


def test_an_error_in_the_users_step_is_passed_on() -> None:
    def step(batch: Any) -> None:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        bench.examine(Plain(), batches(), step=step)
    with bench.watch():
        pass  # the watch that was cut off is over


def test_one_watch_at_a_time() -> None:
    with bench.watch(), pytest.raises(RuntimeError, match="one at a time"):
        bench.examine(Plain(), batches(), CRITERION)


def test_a_source_of_randomness_that_cannot_be_seeded_is_told() -> None:
    draws = iter(range(10_000))

    class Clock(Plain):
        def forward(self, src: Tensor, trg: Tensor) -> Tensor:
            return super().forward(src, trg) * (1 + 0.1 * (next(draws) % 7))

    found = bench.examine(Clock(), [(s, t[:, :-1], t[:, 1:]) for s, t in batches()], CRITERION)
    assert found.findings == ()
    assert any("two passes of one batch differ" in text for text in found.watched.unseen)


def test_what_was_looked_at_is_said() -> None:
    found = bench.examine(Plain(), batches(11), CRITERION)
    assert found.batches == 8
    assert found.watched.steps == 8
    console = Console(width=100, record=True, file=io.StringIO())
    found.show(console)
    text = console.export_text()
    assert text.startswith("examined 8 batches: outputs = model(src=source, trg=target)")
    assert "nothing found in 8 training steps" in text
    assert repr(found).startswith("examined 8 batches")


def test_what_is_found_stands_in_json_with_the_users_own_line() -> None:
    found = bench.examine(Tagger(), [(s, s % 3) for s, _ in batches()], nn.NLLLoss())
    plain = json.loads(json.dumps(found.plain()))
    assert plain["called"] == "outputs = model(sentence=source); NLLLoss(outputs, target)"
    (one,) = plain["findings"]
    assert one["cause"] == "logits-as-log-probabilities"
    assert one["place"].startswith("test_examine_asks.py:")
    assert "bench.examine(Tagger()" in found.watched.lines[one["place"]]
    assert set(plain) == {"batches", "called", "findings", "unseen"}


@pytest.mark.parametrize("imported_before", [True, False])
def test_in_a_folder_that_has_modules_of_the_same_names(
    tmp_path: Path, imported_before: bool
) -> None:
    for name in ("tasks", "results", "variants"):
        (tmp_path / f"{name}.py").write_text("MINE = True\n")
    before = "import tasks, results, variants\n" if imported_before else ""
    script = tmp_path / "train.py"
    script.write_text(
        before
        + "import random\n"
        + "state = random.getstate()\n"
        + "import torch\n"
        + "from torch import nn\n"
        + "import bench\n"
        + "model = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 3))\n"
        + "ids = torch.arange(20).reshape(4, 5) % 9\n"
        + "with bench.watch() as doctor:\n"
        + "    pass\n"
        + "found = bench.examine(model, [(ids, ids % 3)], nn.CrossEntropyLoss())\n"
        + "print(found.findings, callable(bench.watch))\n"
        + "import tasks, results, variants\n"
        + "print(tasks.MINE, results.MINE, variants.MINE, random.getstate() == state)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, script.name], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["() True", "True True True True"]


def test_the_examples_of_the_page_give_what_it_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "doctor.md").read_text("utf-8")
    section = page.partition("## A finished model of your own")[2].partition("\n## ")[0]
    first, shown, second = re.findall(r"```(?:python)?\n(.*?)```", section, re.S)[:3]
    file = tmp_path / "translator.py"
    file.write_text(first + second)
    torch.manual_seed(0)
    runpy.run_path(str(file))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert "\n".join(lines[:-1]) == shown.strip()
    assert lines[-1] == second.rpartition("# ")[2].strip()


def test_names_that_bench_does_not_have() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = bench.nothing
