"""Proves what throughput counts, and that its command says what it measured. Nothing is timed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from bench.cli.app import main
from bench.speed import timing
from bench.speed.cases import Shape, random_workload, task_workload
from bench.speed.roofline import MachineRates
from bench.training.batching import collate
from results.export.files import JSON_SCHEMA
from results.show import throughput as shown
from results.tables.throughput import throughput_line
from tasks import EOS, build
from variants.axes import parse

SMALL = ["--batch", "2", "--source", "3", "--target", "4", "--vocabulary", "9", "--repeats", "2"]
KEYS = {
    "variant", "axes", "work", "workload", "step_seconds", "step_seconds_each", "device_seconds",
    "tokens_per_second", "source_tokens_per_second", "padding_share", "flops_per_step",
    "flops_per_second", "bytes_per_step", "machine_flops_per_second", "machine_bytes_per_second",
    "machine_share", "peak_bytes", "warm_up_seconds", "disturbed", "repeats", "parameters",
    "machine", "sweep", "sweep_value", "busy_seconds", "reserved_bytes", "replicas",
}  # fmt: skip


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timings of one pass, and small probes of the machine."""
    monkeypatch.setattr(timing, "SHORTEST_TIMING", 0.0)
    monkeypatch.setattr("bench.speed.roofline.MATRIX_SIZE", {"cpu": 8})
    monkeypatch.setattr("bench.speed.roofline.COPIED_BYTES", {"cpu": 64})


def test_a_shape_is_all_real() -> None:
    work = random_workload(Shape(batch=3, source=5, target=4, vocabulary=9), "cpu")
    assert (work.tokens, work.source_tokens, work.padding) == (12, 15, 0.0)
    (batch,) = work.batches
    assert batch.even
    assert int(batch.source_BS.min()) > EOS


def test_of_a_task_all_is_counted() -> None:
    task = build("reversal")
    work = task_workload(task, "reversal", 16, 4, "cpu")
    assert len(work.batches) == 4
    train = task.splits["train"]
    whole = collate(train.take(np.arange(len(train), dtype=np.int64)), task.facts, "cpu")
    places = whole.source_BS.numel() + whole.inputs_BT.numel()
    assert 0.0 <= work.padding < 1 - (int(whole.lengths_B.sum()) + whole.tokens) / places
    assert work.tokens == sum(int(b.mask_BT.sum()) for b in work.batches)


def test_what_a_row_says(monkeypatch: pytest.MonkeyPatch) -> None:
    work = random_workload(Shape(2, 3, 4, 9), "cpu")
    case = timing.prepare("base", parse("hidden=8"), work, "training", "cpu")
    case.seconds, case.disturbed = [0.4, 0.1, 0.2], 1
    limits = MachineRates(flops_per_second=1e6, bytes_per_second=1e15)
    (row,) = timing.rows([case], limits, "cpu")
    assert row["step_seconds"] == 0.2
    assert row["tokens_per_second"] == pytest.approx(8 / 0.2)
    assert row["source_tokens_per_second"] == pytest.approx(6 / 0.2)
    assert row["machine_share"] == pytest.approx(row["flops_per_step"] / 1e6 / 0.2)
    assert row["bytes_per_step"] == 0  # all of it fits into caches
    monkeypatch.setattr("bench.speed.cases.CACHE_BYTES", 0)
    # adam keeps two numbers a weight; all four are read and written
    (row,) = timing.rows([case], limits, "cpu")
    assert row["bytes_per_step"] == 4 * row["parameters"] * 2 * 4
    texts = throughput_line({**row, "sweep": "", "sweep_value": 0})
    assert (texts["ms a step"], texts["busy"], texts["interval"]) == ("200", "1/3", "100-400")


def test_memory_bound_work_is_held_against_the_copy() -> None:
    assert MachineRates(100.0, 10.0).least_seconds(flops=100.0, bytes_moved=50.0) == 5.0
    assert MachineRates(100.0, 10.0).least_seconds(flops=1000.0, bytes_moved=50.0) == 10.0


def test_other_formats_are_not_held_against_float32() -> None:
    work = random_workload(Shape(2, 3, 4, 9), "cpu")
    case = timing.prepare("x", parse("precision=bf16,hidden=8"), work, "training", "cpu")
    case.seconds = [1.0]
    (row,) = timing.rows([case], MachineRates(1e6, 1e9), "cpu")
    assert row["machine_share"] is None
    assert row["flops_per_step"] > 0
    assert throughput_line({**row, "sweep": "", "sweep_value": 0})["of machine"] == ""


def test_sampled_tokens_cost_their_output_layer() -> None:
    """Half-way through a schedule, tokens of the model's own are chosen at every step but one."""
    work = random_workload(Shape(2, 3, 4, 9), "cpu")

    def counted(text: str) -> int:
        variant = parse(f"hidden=8,embedding=4,{text}")
        case = timing.prepare("x", variant, work, "training", "cpu")
        assert case.flops is not None
        return case.flops

    plain = counted("forcing=always")
    for schedule in ("constant", "never", "linear"):
        assert counted(f"forcing={schedule}") == plain + 3 * 2 * (2 * 8 * 9)


