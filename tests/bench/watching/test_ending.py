"""Proves where a script is searched for what it does at the end symbol."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from bench.watching.measure.evaluation.ending import compares_end

DECODES = "def decode(model):\n    return [model() for _ in range(9)]\n"
CUTS = "def text(ids):\n    return ids[: ids.index(13)]\n"
NOTHING = "def text(ids):\n    return ids\n"


@pytest.mark.parametrize(("other", "cut"), [(CUTS, True), (NOTHING, False)])
def test_outputs_may_be_cut_in_a_module_beside_the_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str, cut: bool
) -> None:
    script = tmp_path / "train.py"
    script.write_text(DECODES)
    name = f"texts_that_are_cut_{cut}"
    (tmp_path / f"{name}.py").write_text(other)
    assert not compares_end([str(script)], 13)  # nothing is imported yet
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module(name)
    assert compares_end([str(script)], 13) is cut
