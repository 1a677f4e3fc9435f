"""Proves what is printed while something goes on, and that lists answer without torch."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from rich.console import Console

from bench.cli.terminal import busy
from bench.cli.terminal.busy import left_text
from bench.cli.terminal.progress import Progress
from bench.engines.contract import Event
from bench.plan.estimate import share_done
from bench.plan.remaining import TimeLeft
from bench.specs import Budget, RunSpec, make
from tests.bench.cli.commands import ROOT, Bench, rows
from variants import BASE


def spec(seed: int = 0, steps: int = 0, tokens: int = 0, seconds: float = 0.0) -> RunSpec:
    budget = Budget(steps or (0 if tokens or seconds else 100), tokens, seconds, stop="solved")
    return make("opposites", "d", asdict(BASE), budget, seed, "cpu")


def test_progress_counts_steps_and_says_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("bench.cli.terminal.progress.time.monotonic", lambda: now[0])
    out = Console(file=io.StringIO(), width=80)
    specs = {str(n): spec(n) for n in range(4)}
    shown = Progress(specs, lambda _: 20.0, 1, out)
    shown.on_event(Event("started", "0", {}))
    now[0] = 12.0
    shown.on_event(Event("point", "0", {"point": {"step": 30, "tokens": 1, "loss": 2.0}}))
    now[0] = 24.0
    shown.on_event(Event("finished", "0", {"outcome": {"status": "solved"}}))
    assert isinstance(out.file, io.StringIO)
    lines = out.file.getvalue().splitlines()
    assert lines[0].startswith("0 of 4 runs, 10% of the work, about ")
    assert lines[0].endswith(" left (49 s to 3 min)") or " left (" in lines[0]
    assert lines[1] == "  opposites base seed 0 step 30 of 100, loss 2.000"
    assert lines[2].startswith("1 of 4 runs, 1 solved, 25% of the work, about ")


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (TimeLeft(0, 0, 0), "done"),
        (TimeLeft(30, 40, 75), "about 40 s left (30 s to 75 s)"),
        (TimeLeft(0.01, 0.02, 0.03), "about 1 s left"),
        (TimeLeft(180, 240, 360), "about 4 min left (3 min to 6 min)"),
    ],
)
def test_the_time_left_has_bounds_and_is_above_zero(left: TimeLeft, text: str) -> None:
    assert left_text(left) == text


def test_the_share_of_a_run_is_that_of_its_budget() -> None:
    assert share_done(spec(steps=100), {"step": 30, "tokens": 0}) == pytest.approx(0.4)
    assert share_done(spec(tokens=1000), {"step": 1, "tokens": 375}) == pytest.approx(0.5)
    assert share_done(spec(seconds=60), {"step": 9, "tokens": 9}) == 0
    assert share_done(spec(steps=100), {"step": 100, "tokens": 0}) == 1


def test_what_takes_a_while_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(busy, "LINE_INTERVAL", 0.01)
    with busy.Busy("checking cell=mine") as doing:
        doing.count(3, 8)
        while not capsys.readouterr().err.startswith("bench: checking cell=mine, 3 of 8, 0 s\n"):
            doing.count(3, 8)
    # what is quick says nothing
    monkeypatch.setattr(busy, "LINE_INTERVAL", 1000.0)
    with busy.Busy("quick"):
        pass
    assert "quick" not in capsys.readouterr().err


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "seq2seq-bench"


def test_the_index_fits_one_screen(bench: Bench, cache: Path) -> None:
    code, out, err = bench("list")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) <= 25
    assert max(map(len, lines)) <= 80
    assert "cell (10)" in out
    for kind in ("tasks", "matrices", "axes", "faults"):
        assert any(line.startswith(kind) for line in lines)
    # from then on it needs no torch
    (kept,) = cache.glob("listing-*.json")
    assert json.loads(kept.read_text("utf-8"))
    command = "import sys; from bench.cli.app import main; main(['list'])"
    command += "; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.stdout.splitlines()[-1] == "False"
    assert done.stdout.startswith("tasks     increment")


def test_a_list_says_more_of_a_name(bench: Bench, cache: Path) -> None:
    code, out, err = bench("list", "cell")
    assert (code, err) == (0, "")
    assert "gru (base), lstm" in " ".join(out.split())
    assert "lstm: The cell c' = f c + i g" in " ".join(out.split())
    value = bench("list", "lstm")[1]
    assert value.startswith("axes of a variant")
    assert "\nlstm: " in value
    assert "\ngru: " not in value
    assert "word_length" in bench("list", "reversal")[1] or "mode=" in bench("list", "reversal")[1]
    assert "depth sets encoder_depth and decoder_depth together" in bench("list", "depth")[1]
    assert {row["kind"] for row in rows(bench("list", "faults", "--json")[1])} == {"fault"}
    assert "tasks" in bench("list", "all")[1]
    code, out, err = bench("list", "gruu")
    assert (code, out) == (2, "")
    assert "nothing is called 'gruu'" in err
    assert "did you mean gru" in err
    assert bench("list", "cell", "--markdown")[0] == 2
