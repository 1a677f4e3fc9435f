"""Proves that MLflow and TensorBoard read back what was handed to them."""

from __future__ import annotations

import math
import socket
from pathlib import Path

import mlflow
import pytest
from hypothesis import given
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from results.export.tracker_target import TrackerError
from results.export.trackers import RUN_TAG, _safe, to_mlflow, to_tensorboard
from results.record import Record
from tests.hostile import names
from tests.records import SUITE, failed, record

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs, not ours

RECORDS = [
    record(0, 0.25, 900),
    record(1, 0.75, cell="lstm"),
    record(0, None, cell='rnn"注意/x'),
    failed(3),
    record(0, 30.0, metric="bleu", task="en-zh:data_seed=1"),
]


def test_mlflow_reads_back_the_runs(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/m.db"
    assert to_mlflow(RECORDS, SUITE, uri) == len(RECORDS)
    client = mlflow.MlflowClient(uri)
    experiments = {e.name: e.experiment_id for e in client.search_experiments()}
    assert "en-zh:data_seed=1 (100 steps, batch 32, cpu)" in experiments
    runs = {run.data.tags[RUN_TAG]: run for run in client.search_runs(list(experiments.values()))}
    assert set(runs) == {one.id for one in RECORDS}
    for one in RECORDS:
        run = runs[one.id]
        assert run.data.params["cell"] == one.variant["cell"]
        assert run.data.params["seed"] == str(one.seed)
        assert (run.info.status == "FAILED") == (one.status == "failed")
    first = RECORDS[0]
    history = client.get_metric_history(runs[first.id].info.run_id, "valid_loss")
    curve = first.outcome["curve"]
    assert sorted((m.step, m.value) for m in history) == [
        (point["step"], point["valid_loss"]) for point in curve
    ]
    assert runs[first.id].data.metrics["test/exact_match"] == 0.25
    assert runs[first.id].data.metrics["tokens_to_target"] == 900
    assert "tokens_to_target" not in runs[RECORDS[1].id].data.metrics


def test_mlflow_gets_each_run_once(tmp_path: Path) -> None:
    file = str(tmp_path / "m.db")
    assert to_mlflow(RECORDS[:2], SUITE, file) == 2
    assert to_mlflow(RECORDS, SUITE, file) == len(RECORDS) - 2
    assert to_mlflow(RECORDS, SUITE, f"sqlite:///{file}") == 0


def test_a_place_that_mlflow_cannot_use(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("mine, and no database at all")
    for target, said in {
        "nonsense://x": "no tracking URI",
        "databricks": "not the name of a file",
        "databricks://me": "no tracking URI",
        "sqlite://": "not the name of a file",
        "sqlite:///:memory:": "not the name of a file",
        "": "not the name of a file",
        str(tmp_path): "not the name of a file",
        str(tmp_path / "text.db"): "not a file of SQLite",
        f"sqlite:///{tmp_path}/text.db": "not a file of SQLite",
        "http://:5000": "names no host",
        "http://localhost:port": "no tracking URI",
        "postgresql+nodriver://me:secret@localhost/db": r"MLflow at .*\*\*\*@localhost/db says",
    }.items():
        with pytest.raises(TrackerError, match=said) as error:
            to_mlflow(RECORDS, SUITE, target)
        assert "secret" not in str(error.value)
    assert (tmp_path / "text.db").read_text() == "mine, and no database at all"
    (tmp_path / "no-folder").touch()
    with pytest.raises((TrackerError, OSError)):
        to_mlflow(RECORDS, SUITE, str(tmp_path / "no-folder" / "m.db"))


def test_a_server_that_is_not_there_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("results.export.tracker_target.getproxies", dict)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        uri = f"http://me:secret@127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(TrackerError, match="nobody answers at http") as error:
            to_mlflow(RECORDS, SUITE, uri)
    assert "secret" not in str(error.value)


@given(names)
def test_a_folder_of_tensorboard_is_never_elsewhere(name: str) -> None:
    safe = _safe(name)
    assert safe not in ("", ".", "..")
    assert "/" not in safe
    assert len(safe.encode()) < 255


def read_back(folder: Path, one: Record) -> EventAccumulator:
    (place,) = folder.rglob(one.id)
    return EventAccumulator(str(place)).Reload()


def test_tensorboard_reads_back_the_runs(tmp_path: Path) -> None:
    assert to_tensorboard(RECORDS, SUITE, tmp_path) == len(RECORDS)
    for one in RECORDS[:2]:
        read = read_back(tmp_path, one)
        points = [(event.step, event.value) for event in read.Scalars("valid_loss")]
        curve = one.outcome["curve"]
        assert [step for step, _ in points] == [point["step"] for point in curve]
        for (_, value), point in zip(points, curve, strict=True):
            assert math.isclose(value, point["valid_loss"], rel_tol=1e-6)
        (score,) = read.Scalars("test/exact_match")
        assert score.value == one.outcome["scores"]["test"]["exact_match"]
        content = read.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
        settings = metadata.parse_session_start_info_plugin_data(content).hparams
        assert settings["cell"].string_value == one.variant["cell"]
        assert settings["hidden"].number_value == one.variant["hidden"]
    assert read_back(tmp_path, RECORDS[3]).Tags()["scalars"] == []


def test_tensorboard_gets_each_run_once(tmp_path: Path) -> None:
    assert to_tensorboard(RECORDS[:2], SUITE, tmp_path) == 2
    # a run that was cut short is made again
    (place,) = tmp_path.rglob(RECORDS[0].id)
    place.rename(place.with_name(f".{place.name}.part"))
    assert to_tensorboard(RECORDS, SUITE, tmp_path) == len(RECORDS) - 1
    assert len(read_back(tmp_path, RECORDS[0]).Scalars("valid_loss")) == 3
    assert to_tensorboard(RECORDS, SUITE, tmp_path) == 0
