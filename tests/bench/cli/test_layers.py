"""Proves that recorded layers are averaged, exported and printed, and what is said without any."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from bench.api.export import layer_frame
from results.layers import LAYER_TITLES, examined_layers, layer_curves, layer_rows
from results.record import Record
from results.show.layers import show_layers
from results.store import writing
from tests.bench.cli.commands import Bench, rows
from tests.records import SUITE, record


def point(step: int, value: float | None) -> dict[str, Any]:
    return {
        "step": step,
        "parameters": {
            "embedding.table": {
                "gradient_norm": value,
                "weight_norm": 2.0,
                "update_ratio": 0.001,
                "zero_gradients": 0.5,
            }
        },
        "layers": {
            "encoder.stack.cells.0": {
                "saturation": 0.25,
                "gates": 0.125,
                "memory": 10.0,
                "memory_largest": 20.0,
            }
        },
    }


def recorded(seed: int, *values: float | None, **changes: Any) -> Record:
    made = record(seed, **changes)
    layers = [point(10 * (n + 1), value) for n, value in enumerate(values)]
    return Record(made.id, made.spec, {**made.outcome, "layers": layers}, made.measured)


HEALTH = {
    "step": {"gradients": {"w": 0.5}, "updates": {"w": 0.001, "table": 0.0}},
    "hidden": {"encoder.cell": {"saturated": [0.1, 0.9], "gates": [0.0, 0.2], "memory": 15.0}},
    "frozen": ["table"],
    "leak": {},
}


def text_of(one: Record, width: int = 80) -> str:
    out = io.StringIO()
    show_layers(one, Console(file=out, width=width))
    return out.getvalue()


def test_seeds_are_averaged_layer_by_layer() -> None:
    curves = layer_curves([recorded(0, 1.0, 2.0), recorded(1, 3.0, None)], SUITE, "gradient_norm")
    (curve,) = curves
    assert (curve["variant"], curve["layer"], curve["seeds"]) == ("base", "embedding.table", 2)
    assert curve["points"] == [
        {"step": 10, "mean": 2.0, "least": 1.0, "most": 3.0},
        {"step": 20, "mean": None, "least": None, "most": None},
    ]
    assert [c["layer"] for c in layer_curves([recorded(0, 1.0)], SUITE, "memory")] == [
        "encoder.stack.cells.0"
    ]


def test_an_unknown_figure_and_no_record_are_said() -> None:
    with pytest.raises(ValueError, match="there are gradient_norm"):
        layer_curves([recorded(0, 1.0)], SUITE, "los")
    with pytest.raises(ValueError, match="bench run --layers"):
        layer_curves([record(0)], SUITE, "memory")


def test_rows_hold_every_figure_once() -> None:
    found = list(layer_rows([recorded(0, 1.0, 2.0), record(1)], SUITE))
    assert len(found) == 2 * len(LAYER_TITLES)
    assert {row["figure"] for row in found} == set(LAYER_TITLES)
    assert {row["run"] for row in found} == {recorded(0).id}


def test_a_frame_is_a_row_a_figure(tmp_path: Path) -> None:
    with writing(tmp_path) as store:
        one = recorded(0, 1.0, 2.0)
        store.begin(one.id, one.spec)
        store.add(one)
        store.set_plan([], SUITE)
    frame = layer_frame(tmp_path)
    assert isinstance(frame, pd.DataFrame)
    norms = frame[frame.figure == "gradient_norm"]
    assert norms.pivot(index="step", columns="layer", values="value").to_dict() == {
        "embedding.table": {10: 1.0, 20: 2.0}
    }


@pytest.mark.parametrize("width", [80, 120])
def test_a_run_shows_each_figure_within_the_width(width: int) -> None:
    text = text_of(recorded(0, 1.0, None, 4.0), width)
    assert all(title in text for title in LAYER_TITLES.values())
    assert "1 to 4" in text
    assert "×" in text
    assert max(map(len, text.splitlines())) <= width


def test_without_a_record_the_examination_is_shown() -> None:
    made = record(0)
    whole = Record(made.id, made.spec, {**made.outcome, "health": HEALTH}, made.measured)
    text = text_of(whole)
    assert "bench run --layers" in text
    assert "table (frozen)" in text
    assert "90%" in text
    assert examined_layers(HEALTH)["encoder.cell"]["memory_largest"] == 15.0
    assert examined_layers({}) == {}


@pytest.fixture
def bench_with_layers(bench: Bench, store: Path) -> Bench:
    with writing(store) as opened:
        for one in (recorded(0, 1.0, 2.0), recorded(0, 4.0, 5.0, cell="lstm"), record(1)):
            opened.begin(one.id, one.spec)
            opened.add(one)
        opened.set_plan([], SUITE)
    return bench


def test_curves_of_layers(bench_with_layers: Bench) -> None:
    code, out, err = bench_with_layers("curves", "--layers", "--metric", "memory", "--json")
    assert (code, err) == (0, "")
    assert {row["variant"] for row in rows(out)} == {"base", "cell=lstm"}
    assert all(row["points"][0]["mean"] == 10.0 for row in rows(out))
    assert "embedding.table" in bench_with_layers("curves", "--layers")[1]
    one = bench_with_layers("curves", "--layers", "--variant", "cell=lstm", "--json")[1]
    assert {row["variant"] for row in rows(one)} == {"cell=lstm"}
    assert bench_with_layers("curves", "--layers", "--metric", "nonsense")[0] == 2


def test_layers_are_exported_and_reported(bench_with_layers: Bench, tmp_path: Path) -> None:
    code, out, _ = bench_with_layers("export", "--layers", "--format", "json")
    assert code == 0
    assert len(rows(out)) == 4 * len(LAYER_TITLES)
    assert bench_with_layers("export", "--layers", "--format", "latex")[0] == 2
    assert bench_with_layers("export", "--layers", "--effects")[0] == 2
    page = tmp_path / "report.html"
    assert bench_with_layers("report", "--output", str(page))[0] == 0
    html = page.read_text("utf-8")
    assert "parameters and layers over training" in html
    assert LAYER_TITLES["update_ratio"] in html


def test_nothing_recorded_is_a_sentence(bench: Bench, filled: Path) -> None:
    code, _, err = bench("export", "--layers")
    assert code == 2
    assert "bench run --layers" in err
