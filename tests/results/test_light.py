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


STATISTICS = {
    *("stats", "sequential", "comparison", "axis_effects", "two_sets", "verdicts"),
    *("claims", "claims_table", "fair", "over_tasks", "quality", "pytest_benchmark"),
}
"""Modules that compute, and so may load numpy and scipy."""


def loaded(code: str) -> set[str]:
    """Which heavy packages a fresh interpreter has loaded after some code."""
    tail = f"import json, sys\nprint(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{tail}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    with writing(folder) as opened:
        for seed in range(2):
            one = record(seed)
            opened.begin(one.id, one.spec)
            opened.add(one)
        opened.set_plan([], SUITE)
    return folder


def test_the_check_itself_sees_what_is_loaded() -> None:
    assert "numpy" in loaded("import numpy")


@pytest.mark.parametrize(
    "module", sorted(path.stem for path in Path(str(results.__file__)).parent.glob("*.py"))
)
def test_no_module_of_results_loads_torch_or_pandas(module: str) -> None:
    name = "results" if module == "__init__" else f"results.{module}"
    allowed = {"numpy", "scipy"} if module in STATISTICS else set()
    assert loaded(f"import {name}") <= {"rich", *allowed}


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
        ["compare", "base", "base"],
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
