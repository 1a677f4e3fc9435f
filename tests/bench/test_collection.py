"""Proves that garbage is searched for seldom while much is imported, and as usual in training."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench.api import check
from bench.cli.terminal.progress import Progress
from bench.collection import SELDOM, search_as_usual, search_seldom
from bench.engines.driver import drive
from bench.training.process import prepare_process
from results.store import writing
from tests.in_process import InProcessEngine


@pytest.fixture(autouse=True)
def threshold_put_back() -> Iterator[None]:
    """The thresholds of before stand again after a test."""
    before = gc.get_threshold()
    yield
    search_as_usual()
    gc.set_threshold(*before)


def test_the_search_is_as_before_when_training_begins() -> None:
    gc.set_threshold(500, 7, 8)
    search_seldom()
    search_seldom()
    assert gc.get_threshold() == (SELDOM, 7, 8)
    prepare_process(1)
    assert gc.get_threshold() == (500, 7, 8)


def test_a_process_that_never_searched_seldom_keeps_its_own() -> None:
    gc.set_threshold(900, 5, 5)
    prepare_process(1)
    assert gc.get_threshold() == (900, 5, 5)


def test_parts_are_checked_with_the_usual_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = gc.get_threshold()
    seen: list[tuple[int, int, int]] = []

    def look(*_: Any) -> list[Any]:
        seen.append(gc.get_threshold())
        return []

    monkeypatch.setattr(check, "check_variant", look)
    search_seldom()
    assert check.check_part("cell=gru", False, tmp_path) == []
    assert seen == [before]


def test_runs_are_driven_with_the_usual_search(tmp_path: Path) -> None:
    before = gc.get_threshold()
    search_seldom()
    with writing(tmp_path) as store:
        progress = Progress({}, lambda _: 0.0, 1, Console(quiet=True))
        drive([], lambda _: 0.0, store, InProcessEngine(1, tmp_path), progress, False)
    assert gc.get_threshold() == before


def test_no_search_goes_through_what_a_command_imports() -> None:
    """Python counts its searches; by default it goes through everything several times."""
    code = (
        "import atexit, gc, sys; from bench.__main__ import main; "
        "atexit.register(lambda: print('torch' in sys.modules, gc.get_stats()[2]['collections'])); "
        "sys.argv[1:] = ['run', '--device', 'no such']; main()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stdout.split() == ["True", "0"], ended.stderr
