"""Proves that what only reads stays light: no torch for tables, and next to nothing for help."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import results
from results.store import writing
from tests.records import SUITE, record

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "numpy", "pandas", "scipy", "rich")


PACKAGE = Path(str(results.__file__)).parent
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
)
COMPUTING = (
    "results.outputs",
    "results.stats",
    "results.compare",
    "results.guard",
    "results.report",
)
"""Packages that compute effects and intervals, and so may load numpy and scipy."""
PRINTING_EFFECTS = {
    *("results.show.along", "results.show.claims", "results.show.comparisons"),
    *(
        "results.tables.along",
        "results.tables.claims",
        "results.tables.comparison_notes",
        "results.tables.comparisons",
    ),
    *("results.tables.effects", "results.tables.sentences"),
}
"""Modules beyond these packages that may, because they print what those computed."""


def output(code: str) -> str:
    """Return the last line that a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def loaded(code: str) -> set[str]:
    """Return the heavy packages that a fresh interpreter has loaded after some code."""
    tail = f"import json, sys\nprint(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    return set(json.loads(output(f"{code}\n{tail}")))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    with writing(folder) as opened:
        for seed in range(2):
            for cell in ("gru", "lstm"):
                one = record(seed, cell=cell)
                opened.begin(one.id, one.spec)
                opened.add(one)
        opened.set_plan([], SUITE)
    return folder


def test_the_check_itself_sees_what_is_loaded() -> None:
    assert "numpy" in loaded("import numpy")


def may_load(module: str) -> set[str]:
    """Return the heavy packages that a module of results may load."""
    allowed = {"rich"}
    if module.startswith(COMPUTING) or module in PRINTING_EFFECTS:
        allowed |= {"numpy", "scipy"}
    return allowed


def test_every_module_of_results_is_looked_at() -> None:
    assert len(MODULES) == len(list(PACKAGE.rglob("*.py")))
    assert {"results", "results.store", "results.stats.inference", "results.show.run"} <= {*MODULES}
    assert set(MODULES) >= PRINTING_EFFECTS


def test_no_module_of_results_loads_torch_or_pandas() -> None:
    """Each in an interpreter of its own would take minutes, so this one imports one after another.

    What a module loads is what is new after its import; what it may load is checked from the
    strictest modules to the others, so that none can hide behind an earlier one.
    """
    ordered = sorted(MODULES, key=lambda module: (len(may_load(module)), module))
    lines = ["import importlib, json, sys", "found = {}"]
    for module in ordered:
        lines += [
            f"importlib.import_module({module!r})",
            f"found[{module!r}] = [m for m in {HEAVY} if m in sys.modules]",
        ]
    lines.append("print(json.dumps(found))")
    found = json.loads(output("\n".join(lines)))
    wrong = {m: set(packages) - may_load(m) for m, packages in found.items()}
    assert not {module: extra for module, extra in wrong.items() if extra}


@pytest.mark.parametrize(
    "verb",
    [
        ["table"],
        ["table", "--json"],
        ["status", "--json"],
        ["curves", "--json"],
        ["show", record(0).id, "--json"],
        ["export", "--format", "json"],
        ["export", "--format", "csv"],
        ["drop", "--status", "failed"],
        ["compare", "base", "cell=lstm"],
        ["doctor", "--all"],
    ],
    ids=" ".join,
)
def test_verbs_that_read_load_no_torch(store: Path, verb: list[str]) -> None:
    arguments = [*verb, "--store", str(store)]
    found = loaded(f"from bench.cli.app import main\nassert main({arguments!r}) == 0")
    assert "torch" not in found
    assert "csv" in verb or "pandas" not in found


@pytest.mark.parametrize("verb", [[], ["run"], ["table"], ["data"]])
def test_help_loads_nothing_heavy(verb: list[str]) -> None:
    arguments = [*verb, "--help"]
    assert loaded(f"from bench.cli.app import main\nassert main({arguments!r}) == 0") == set()


def test_specs_load_no_torch() -> None:
    code = "from bench.specs import Budget, make\nmake('t', '', {}, Budget(1), 0, 'cpu')"
    assert loaded(code) == set()


def test_what_starts_a_training_script_leaves_torch_to_its_process() -> None:
    assert "torch" not in loaded("import bench.api.script")
