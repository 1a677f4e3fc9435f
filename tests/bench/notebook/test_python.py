"""Proves that `import bench` serves scripts and notebooks as the command line serves a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, cast

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch

import bench
from results.store import writing
from tests.records import record

mpl.use("agg")

SCRIPT = """
import sys
import torch
from torch import nn

import bench
from variants.cells import Cell, Hidden

SCALE = 1.0
f = object()  # what a method calls f is its own


def mix(h_BH, f, candidate):
    return h_BH + SCALE * f * (candidate - h_BH)


class MGU(Cell):
    gates = 2

    def __init__(self, input_size, hidden):
        super().__init__(input_size, hidden)
        self.inputs = nn.Linear(input_size, 2 * hidden)
        self.forget = nn.Linear(hidden, hidden, bias=False)
        self.candidate = nn.Linear(hidden, hidden, bias=False)

    def project(self, inputs):
        return self.inputs(inputs)

    def advance(self, gates_BG, state, dropped_BH=None):
        h_BH = state.h_BH
        recurrent_BH = h_BH if dropped_BH is None else h_BH * dropped_BH
        f, candidate = gates_BG.chunk(2, dim=-1)
        f = torch.sigmoid(f + self.forget(recurrent_BH))
        return Hidden(mix(h_BH, f, torch.tanh(candidate + self.candidate(f * recurrent_BH))))

    def recurrent_blocks(self):
        return self.forget.weight, self.candidate.weight


