"""Proves that MLflow, TensorBoard and trackio read back what they were told, once, and live."""

from __future__ import annotations

import math
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mlflow
import pytest
from hypothesis import given
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from results.export.mlflow_tracker import RUN_TAG, MlflowTracker
from results.export.tensorboard_tracker import UNFINISHED, TensorboardTracker
from results.export.tracked import Tracker, curve_values, export, final_values, safe
from results.export.tracker_target import TrackerError
from results.export.trackio_tracker import RUNNING, TrackioTracker
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


def to_mlflow(records: Sequence[Record], suite: Mapping[str, Any], target: str) -> int:
    return export(records, MlflowTracker(suite, target))


def to_tensorboard(records: Sequence[Record], suite: Mapping[str, Any], folder: Path) -> int:
    return export(records, TensorboardTracker(suite, folder))


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
    made = safe(name)
    assert made not in ("", ".", "..")
    assert "/" not in made
    assert len(made.encode()) < 255


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
    (place / UNFINISHED).touch()
    assert to_tensorboard(RECORDS, SUITE, tmp_path) == len(RECORDS) - 1
    assert len(read_back(tmp_path, RECORDS[0]).Scalars("valid_loss")) == 3
    assert to_tensorboard(RECORDS, SUITE, tmp_path) == 0


@pytest.fixture(scope="module")
def trackio_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of trackio in this process, which can have one."""
    folder = tmp_path_factory.mktemp("trackio")
    TrackioTracker(SUITE, folder)
    return folder


def logs(project: str, name: str) -> list[dict[str, Any]]:
    """Return what trackio was told of a run, step by step."""
    from trackio.sqlite_storage import SQLiteStorage

    found: list[dict[str, Any]] = SQLiteStorage.get_logs(project, name)
    return found


def test_trackio_reads_back_the_runs_and_gets_each_once(
    trackio_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import trackio

    assert export(RECORDS[:2], TrackioTracker(SUITE, trackio_folder)) == 2
    assert export(RECORDS, TrackioTracker(SUITE, trackio_folder)) == len(RECORDS) - 2
    assert export(RECORDS, TrackioTracker(SUITE, trackio_folder)) == 0
    assert capsys.readouterr().out == ""
    project = "opposites (100 steps, batch 32, cpu)"
    runs = {str((run.config or {})["run"]): run for run in trackio.Api().runs(project)}
    assert set(runs) == {one.id for one in RECORDS[:4]}
    first = RECORDS[0]
    assert runs[first.id].name == f"base seed 0 {first.id}"
    told = logs(project, runs[first.id].name)
    assert [(log["step"], log["valid_loss"]) for log in told if "valid_loss" in log] == [
        (point["step"], point["valid_loss"]) for point in first.outcome["curve"]
    ]
    assert [log["test/exact_match"] for log in told if "test/exact_match" in log] == [0.25]
    assert told[-1]["solved"] == 1.0
    assert logs(project, runs[RECORDS[3].id].name)[-1]["failed"] == 1.0
    assert (runs[RECORDS[1].id].config or {})["cell"] == "lstm"


def test_trackio_in_another_folder_is_refused(trackio_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TrackerError, match="start another for"):
        TrackioTracker(SUITE, tmp_path)


@pytest.mark.parametrize("kind", ["mlflow", "tensorboard", "trackio"])
def test_a_run_is_whole_when_it_has_ended(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """It is begun before its outcome is known; cut short, it is begun anew."""

    def tracker() -> Tracker:
        if kind == "mlflow":
            return MlflowTracker(SUITE, str(tmp_path / "m.db"))
        if kind == "tensorboard":
            return TensorboardTracker(SUITE, tmp_path)
        return TrackioTracker(SUITE, request.getfixturevalue("trackio_folder"))

    whole = record(7, 0.5, cell="gru", hidden=48)
    begun = Record(whole.id, whole.spec, {}, {"began": 1000.0})
    values = list(curve_values(whole))
    first = tracker()
    first.begin(begun).log(values[:2])
    assert not first.has(whole)
    again = tracker()
    assert not again.has(whole)
    run = again.begin(begun)
    run.log(values)
    run.log(list(final_values(whole)))
    run.end(whole)
    assert tracker().has(whole)
    assert export([whole], tracker()) == 0
    if kind == "trackio":
        import trackio

        names = [run.name for run in trackio.Api().runs("opposites (100 steps, batch 32, cpu)")]
        assert [name for name in names if whole.id in name] == [f"hidden=48 seed 7 {whole.id}"]
        assert not [name for name in names if name.endswith(RUNNING)]
