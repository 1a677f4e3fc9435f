"""Proves that `bench run` with a larger budget goes on, and that `drop` keeps what that takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from results.store import reading
from tests.bench.cli.commands import Bench


@pytest.mark.usefixtures("no_workers")
def test_a_larger_budget_goes_on_and_dropped_runs_keep_their_state(
    bench: Bench, store: Path
) -> None:
    given = "run --task opposites --base hidden=8 --seeds 1 --workers 1 --budget".split()
    assert bench(*given, "20steps", "--keep-weights")[0] == 0
    code, out, _ = bench(*given, "40steps")
    assert code == 0
    assert "1 runs go on from where their shorter runs ended" in out
    assert "evaluated every 1" in out
    assert "1 of 1 runs are finished already" in bench(*given, "40steps")[1]
    with reading(store) as opened:
        (short,) = (r.id for r in opened.records() if opened.weights(r.id).is_file())
    assert bench("drop", short, "--yes")[0] == 0
    assert not list((store / "weights").iterdir())
    assert bench("undrop", short)[0] == 0
    assert len(list((store / "weights").iterdir())) == 2
