"""Proves that garbage is searched for seldom while much is imported, and as usual in training."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bench.collection import SELDOM, search_as_usual, search_seldom
from bench.training.process import prepare_process


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


def test_no_search_goes_through_what_a_command_imports() -> None:
    """Python counts its searches; by default it goes through everything several times."""
    code = (
        "import atexit, gc, sys; from bench.__main__ import main; "
        "atexit.register(lambda: print('torch' in sys.modules, gc.get_stats()[2]['collections'])); "
        "sys.argv[1:] = ['run', '--device', 'no such']; main()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stdout.split() == ["True", "0"]
