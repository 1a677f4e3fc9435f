"""Proves that a machine measures its libraries of products once, and keeps what it found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.training import products
from variants.fast import matmul


def test_what_was_measured_first_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([2**24, None])
    monkeypatch.setattr(products, "measured", lambda: next(found))
    file = tmp_path / "cache" / "products.json"
    assert products._kept_in(file) == 2**24
    assert products._kept_in(file) == 2**24, "not measured again"
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("text", ["", "[]", "{}", "not json"])
def test_a_damaged_file_is_measured_anew(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "measured", lambda: 5)
    file = tmp_path / "products.json"
    file.write_text(text, encoding="utf-8")
    assert products._kept_in(file) == 5
    assert products._kept_in(file) == 5
    assert json.loads(file.read_text(encoding="utf-8")) == {"onednn_from": 5}


def seconds(usual: float, onednn: dict[int, float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the usual library take so long, and oneDNN so long by its number of rows."""
    monkeypatch.setattr(matmul, "has_onednn", lambda: True)
    monkeypatch.setattr(matmul, "usual_product", lambda left, right: 0)
    monkeypatch.setattr(matmul, "onednn_product", lambda left, right: len(left))
    monkeypatch.setattr(
        products, "_fastest", lambda *calls: [usual, onednn[[call() for call in calls][1]]]
    )


def test_onednn_is_used_from_where_it_is_faster_up_to_the_largest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(products, "MEASURED", ((1, 2, 2), (2, 2, 2), (4, 2, 2)))
    seconds(1.0, {4: 0.5, 2: 0.5, 1: 0.95}, monkeypatch)
    assert products.measured() == 8
    seconds(1.0, {4: 0.95, 2: 0.5, 1: 0.5}, monkeypatch)
    assert products.measured() is None
    seconds(1.0, {4: 0.5, 2: 0.5, 1: 0.5}, monkeypatch)
    assert products.measured() == 4


def test_without_onednn_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matmul, "has_onednn", lambda: False)
    assert products.measured() is None
