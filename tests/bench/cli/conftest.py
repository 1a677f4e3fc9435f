"""Fixtures of the command line: a store of its own, and a function that runs a verb."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cli import app
from results.store import writing
from tests.bench.cli.commands import Bench
from tests.records import SUITE, failed, record


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands of a test find their store."""
    monkeypatch.setenv("BENCH_STORE", str(tmp_path / "a store 存"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "a store 存"


@pytest.fixture
def bench(store: Path, capsys: pytest.CaptureFixture[str]) -> Bench:
    """Run a command: exit code, standard output, standard error."""

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = app.main(list(arguments))
        return (code, *capsys.readouterr())

    return call


@pytest.fixture
def filled(store: Path) -> Path:
    """A store with runs made by hand."""
    with writing(store) as opened:
        for entry in (record(0, 1.0, 900), record(1), record(0, None, cell="lstm"), failed(2)):
            opened.begin(entry.id, entry.spec)
            opened.add(entry)
        opened.set_plan([], SUITE)
    return store
