"""Proves that plugins are loaded completely or not at all, and are part of a run's id.

The plugins of docs/plugins.md keep the contract and train. A mistake in another one is reported in
a sentence, leaves the registries as they were, and never damages a store.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from bench.cli.app import main as bench
from bench.plan.matrix import from_options, plan
from bench.plugins import loading, registering
from bench.plugins.model_checks import check_variant
from bench.plugins.task_checks import check_task
from bench.runner import execute
from bench.training.process import RunError
from tasks import build as build_task
from variants import inapplicable
from variants.axes import parse
from variants.cells import CELLS

ROOT = Path(__file__).parents[3]
BLOCKS = re.findall(
    r'```python\n("""(\w+\.py):.*?)```', (ROOT / "docs" / "plugins.md").read_text("utf-8"), re.S
)
EXAMPLES = {name: source for source, name in BLOCKS}


pytestmark = pytest.mark.usefixtures("registries_put_back")


def written(folder: Path, source: str, name: str = "plugin.py") -> Path:
    file = folder / name
    file.write_text(source, encoding="utf-8")
    return file


def example(folder: Path, name: str) -> Path:
    return written(folder, EXAMPLES[name], name)


# the plugins of the documentation


def test_the_documentation_has_one_of_each_kind() -> None:
    assert set(EXAMPLES) == {"mgu.py", "cosine.py", "bag.py", "copying.py"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mgu.py", "cell=mgu,hidden=32,learning_rate=0.01"),
        ("mgu.py", "cell=mgu,direction=bidirectional,attention=additive,depth=2,hidden=32"),
        ("cosine.py", "attention=cosine,hidden=32,learning_rate=0.01"),
        ("bag.py", "cell=bag,hidden=64,learning_rate=0.01"),
    ],
)
def test_documented_parts_keep_the_contract(tmp_path: Path, name: str, text: str) -> None:
    loading.load([example(tmp_path, name)])
    findings = check_variant(parse(text), tagging=False)
    assert len(findings) == 9
    assert [finding for finding in findings if finding.wrong] == []


def test_a_documented_cell_tags_too(tmp_path: Path) -> None:
    loading.load([example(tmp_path, "mgu.py")])
    findings = check_variant(parse("cell=mgu,hidden=32,learning_rate=0.01"), tagging=True)
    assert [finding for finding in findings if finding.wrong] == []


def test_the_documented_task_keeps_the_contract(tmp_path: Path) -> None:
    loading.load([example(tmp_path, "copying.py")])
    findings = check_task(lambda: build_task("copying:length=5"))
    assert [finding for finding in findings if finding.wrong] == []


@pytest.mark.parametrize("label", ["increment", "increment:mode=fresh", "reversal", "opposites"])
def test_the_suites_own_tasks_keep_it(label: str) -> None:
    findings = check_task(lambda: build_task(label))
    assert [finding for finding in findings if finding.wrong] == []


@pytest.mark.parametrize("text", ["cell=lstm", "cell=transformer,hidden=32", "attention=local-p"])
def test_the_suites_own_parts_keep_it(text: str) -> None:
    variant = parse(f"learning_rate=0.005,embedding=16,{text}")
    assert [f for f in check_variant(variant, tagging=False) if f.wrong] == []


def test_a_model_says_which_axes_it_reads(tmp_path: Path) -> None:
    loading.load([example(tmp_path, "bag.py")])
    assert inapplicable(parse("cell=bag,hidden=50,dropout=0.1,optimizer=sgd"), False) is None
    assert "does not read it" in str(inapplicable(parse("cell=bag,attention=dot"), False))
    assert "not built for tagging" in str(inapplicable(parse("cell=bag"), True))


def test_a_run_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run in worker processes uses a task and two parts from outside."""
    files = [example(tmp_path, name) for name in ("copying.py", "mgu.py", "cosine.py")]
    given = [part for file in files for part in ("--plugin", str(file))]
    options = ["--task", "copying", "--base", "cell=mgu,learning_rate=0.01", "--seeds", "1"]
    options += ["--vary", "attention=none,cosine", "--budget", "300steps", "--workers", "1"]
    command = ["run", *options, *given, "--store", str(tmp_path / "store")]
    assert bench(command) == 0
    shown = capsys.readouterr().out
    assert "attention=cosine" in shown
    assert bench(["table", "--json", "--store", str(tmp_path / "store")]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    scores = {row["variant"]: row["score_mean"] for row in rows}
    assert scores["attention=cosine"] > scores["base"]
    assert all(row["status"].get("failed") is None for row in rows)
    # no run is done twice
    assert bench(command) == 0
    assert "2 of 2 runs are finished already" in capsys.readouterr().out


# plugins in a run's id


def planned(base: str, task: str = "opposites") -> Any:
    matrix = from_options([task], base, [], False, "20steps", 6)
    return plan(matrix, {task: build_task(task)}, "cpu").specs[0]


def test_only_users_of_a_plugin_carry_its_digest(tmp_path: Path) -> None:
    before = planned("cell=lstm")
    loading.load([example(tmp_path, "mgu.py"), example(tmp_path, "copying.py")])
    assert planned("cell=lstm") == before
    assert before.plugin == ""
    mine = planned("cell=mgu")
    assert re.fullmatch("[0-9a-f]{16}", mine.plugin)
    both = planned("cell=mgu", "copying")
    assert mine.plugin in both.plugin
    assert len(both.plugin.split("+")) == 2


def test_another_source_is_another_run(tmp_path: Path) -> None:
    loading.load([example(tmp_path, "mgu.py")])
    before = planned("cell=mgu")
    del CELLS["mgu"]
    loading._loaded.clear()
    loading.load([written(tmp_path, EXAMPLES["mgu.py"] + "\n# changed\n", "mgu.py")])
    after = planned("cell=mgu")
    assert before.id != after.id
    # a run that was planned with the other source is refused
    with pytest.raises(RunError, match="changed since the run was planned"):
        execute(before, None, lambda point, timed: None)


# plugins that are refused

HEAD = "from variants.cells import Cell, Hidden\nfrom torch import nn\nimport torch\n"
REFUSED = {
    "raise ValueError('sorry')": r"cannot be imported \(ValueError: sorry\)",
    "import sys; sys.exit(3)": r"cannot be imported \(SystemExit: 3\)",
    "def f(:": r"cannot be imported \(SyntaxError",
    "import no_such_module": r"cannot be imported \(ModuleNotFoundError",
    "x = 1": "neither PARTS nor TASKS",
    "PARTS = 3": "not of the form",
    "PARTS = {'cell': []}": "not of the form",
    "PARTS = {'cel': {}}": "did you mean cell",
    "PARTS = {'direction': {}}": "axis that takes parts from outside",
    "PARTS = {'cell': {'mine': 3}}": "is not a class derived from Cell or a ModelKind",
    "PARTS = {'cell': {'mine': dict}}": "is not a class derived from Cell",
    HEAD + "PARTS = {'attention': {'mine': Cell}}": "not a class derived from Attention",
    HEAD + "PARTS = {'cell': {'gru': Cell}}": "'gru' exists already",
    HEAD + "PARTS = {'cell': {'transformer': Cell}}": "'transformer' exists already",
    HEAD + "PARTS = {'cell': {'a,b=c': Cell}}": "is not a name",
    HEAD + "PARTS = {'cell': {'fine': Cell, 'lstm': Cell}}": "'lstm' exists already",
    "from variants.models import ModelKind\n"
    "PARTS = {'cell': {'mine': ModelKind(print, ['hidden'], 'mine')}}": "give a set of names",
    "from variants.models import ModelKind\n"
    "PARTS = {'cell': {'mine': ModelKind(print, {'hiden'}, 'mine')}}": "did you mean hidden",
    "import torch\ntorch.set_default_dtype(torch.float64)\nPARTS = {}": "default dtype",
    "import torch\ntorch.set_grad_enabled(False)\nPARTS = {}": "gradient mode",
    "import torch\ntorch.set_default_device('meta')\nPARTS = {}": "default device",
    "def __getattr__(name): raise OSError('gone')": r"\(OSError: gone\)",
    "from tasks import Entry\nTASKS = (Entry('mine', dict, dict, ''),)": "not a dataclass",
    "from tasks import Entry\nfrom dataclasses import dataclass\n@dataclass\nclass S:\n    on: "
    "bool = True\nTASKS = (Entry('mine', S, dict, ''),)": "which no label can hold",
    "TASKS = 'x'": "not a tuple of tasks.Entry",
    "from tasks import Entry\nTASKS = (Entry('reversal', dict, dict, ''),)": "exists already",
    "from tasks import Entry\nTASKS = (Entry('a b', dict, dict, ''),)": "is not a name",
}


@pytest.mark.parametrize("source", REFUSED)
def test_a_wrong_plugin_is_refused_completely(source: str, tmp_path: Path) -> None:
    before = [dict(p.registry) for kinds in registering.PART_KINDS.values() for p in kinds]
    with pytest.raises(loading.PluginError, match=REFUSED[source]):
        loading.load([written(tmp_path, source)])
    assert before == [dict(p.registry) for kinds in registering.PART_KINDS.values() for p in kinds]
    assert not loading._loaded
    # the command line says so, and no store is made
    assert (
        bench(["run", "--plugin", str(tmp_path / "plugin.py"), "--store", str(tmp_path / "s")]) == 2
    )
    assert not (tmp_path / "s").exists()


def test_files_that_are_no_plugins_are_refused(tmp_path: Path) -> None:
    with pytest.raises(loading.PluginError, match="cannot be read"):
        loading.load([tmp_path / "none.py"])
    with pytest.raises(loading.PluginError, match=r"ends in \.py"):
        loading.load([written(tmp_path, "PARTS = {}", "plugin.txt")])


def test_a_plugin_that_hangs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "IMPORT_SECONDS", 1)
    source = "while True:\n    try:\n        pass\n    except Exception:\n        pass\n"
    with pytest.raises(loading.PluginError, match="not imported within 1 s"):
        loading.load([written(tmp_path, source)])


BROKEN = (
    HEAD
    + """
class Mine(Cell):
    gates = 1

    def __init__(self, input_size, hidden):
        super().__init__(input_size, hidden)
        self.inputs = nn.Linear(input_size, hidden)
        self.recurrence = nn.Linear(hidden, hidden)
        self.spare = nn.Linear(1, 1)

    def project(self, inputs):
        return self.inputs(inputs)

    def advance(self, gates_BG, state, dropped_BH=None):
        h = torch.tanh(gates_BG + self.recurrence(state.h_BH))
        return Hidden(CHANGE)

PARTS = {"cell": {"mine": Mine}}
"""
)
CORRECT = BROKEN.replace("        self.spare = nn.Linear(1, 1)\n", "").replace("CHANGE", "h")
WRONG = {
    "raises": (CORRECT.replace("torch.tanh(", "torch.tahn("), "it raises AttributeError"),
    "shape": (CORRECT.replace("Hidden(h)", "Hidden(h[:, :-1])"), "it raises RuntimeError"),
    "nan": (CORRECT.replace("Hidden(h)", "Hidden(h / (h - h))"), "is nan"),
    "dead": (BROKEN.replace("CHANGE", "h"), "spare.* gets no gradient"),
    "mixes rows": (CORRECT.replace("Hidden(h)", "Hidden(h - h.mean(0))"), "rows are mixed"),
    "draws": (CORRECT.replace("Hidden(h)", "Hidden(h + torch.rand(1))"), "draw elsewhere"),
    "constant": (CORRECT.replace("Hidden(h)", "Hidden(h * 1e-6)"), "the loss is still"),
}


@pytest.mark.parametrize("what", WRONG)
def test_check_says_what_is_wrong(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, said = WRONG[what]
    file = written(tmp_path, source)
    assert bench(["check", "mine", "--plugin", str(file)]) == 1
    out, err = capsys.readouterr()
    assert re.search(f"fails .*\n *.*{said}", out), out
    assert re.search(r"mine fails \d of 9 checks", err)


def test_check_of_a_correct_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, CORRECT)
    assert bench(["check", "cell=mine", "--plugin", str(file)]) == 0
    assert capsys.readouterr().out.count("holds") == 9
    assert bench(["check", "mine", "--json", "--plugin", str(file)]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["wrong"] for row in rows] == [""] * 9


@pytest.mark.parametrize(
    ("name", "said"),
    [("mein", "did you mean"), ("cell=mien", "is not one of"), ("window=5", "does not apply")],
)
def test_check_of_an_unknown_name(name: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(["check", name]) == 2
    assert said in capsys.readouterr().err


LEAKY = EXAMPLES["bag.py"].replace(
    "(self.source(batch.source_BS) * real_BS1).sum(1) / real_BS1.sum(1)",
    "self.source(batch.source_BS).mean(1)",
)
LISTED = (
    EXAMPLES["bag.py"]
    .replace("Encoded(mean_BE, mean_BE.new_zeros(len(mean_BE), 1))", "Encoded([mean_BE], 0)")
    .replace("[memory,", "[memory[0],")
    .replace("state / 10", "tokens_B[:, None] * 0.0 + state")
)
GLOBAL = EXAMPLES["bag.py"].replace(
    "apply(memory, mask(memory.shape, self.dropout, dropout, memory))",
    "torch.nn.functional.dropout(memory, self.dropout)",
)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (LEAKY, "padding reaches"),
        (LISTED, "memory holds a list"),
        (GLOBAL, "still draws"),
    ],
)
def test_check_sees_what_a_small_batch_hides(
    source: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert source != EXAMPLES["bag.py"]
    assert bench(["check", "bag", "--plugin", str(written(tmp_path, source))]) == 1
    assert said in capsys.readouterr().out


def test_a_name_of_two_axes_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(["check", "xavier"]) == 2
    assert "embedding_init=xavier or weight_init=xavier" in capsys.readouterr().err


TASK = EXAMPLES["copying.py"]
SINGLE = TASK.replace(
    "return sequence_scores(outputs[0], split.targets[0])",
    "return {'exact_match': np.float32(0.5)}",
)
NAMELESS = TASK.replace(
    "return sequence_scores(outputs[0], split.targets[0])", "return {'mine': 0.5}"
)
RAISING = TASK.replace("letters = [", "raise KeyError('gone'); letters = [")


@pytest.mark.usefixtures("no_workers")
@pytest.mark.parametrize("source", [SINGLE, NAMELESS])
def test_wrong_scores_are_a_failed_run(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other task of the command is still run."""
    file, store = str(written(tmp_path, source)), str(tmp_path / "store")
    command = ["--task", "copying", "--task", "opposites", "--vary", "cell=gru", "--seeds", "1"]
    command += ["--budget", "20steps", "--plugin", file, "--store", store]
    assert bench(["run", *command]) == 0
    capsys.readouterr()
    assert bench(["table", "--json", "--store", store]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["task"]: list(row["status"]) for row in rows} == {
        "copying": ["failed"],
        "opposites": ["finished"],
    }
    assert bench(["check", "copying", "--plugin", file]) == 1
    assert "the task's score" in capsys.readouterr().out


def test_a_task_that_cannot_be_built_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(written(tmp_path, RAISING))
    for command in (["run", "--task", "copying", "--vary", "cell=gru"], ["check", "copying"]):
        assert bench([*command, "--plugin", file, "--store", str(tmp_path / "s")]) == 2
        assert "copying cannot be built (KeyError: 'gone')" in capsys.readouterr().err


@pytest.mark.usefixtures("no_workers")
def test_a_kept_model_wants_its_plugin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, store = example(tmp_path, "mgu.py"), str(tmp_path / "store")
    command = ["--task", "opposites", "--base", "cell=mgu", "--seeds", "1", "--budget", "5steps"]
    command += ["--plugin", str(file), "--store", store, "--keep-weights"]
    assert bench(["run", *command]) == 0
    capsys.readouterr()
    assert bench(["table", "--json", "--store", store]) == 0
    run = json.loads(capsys.readouterr().out)["rows"][0]["runs"][0]
    assert bench(["try", run, "man", "--plugin", str(file), "--store", store]) == 0
    del CELLS["mgu"]
    loading._loaded.clear()
    loading._origins.clear()
    assert bench(["try", run, "man", "--store", store]) == 2
    assert "give it with --plugin" in capsys.readouterr().err
    written(tmp_path, EXAMPLES["mgu.py"] + "\n# other\n", "mgu.py")
    assert bench(["try", run, "man", "--plugin", str(file), "--store", store]) == 2
    assert "not loaded as it was" in capsys.readouterr().err


WRONG_MODEL = EXAMPLES["bag.py"].replace(
    "return (real(torch.stack(steps, dim=1), batch),)", "return (torch.stack(steps, dim=1),)"
)


@pytest.mark.usefixtures("no_workers")
@pytest.mark.parametrize("source", [WRONG_MODEL, WRONG["raises"][0], WRONG["shape"][0]])
def test_a_broken_part_is_a_failed_run(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, source)
    cell = "bag" if "Bag" in source else "mine"
    options = ["--task", "opposites", "--vary", f"cell=gru,{cell}", "--seeds", "1"]
    store = str(tmp_path / "store")
    command = ["run", *options, "--budget", "20steps", "--plugin", str(file), "--store", store]
    assert bench([*command, "--workers", "1"]) == 0
    capsys.readouterr()
    assert bench(["table", "--json", "--store", store]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["variant"]: list(row["status"]) for row in rows} == {
        "base": ["finished"],
        f"cell={cell}": ["failed"],
    }
    failed = next(row["runs"][0] for row in rows if row["variant"] != "base")
    assert bench(["show", failed, "--store", store]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert ("should give a tuple of logits" in shown) == (cell == "bag")


# installed packages


def installed(folder: Path, source: str) -> dict[str, str]:
    """Return an environment in which a package offers a module as a plugin."""
    written(folder, source, "my_parts.py")
    about = folder / "my_parts-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-parts\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[seq2seq_bench.variants]\nmine = my_parts\n")
    return {**os.environ, "PYTHONPATH": str(folder)}


def listed(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", "list", "--json"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)


def test_an_entry_point_is_loaded(tmp_path: Path) -> None:
    done = listed(installed(tmp_path, EXAMPLES["mgu.py"]))
    assert done.returncode == 0
    rows = json.loads(done.stdout)["rows"]
    cells = next(row["values"] for row in rows if row["name"] == "cell")
    assert "mgu" in cells
    assert done.stderr == ""


def test_a_broken_entry_point_is_reported_and_left_out(tmp_path: Path) -> None:
    done = listed(installed(tmp_path, "raise OSError('gone')"))
    assert done.returncode == 0
    assert "the plugin my_parts cannot be imported (OSError: gone)" in done.stderr
    assert json.loads(done.stdout)["rows"]


def test_specs_without_plugins_say_so() -> None:
    assert loading.digest_of("increment", asdict(parse("cell=lstm"))) == ""
