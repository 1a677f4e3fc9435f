"""Proves that the wild scripts are what their files say, and that their scores are recorded."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.wild import __main__ as recording
from tests.wild.scripts import HALVES, STARTING, WildScript, scores, scripts

ALL = (*HALVES, STARTING)


@pytest.mark.parametrize("half", ALL)
def test_every_replacement_applies_and_makes_another_script(half: str) -> None:
    found = scripts(half)  # raises if an old text does not occur once
    assert len({script.title for script in found}) == len(found)
    texts = [(script.style, script.text) for script in found]
    assert len(set(texts)) == len(texts)
    for script in found:
        compile(script.text, script.title, "exec")


@pytest.mark.parametrize("half", ALL)
def test_each_script_has_scores_for_both_seeds_and_no_other_has(half: str) -> None:
    wanted = {(script.title, seed) for script in scripts(half) for seed in recording.SEEDS}
    assert sorted(set(scores(half)) ^ wanted) == []


def test_scripts_on_which_rules_are_made_are_sound_or_harmed() -> None:
    assert recording.faulty("building") == []


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of halves with two scripts, and scores of them that are given by their names."""
    made = {"lasts": math.nan, "learns": 0.9}
    monkeypatch.setattr("tests.wild.scripts.HERE", tmp_path)
    monkeypatch.setattr(recording, "HERE", tmp_path)
    monkeypatch.setattr(
        recording,
        "scripts",
        lambda half: [
            WildScript(half, "s", "lasts", ""),
            WildScript(half, "s", "learns", ""),
            WildScript(half, "s", "meant", "", (("x",),), crashes=True),
        ],
    )
    monkeypatch.setattr(recording, "run", lambda script, seed: made.get(script.name, math.nan))
    (tmp_path / "half").mkdir()
    monkeypatch.setattr(recording, "made", made, raising=False)
    return tmp_path


def test_a_script_without_a_score_is_run_again(folder: Path) -> None:
    recording.record("half")
    first = scores("half")
    assert len(first) == 6
    assert math.isnan(first["s/lasts", 0])
    recording.made["lasts"] = 0.7  # type: ignore[attr-defined]
    recording.made["learns"] = 0.1  # type: ignore[attr-defined]
    recording.record("half")
    again = scores("half")
    assert (again["s/lasts", 0], again["s/lasts", 1]) == (0.7, 0.7)
    assert again["s/learns", 0] == 0.9
    lines = (folder / "half" / "scores.tsv").read_text().splitlines()
    assert len(lines) == len(set(lines)) == 7


def test_a_script_that_is_meant_to_fail_is_run_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording.record("half")

    def refuse(script: WildScript, seed: int) -> float:
        assert script.name == "lasts"
        return math.nan

    monkeypatch.setattr(recording, "run", refuse)
    recording.record("half")