bench.register(cell={"mine": MGU})
answer = bench.run(
    "reversal:pairs=8", cell=["gru", "mine"], attention="dot", hidden=16, seeds=2,
    budget="20steps", workers=1, keep_weights=True, store=sys.argv[1],
)
print(answer)
"""
"""A script without `if __name__ == "__main__"`, with a cell of its own."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store that the script filled, run as a user runs one."""
    folder = tmp_path_factory.mktemp("python")
    script = folder / "experiment.py"
    script.write_text(SCRIPT, "utf-8")
    done = subprocess.run(
        [sys.executable, str(script), str(folder / "store")],
        capture_output=True,
        text=True,
        cwd=Path(bench.__file__).parents[1],
        env={**os.environ, "PYTHONPATH": str(Path(bench.__file__).parents[1])},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "cell=mine" in done.stdout
    assert "exact match" in done.stdout
    return folder / "store"


def test_every_name_is_there() -> None:
    missing = [name for name in bench.__all__ if getattr(bench, name, None) is None]
    assert not missing
    assert set(bench.__all__) <= set(dir(bench))


def test_importing_it_loads_nothing_slow() -> None:
    code = "import sys, bench; print([m for m in ('torch', 'pandas', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_runs_are_a_frame_with_types(store: Path) -> None:
    frame = bench.runs(store)
    assert len(frame) == 4
    assert sorted(frame["cell"].unique()) == ["gru", "mine"]
    assert "hidden" not in frame.columns  # it does not vary
    assert frame["seed"].dtype == "int64"
    assert frame["score"].dtype == "float64"
    assert frame["tokens_to_target"].isna().all()
    assert (frame["steps"] == 20).all()
    assert set(frame["trend"]) <= {"flattened", "still rising", "cannot tell"}


def test_curves_and_outputs_are_frames(store: Path) -> None:
    run = str(bench.runs(store).index[0])
    curves = bench.curves(store)
    assert set(curves["run"]) == set(bench.runs(store).index)
    assert curves[curves["run"] == run]["step"].is_monotonic_increasing
    outputs = bench.outputs(run[:8], store)
    assert {"source", "reference", "output", "ended"} <= set(outputs.columns)
    assert len(outputs) == 500  # all of test
    row = outputs.iloc[3]
    assert row["reference"] == row["source"][::-1]
    assert row["length"] == len(row["source"])
    assert outputs["right"].mean() == bench.runs(store).loc[run, "score"]


def test_outputs_are_scored_by_a_function_of_ones_own(store: Path) -> None:
    def mean_length(outputs: list[str], references: list[tuple[str, ...]]) -> float:
        assert len(outputs) == len(references) == 500
        return sum(map(len, outputs)) / len(outputs)

    found = bench.score("cell=mine,attention=dot,hidden=16", mean_length, store=store)
    assert found["metric"].tolist() == ["mean_length"] * 2
    run = str(found["run"][0])
    lengths = bench.outputs(run, store)["output"].str.len()
    assert found["score"][0] == pytest.approx(lengths.mean())
    assert bench.score(run, "cer", store=store)["score"][0] > 0
    odd: Any = lambda outputs, references: "x"  # noqa: E731
    with pytest.raises(ValueError, match="the metric returned 'x'; return one number"):
        bench.score(run, odd, store=store)


def test_scores_are_drawn_by_length(store: Path) -> None:
    run = str(bench.runs(store).index[0])
    ax = bench.plot.by_length(run, measure="token_accuracy", store=store)
    (line,) = ax.get_lines()
    middles, drawn = (np.asarray(v, dtype=float) for v in (line.get_xdata(), line.get_ydata()))
    frame = bench.outputs(run, store)
    least = frame["length"].min()
    assert (np.diff(middles) > 0).all()
    first = frame[frame["length"] <= 2 * middles[0] - least]
    assert drawn[0] == pytest.approx(first["token_accuracy"].mean())
    with pytest.raises(ValueError, match="no score 'bleu'; choose exact_match"):
        bench.plot.by_length(run, measure="bleu", store=store)


def test_outputs_of_an_older_version_are_its_samples(tmp_path: Path) -> None:
    with writing(tmp_path) as opened:
        opened.add(record(0))
    with pytest.warns(UserWarning, match="by an older version, which kept no outputs") as told:
        frame = bench.outputs(record(0).id, tmp_path)
    assert told[0].filename == __file__
    assert frame["output"].tolist() == ["ac"]


def test_a_finished_run_is_not_done_again(store: Path) -> None:
    before = bench.runs(store)
    answer = bench.run(
        "reversal:pairs=8",
        attention="dot",
        hidden=16,
        seeds=2,
        budget="20steps",
        workers=1,
        store=store,
    )
    pd.testing.assert_frame_equal(bench.runs(store), before)
    assert len(answer) == 1
    assert answer.frame()["seeds"].tolist() == [2]


def test_an_answer_is_text_html_and_a_frame(store: Path) -> None:
    answer = bench.compare(
        "cell=mine,attention=dot,hidden=16", "attention=dot,hidden=16", store=store
    )
    assert "exact match" in str(answer)
    assert answer._repr_html_().startswith("<pre")
    frame = answer.frame()
    effects = frame[frame["effect"].notna() | frame["refused"].notna()]
    assert set(effects["measure"]) >= {"exact_match", "tokens_per_second"}
    assert effects["pairs"].tolist() == [2] * len(effects)
    assert frame["sentences"].dropna().tolist() == [500]  # chance in examples of test
    json.dumps(answer.rows)  # plain values, as --json prints them


def test_an_axis_is_drawn_with_its_intervals(store: Path) -> None:
    answer = bench.axis("cell", store=store)
    ax = bench.plot.compare(answer)
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels == ["reversal:pairs=8: cell=mine against cell=gru"]
    with pytest.raises(ValueError, match="no row has an effect on 'speed'; choose exact_match"):
        bench.plot.compare(answer, measure="speed")


def test_an_axis_is_asked_again_with_other_seeds(store: Path) -> None:
    rows = bench.axis("cell", again="1:2", store=store).rows
    scores = [row for row in rows if row["measure"] == "exact_match"]
    assert [(row["pairs"], "again_effect" in row) for row in scores] == [(1, True)]
    assert "again_effect" not in bench.axis("cell", store=store).rows[0]
    with pytest.raises(ValueError, match="seeds"):
        bench.axis("cell", again="some", store=store)


def test_curves_are_compared_and_their_difference_is_drawn(store: Path) -> None:
    answer = bench.compare("cell=mine", "cell=gru", along="steps", store=store)
    frame = answer.frame()
    assert frame["at"].is_monotonic_increasing
    assert list(frame["effect"]) == pytest.approx(list(frame["a_mean"] - frame["b_mean"]))
    assert "4 more of each are needed" in str(answer)
    ax = bench.plot.along(answer)
    assert ax.get_xlabel() == "steps"
    assert np.asarray(ax.lines[0].get_ydata()) == pytest.approx(frame["effect"].to_numpy())
    with pytest.raises(ValueError, match="one comparison along curves is drawn"):
        bench.plot.along(bench.compare("cell=mine", "cell=gru", store=store))
    with pytest.raises(ValueError, match="give one of them"):
        bench.compare("cell=mine", "cell=gru", along="steps", fair="all", store=store)


def test_curves_are_drawn_from_the_lowest_seed_to_the_highest(store: Path) -> None:
    ax = bench.plot.curves("loss", store=store)
    frame = bench.curves(store)
    drawn = {line.get_label(): line for line in ax.get_lines()}
    assert set(drawn) == {"base", "cell=mine"}
    expected = frame[frame["variant"] == "cell=mine"].groupby("step")["loss"].mean()
    assert drawn["cell=mine"].get_ydata() == pytest.approx(expected.to_numpy())
    assert drawn["cell=mine"].get_xdata() == pytest.approx(expected.index.to_numpy())


def test_costs_are_drawn_by_variant(store: Path) -> None:
    ax = bench.plot.cost("parameters", store=store)
    assert {text.get_text() for text in ax.texts} == {"base", "cell=mine"}
    with pytest.raises(ValueError, match="there is no cost 'money'; choose parameters"):
        bench.plot.cost("money", store=store)


def test_a_model_begins_with_the_weights_of_a_run() -> None:
    first = bench.model("cell=lstm", task="reversal", seed=3)
    second = bench.model("cell=lstm", task="reversal", seed=3)
    other = bench.model("cell=lstm", task="reversal", seed=4)
    pairs = list(zip(first.parameters(), second.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert not all(torch.equal(a, c) for a, _, c in pairs)
    data = bench.task("reversal")
    assert repr(data) == "reversal: train 8,000, valid 500, test 500 examples"
    logits = first.score(data.batch("train", 3))
    assert logits[0].shape[-1] == data.task.facts.target_sizes[0]


def test_a_loaded_model_translates_and_shows_where_it_attends(store: Path) -> None:
    frame = bench.runs(store)
    trained = bench.load("attention=dot,hidden=16", store=store)
    assert trained.run in frame[frame["cell"] == "gru"].index
    one = trained.translate("treap")
    assert isinstance(one, dict)
    several = trained.translate(["treap", "abc"], beam=2)
    assert isinstance(several, list)
    assert [row["source"] for row in several] == ["treap", "abc"]
    ax = bench.plot.attention(one)
    assert [text.get_text() for text in ax.get_xticklabels()] == list("treap")


def test_a_diagnosis_names_the_run(store: Path) -> None:
    run = str(bench.runs(store).index[0])
    answer = bench.diagnose(run[:8], store=store)
    assert run in str(answer)
    assert answer.rows[0]["findings"] is not None


def test_a_claim_shows_its_source_without_any_run(tmp_path: Path) -> None:
    answer = bench.claim("attention", store=tmp_path / "none")
    assert "Bahdanau" in str(answer)
    assert len(answer) == 2


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda folder: bench.run("reversl", store=folder), "did you mean reversal"),
        (lambda folder: bench.run("reversal", cell=["gruu"], store=folder), "gru"),
        (lambda folder: bench.run("reversal", celll=["gru"], store=folder), "did you mean cell"),
        (lambda folder: bench.run("reversal", seed=5, store=folder), "did you mean seeds"),
        (lambda folder: bench.run(cast("str", 5), store=folder), "5 is neither a name nor several"),
        (lambda folder: bench.run("reversal", rerun="al", store=folder), "did you mean all"),
        (lambda folder: bench.run("reversal", fault="x", store=folder), "fault 'x' is not one of"),
        (lambda folder: bench.outputs(cast("str", None), folder), "None calls no run"),
        (lambda folder: bench.runs(stores=[]), "stores is empty"),
        (lambda folder: bench.runs(folder), "there is no store"),
        (lambda folder: bench.load("00", store=folder), "there is no store"),
        (lambda folder: bench.task("en-zh:corpus=nothing", store=folder), "nothing"),
        (lambda folder: bench.model("cell=lstm", task="reversl"), "did you mean reversal"),
        (
            lambda folder: bench.run(matrix={"block": [{"tasks": ["reversal"]}]}, store=folder),
            "steps",
        ),
    ],
)
def test_mistakes_are_a_value_error_of_one_sentence(
    call: object, sentence: str, tmp_path: Path
) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=sentence) as caught:
        call(tmp_path / "store")
    assert len(str(caught.value).splitlines()) == 1


def test_a_definition_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    code = textwrap.dedent("""
        import bench
        handle = open(__file__)
        def uses():
            return handle
        try:
            bench.register(optimizer={"mine": uses})
        except ValueError as error:
            print(error)
    """)
    path = tmp_path / "notebook.py"
    path.write_text(code, "utf-8")
    root = str(Path(bench.__file__).parents[1])
    env = {**os.environ, "PYTHONPATH": root}
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, env=env, check=True
    )
    assert done.stdout.startswith("uses uses handle, a TextIOWrapper, which cannot be written")
