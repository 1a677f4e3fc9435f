"""Helpers for tests of the command line: processes of their own, and rows of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]

TINY = "run --task opposites --vary cell=rnn --seeds 2 --budget 30 --workers 1".split()

Bench = Callable[..., tuple[int, str, str]]


def process(*arguments: str, **changes: str) -> tuple[int, str, str]:
    """A command in a process of its own."""
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "BENCH_STORE")}
    done = subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT,
        env=environment | changes,
        capture_output=True,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def rows(text: str) -> list[dict[str, Any]]:
    read = json.loads(text)
    assert set(read) == {"schema", "rows"}
    found: list[dict[str, Any]] = read["rows"]
    return found
