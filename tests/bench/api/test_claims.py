"""Proves that claims are planned, run and judged from Python."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from bench.api.claims import (
    planned_claims,
    run_claims,
    stored_records,
    stored_verdicts,
    whole_plan,
)
from bench.engines.choose import EngineOptions, engine_of
from results.store import writing

CLAIM = """
about = "an RNN is as good as an RNN"
source = "nobody"
reported = "nothing"
checked = "no"
scaled = "tiny"
trained = "for a week"
rates = "common"
task = "opposites"
base = { hidden = 8, embedding = 8 }
steps = 5
seeds = 2

[side]
rnn = { cell = "rnn" }
gru = {}

[[compare]]
says = "GRU is better than an RNN"
a = "gru"
b = "rnn"
expected = "better"
"""


@pytest.fixture
def claim(tmp_path: Path) -> str:
    """A claim file with four runs of five steps."""
    file = tmp_path / "tiny.toml"
    file.write_text(CLAIM)
    return str(file)


def test_a_claim_is_judged_by_its_runs(claim: str, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    planned = planned_claims([claim], "cpu", folder)
    (row,) = stored_verdicts(planned, folder)
    assert (row["claim"], row["word"], row["runs"]) == ("tiny", "undecided", 0)
    assert not folder.exists()
    assert len(whole_plan(planned).specs) == 4
    description = planned[0].claim.description()
    assert description["budget"] == "5 steps of 32 examples, trained to the end, 2 seeds"
    assert description["rates"].startswith("one learning rate for all sides, 0.")
    assert set(description["sides"]) == {"rnn", "gru"}
    options = EngineOptions(workers=1)
    with closing(engine_of(options, "cpu", 4, folder)) as engine, writing(folder) as store:
        (row,) = run_claims(planned, store, engine)
    assert (row["runs"], row["pairs"]) == (4, 2)
    assert stored_verdicts(planned, folder) == [row]
    sides = stored_records(planned[0], folder)
    assert {side: len(records) for side, records in sides.items()} == {"rnn": 2, "gru": 2}


def test_an_unknown_claim_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="did you mean attention"):
        planned_claims(["atention"], "cpu", tmp_path)