def test_made_up_batches_can_start_from_vectors() -> None:
    work = random_workload(Shape(2, 3, 4, 9), "cpu")
    variant = parse("embedding_init=ppmi,hidden=8,embedding=4")
    assert timing.prepare("x", variant, work, "training", "cpu").flops


def test_decoding_goes_to_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the model gives, and in as many steps as the row counts."""
    work = random_workload(Shape(2, 3, 5, 9), "cpu")
    case = timing.prepare("base", parse("hidden=8"), work, "decoding", "cpu")
    steps = 0
    inner = case.state.model.step

    def counted(*given: Any) -> Any:
        nonlocal steps
        steps += 1
        return inner(*given)

    monkeypatch.setattr(case.state.model, "step", counted)
    case.once()
    assert (steps, case.tokens) == (5, 10)


def rows_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main(["throughput", *SMALL, "--json", *arguments]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == JSON_SCHEMA
    rows: list[dict[str, Any]] = told["rows"]
    assert all(set(row) == KEYS for row in rows)
    return rows


def test_rows_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of(capsys, "cell=lstm", "cell=rnn", "--base", "hidden=8,embedding=4")
    assert [(row["variant"], row["work"]) for row in rows] == [
        ("cell=lstm", "training"),
        ("cell=lstm", "decoding"),
        ("cell=rnn", "training"),
        ("cell=rnn", "decoding"),
    ]
    assert all(row["axes"]["hidden"] == 8 and row["repeats"] == 2 for row in rows)


def test_replicas_stand_beside_their_variant(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--base", "hidden=8", "--work", "training", "--replicas", "1,3"]
    rows = rows_of(capsys, "cell=lstm,attention=dot", "dropout=0.1", *given)
    variants = ("cell=lstm,attention=dot", "dropout=0.1")
    names = [variant + many for variant in variants for many in ("", " ×1", " ×3")]
    assert [row["variant"] for row in rows] == names
    alone, one, three, *_ = rows
    assert [row["replicas"] for row in rows] == [1, 1, 3, 1, 1, 3]
    assert alone["flops_per_step"] == one["flops_per_step"] == three["flops_per_step"] / 3
    tokens = [row["tokens_per_second"] * row["step_seconds"] for row in rows[:3]]
    assert tokens == pytest.approx([8, 8, 24])


@pytest.mark.parametrize(
    ("sweep", "values"),
    [("hidden=8..32", [8, 16, 32]), ("length=3,5", [3, 5]), ("depth=1,2", [1, 2])],
)
def test_sweeps(
    sweep: str, values: list[int], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    plot = tmp_path / "cost.svg"
    # a length of its own says how long sources and targets are
    shape = SMALL if not sweep.startswith("length") else [*SMALL[:2], *SMALL[6:]]
    words = ["--sweep", sweep, "--work", "training", "--plot", str(plot)]
    assert main(["throughput", *shape, "--json", *words]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["sweep_value"] for row in rows] == values
    costs = [row["flops_per_step"] for row in rows]
    assert costs == sorted(set(costs))
    drawn = plot.read_text()
    assert all(part in drawn for part in ("<svg", sweep.partition("=")[0], "ms a step"))


def test_a_tagger_trains_alone(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--task", "keyphrase", "--repeats", "2", "--batches", "1", "--base", "hidden=8"]
    assert main(["throughput", "--json", *given]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["work"] for row in rows] == ["training"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cell=lstn"], "lstm"),
        (["--sweep", "hidden=up"], "no range of whole numbers"),
        (["--sweep", "hiden=8,16"], "hidden"),
        (["--plot", "x.svg"], "add --sweep"),
        (["--sweep", "length=2,4", "--task", "reversal"], "leave --task out"),
        (["--work", "both of them"], "training"),
        (["--source", "0"], "source=0 is too small"),
        (["--sweep", "vocabulary=2,8"], "vocabulary=2 is too small"),
        (["--sweep", "hidden=8,16", "--plot", "/nowhere/x.svg"], "there is no folder /nowhere"),
        (["--repeats", "0"], "repeats=0 is too small"),
        (["--replicas", "few"], "no list of whole numbers"),
        (["precision=tf32", "--device", "cpu"], "tf32 is CUDA's"),
        (["--device", "gpu"], "cuda"),
        (["attention=dot", "--task", "keyphrase"], "nothing of this applies"),
    ],
)
def test_wrong_usage_is_told(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["throughput", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_the_table_at_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of(capsys, "--base", "hidden=8", "cell=gru,attention=additive,depth=2")
    shown.show_throughput(rows, Console(width=80, highlight=False))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert any("not shown at 80 columns" in line for line in lines)
