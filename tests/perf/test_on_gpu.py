"""Proves that the GPU check goes on where it stopped, finds differences, and runs on the CPU."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tests.perf.on_gpu.__main__ import PARTS, main
from tests.perf.on_gpu.correct import TOLERANCE, difference
from tests.perf.on_gpu.parts import Asked, Kept, Part, do

ASKED = Asked("cpu", quick=True)
MACHINE = {"device": "cpu"}


def outcome(loss: float) -> dict[str, Any]:
    return {"curve": [{"loss": 1.0, "valid_loss": 2.0}, {"loss": loss, "valid_loss": 2.0}]}


def test_parts_that_are_done_are_passed_over_and_errors_end_one_part(tmp_path: Path) -> None:
    done: list[str] = []
    said: list[str] = []

    def works(asked: Asked) -> dict[str, Any]:
        done.append("works")
        return {"rows": [1]}

    def breaks(asked: Asked) -> dict[str, Any]:
        done.append("breaks")
        raise ValueError("no kernel")

    parts = [Part("breaks", breaks), Part("works", works)]
    for _ in range(2):
        assert do(parts, ASKED, Kept(tmp_path / "kept.json", MACHINE), 60, said.append) == []
    assert done == ["breaks", "works", "breaks"]
    assert "no kernel" in said[0]
    assert "done before" in said[-1]


def test_what_time_does_not_allow_is_left_for_the_next_call(tmp_path: Path) -> None:
    parts = [Part("late", lambda asked: {"rows": []})]
    kept = Kept(tmp_path / "kept.json", MACHINE)
    assert do(parts, ASKED, kept, -1, print) == ["late"]
    assert do(parts, ASKED, kept, 60, print) == []


def test_figures_of_two_machines_are_not_mixed(tmp_path: Path) -> None:
    Kept(tmp_path / "kept.json", MACHINE).keep("one", {"rows": []})
    with pytest.raises(SystemExit, match="another machine"):
        Kept(tmp_path / "kept.json", {"device": "H100"})


@pytest.mark.parametrize("loss", [1.1, math.nan, math.inf])
def test_another_loss_is_a_difference(loss: float) -> None:
    assert difference("gru", outcome(1.0), outcome(1.0), TOLERANCE).wrong == ""
    assert "gru: differs" in difference("gru", outcome(1.0), outcome(loss), TOLERANCE).wrong
    failed = {**outcome(1.0), "error": "out of memory"}
    assert difference("gru", outcome(1.0), failed, TOLERANCE).wrong == "gru: out of memory"


@pytest.mark.usefixtures("no_workers")
def test_a_dry_run_on_the_cpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "kept.json"
    assert main(["--device", "cpu", "--quick", "--keep", str(file)]) == 0
    found = json.loads(file.read_text())["parts"]
    assert list(found) == [part.name for part in PARTS]
    assert "| cells | 4 | 4 |" in capsys.readouterr().out
