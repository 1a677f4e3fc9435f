"""Exports runs to experiment trackers: MLflow and TensorBoard, both in the extra `trackers`.

A run that the tracker already has is skipped, so that an export can be repeated as runs finish.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from results import naming
from results.escapes import one_line, without_passwords
from results.export.tracker_target import TrackerError, limit_requests, tracking_uri
from results.grouping import setting_text
from results.record import Record

RUN_TAG = "seq2seq_bench.run"
"""Tag under which MLflow keeps a run's id."""
LONGEST_NAME = 200
"""Bytes of a folder's name at most; file systems allow 255."""
BATCH_OF_VALUES = 1000
"""Largest number of values that MLflow accepts in one call."""


class Logged(NamedTuple):
    """Holds one value of a run: its step, seconds since the start, name and number."""

    step: int
    seconds: float
    key: str
    value: float


# MLflow


def to_mlflow(records: Iterable[Record], suite: Mapping[str, Any], uri: str) -> int:
    """Export runs to MLflow, and return how many were new.

    Each task and setting becomes an experiment, each axis a parameter, and the curve and the
    scores become metrics.

    Args:
        records: runs with their curves.
        suite: the suite's base variant.
        uri: a tracking URI such as sqlite:///mlflow.db, or the name of a SQLite file.

    Raises:
        ImportError: mlflow is not installed.
        TrackerError: MLflow refused.
    """
    checked = tracking_uri(uri)
    limit_requests()
    import mlflow

    limit_requests()  # MLflow sets its own level when it is imported
    experiments: dict[str, str] = {}
    known: set[str] = set()
    added = 0
    try:
        client = mlflow.MlflowClient(checked)
        for record in records:
            name = one_line(f"{record.task} ({setting_text(record)})")
            if name not in experiments:
                experiments[name] = _experiment(client, name)
                known |= _known_runs(client, experiments[name])
            if record.id not in known:
                _log_run(client, experiments[name], record, _name(record, suite))
                added += 1
    except OSError:
        raise
    except Exception as error:  # MLflow's own, and whatever its database raises
        said = (str(error).splitlines() or ["nothing"])[0]
        raise TrackerError(without_passwords(f"MLflow at {uri} says: {said}")) from error
    return added


def _experiment(client: Any, name: str) -> str:
    """Return the id of the experiment with this name, which is created if it does not exist."""
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found else client.create_experiment(name))


def _known_runs(client: Any, experiment: str) -> set[str]:
    """Return the ids of our runs in an experiment."""
    found: set[str] = set()
    token = None
    while True:
        page = client.search_runs([experiment], max_results=BATCH_OF_VALUES, page_token=token)
        found |= {run.data.tags[RUN_TAG] for run in page if RUN_TAG in run.data.tags}
        token = page.token
        if not token:
            return found


def _log_run(client: Any, experiment: str, record: Record, name: str) -> None:
    from mlflow.entities import Metric, Param, RunTag

    began = _milliseconds(record, 0.0)
    run = client.create_run(experiment, began, run_name=name).info.run_id
    metrics = [
        Metric(key, value, _milliseconds(record, seconds), step)
        for step, seconds, key, value in _values(record)
    ]
    for first in range(0, len(metrics), BATCH_OF_VALUES):
        client.log_batch(run, metrics[first : first + BATCH_OF_VALUES])
    params = [Param(axis, one_line(naming.text(value))) for axis, value in record.variant.items()]
    client.log_batch(run, params=[*params, Param("seed", str(record.seed))])
    client.log_batch(run, tags=[RunTag("status", record.status)])
    client.set_terminated(
        run,
        "FAILED" if record.status == "failed" else "FINISHED",
        _milliseconds(record, float(record.measured.get("run_seconds") or 0.0)),
    )
    # the id comes last: a run that was exported in part has none, and is exported again
    client.set_tag(run, RUN_TAG, record.id)


# TensorBoard


def to_tensorboard(records: Iterable[Record], suite: Mapping[str, Any], folder: Path) -> int:
    """Export runs to TensorBoard's event files, and return how many were new.

    Each run becomes a folder TASK/VARIANT/ID, with curve and scores as scalars and the axes as
    hyperparameters.

    Args:
        records: runs with their curves.
        suite: the suite's base variant.
        folder: where the event files go.

    Raises:
        ImportError: tensorboard is not installed.
    """
    added = 0
    for record in records:
        target = folder / _safe(record.task) / _safe(_name(record, suite)) / record.id
        if target.exists():
            continue
        # the final name comes last: a run that was exported in part is exported again
        part = target.with_name(f".{record.id}.part")
        for old in part.glob("*"):
            old.unlink()
        _write_events(record, part)
        part.rename(target)
        added += 1
    return added


def _write_events(record: Record, folder: Path) -> None:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder))
    began = _milliseconds(record, 0.0) / 1000
    settings = {
        **record.variant,
        "seed": record.seed,
        "task": record.task,
        "setting": setting_text(record),
    }
    settings = {k: one_line(v) if isinstance(v, str) else v for k, v in settings.items()}
    opening = hparams_pb(settings, trial_id=record.id, start_time_secs=began)
    writer.add_event(Event(wall_time=began, summary=opening))
    for step, seconds, key, value in _values(record):
        scalar = Summary(value=[Summary.Value(tag=key, simple_value=value)])
        writer.add_event(Event(wall_time=began + seconds, step=step, summary=scalar))
    writer.close()


# what both export


def _name(record: Record, suite: Mapping[str, Any]) -> str:
    return one_line(f"{naming.name(record.variant, suite)} seed {record.seed}")


def _safe(text: str) -> str:
    """Return a file's name: without unsafe characters, no name of a folder above, not too long."""
    name = re.sub(r"[^\w=,.:+\- ]|^\.+", "_", text) or "_"
    return name.encode()[:LONGEST_NAME].decode(errors="ignore")


def _milliseconds(record: Record, after: float) -> int:
    """Return the time so many seconds after a run began, in milliseconds since the epoch."""
    return round(1000 * (float(record.measured.get("began", 0.0)) + after))


def _values(record: Record) -> Iterator[Logged]:
    """Yield the numbers of a run's curve, then those at its end."""
    seconds = 0.0
    clock = record.measured.get("clock", [])
    for place, point in enumerate(record.outcome.get("curve", [])):
        if place < len(clock):
            seconds = float(clock[place].get("train_seconds", seconds))
        for key, value in point.items():
            if key != "step" and _is_number(value):
                yield Logged(int(point["step"]), seconds, key, float(value))
    last = int(record.outcome.get("steps", 0))
    for key, value in _final_values(record):
        yield Logged(last, seconds, key, value)


def _final_values(record: Record) -> Iterator[tuple[str, float]]:
    """Yield the scores of all splits and the costs."""
    for split, scores in record.outcome.get("scores", {}).items():
        for key, value in scores.items():
            if _is_number(value):
                yield f"{split}/{key}", float(value)
    reached = record.outcome.get("to_target") or {}
    costs = {
        "parameters": record.outcome.get("parameters"),
        "tokens_to_target": reached.get("tokens"),
        "tokens_per_second": record.measured.get("tokens_per_second"),
        "seconds_to_target": record.measured.get("seconds_to_target"),
        "peak_bytes": record.measured.get("peak_bytes"),
    }
    for key, value in costs.items():
        if value is not None:
            yield key, float(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
