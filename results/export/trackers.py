"""Runs handed to experiment trackers: MLflow and TensorBoard. Both come with the extra `trackers`.

A run that is there already is left as it is, so that an export can be repeated as runs come in.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from results import naming
from results.grouping import group_text
from results.record import Record

RUN_TAG = "seq2seq_bench.run"
"""Under which MLflow keeps a run's id."""
AT_ONCE = 1000
"""Most values that MLflow takes in one call."""


def to_mlflow(records: Iterable[Record], suite: Mapping[str, Any], uri: str) -> int:
    """An experiment a task and setting, a run a run: axes as parameters, curve and scores as
    metrics. How many were new.

    records: with details. uri: a tracking URI such as sqlite:///mlflow.db, or a file's name, which
    is one of SQLite. ImportError without mlflow.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # an export should tell nobody
    import mlflow
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.exceptions import MlflowException

    experiments: dict[str, str] = {}
    known: set[str] = set()
    added = 0
    try:
        client = mlflow.MlflowClient(uri if "://" in uri else f"sqlite:///{uri}")
        for record in records:
            name = f"{record.task} ({group_text(record)})"
            if name not in experiments:
                experiments[name] = _experiment(client, name)
                known |= _known(client, experiments[name])
            if record.id in known:
                continue
            began = _milliseconds(record, 0.0)
            run = client.create_run(
                experiments[name], began, run_name=_name(record, suite)
            ).info.run_id
            metrics = [
                Metric(key, value, _milliseconds(record, seconds), step)
                for step, seconds, key, value in _values(record)
            ]
            for first in range(0, len(metrics), AT_ONCE):
                client.log_batch(run, metrics[first : first + AT_ONCE])
            params = [Param(axis, naming.text(value)) for axis, value in record.variant.items()]
            client.log_batch(run, params=[*params, Param("seed", str(record.seed))])
            # the id last: a run cut short has none, and is made again
            client.log_batch(run, tags=[RunTag("status", record.status)])
            client.set_terminated(
                run,
                "FAILED" if record.status == "failed" else "FINISHED",
                _milliseconds(record, float(record.measured.get("run_seconds") or 0.0)),
            )
            client.set_tag(run, RUN_TAG, record.id)
            added += 1
    except MlflowException as error:
        raise TrackerError(f"MLflow at {uri} says: {str(error).splitlines()[0]}") from error
    return added


class TrackerError(Exception):
    """What a tracker did not take, in a sentence."""


def _experiment(client: Any, name: str) -> str:
    there = client.get_experiment_by_name(name)
    return str(there.experiment_id if there else client.create_experiment(name))


def _known(client: Any, experiment: str) -> set[str]:
    found: set[str] = set()
    token = None
    while True:
        page = client.search_runs([experiment], max_results=AT_ONCE, page_token=token)
        found |= {run.data.tags[RUN_TAG] for run in page if RUN_TAG in run.data.tags}
        token = page.token
        if not token:
            return found


def to_tensorboard(records: Iterable[Record], suite: Mapping[str, Any], folder: Path) -> int:
    """A folder a task, variant and run with its curve and scores as scalars and its axes as
    hyperparameters. How many were new.

    records: with details. ImportError without tensorboard.
    """
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    added = 0
    for record in records:
        place = folder / _safe(record.task) / _safe(_name(record, suite)) / record.id
        if place.exists():
            continue
        part = place.with_name(f".{record.id}.part")
        for old in part.glob("*"):
            old.unlink()
        writer = EventFileWriter(str(part))
        began = _milliseconds(record, 0.0) / 1000
        settings = {
            **record.variant,
            "seed": record.seed,
            "task": record.task,
            "setting": group_text(record),
        }
        opening = hparams_pb(settings, trial_id=record.id, start_time_secs=began)
        writer.add_event(Event(wall_time=began, summary=opening))
        for step, seconds, key, value in _values(record):
            scalar = Summary(value=[Summary.Value(tag=key, simple_value=value)])
            writer.add_event(Event(wall_time=began + seconds, step=step, summary=scalar))
        writer.close()
        part.rename(place)
        added += 1
    return added


def _name(record: Record, suite: Mapping[str, Any]) -> str:
    return f"{naming.name(record.variant, suite)} seed {record.seed}"


def _safe(text: str) -> str:
    return re.sub(r"[^\w=,.:+\- ]", "_", text)


def _milliseconds(record: Record, after: float) -> int:
    return round(1000 * (float(record.measured.get("began", 0.0)) + after))


def _values(record: Record) -> Iterator[tuple[int, float, str, float]]:
    """Step, seconds since the start, name and value of all that is a number."""
    clock = record.measured.get("clock", [])
    seconds = 0.0
    for place, point in enumerate(record.outcome.get("curve", [])):
        if place < len(clock):
            seconds = float(clock[place].get("train_seconds", seconds))
        for key, value in point.items():
            if key != "step" and _is_number(value):
                yield int(point["step"]), seconds, key, float(value)
    last = int(record.outcome.get("steps", 0))
    for split, scores in record.outcome.get("scores", {}).items():
        for key, value in scores.items():
            if _is_number(value):
                yield last, seconds, f"{split}/{key}", float(value)
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
            yield last, seconds, key, float(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
