"""Tells MLflow of runs; it is in the extra `trackers`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from results import naming
from results.escapes import one_line, without_passwords
from results.export.tracked import Logged, milliseconds, run_name, table_name
from results.export.tracker_target import TrackerError, limit_requests, tracking_uri
from results.record import Record

RUN_TAG = "seq2seq_bench.run"
"""Tag under which MLflow keeps a run's id."""
BATCH_OF_VALUES = 1000
"""Largest number of values that MLflow accepts in one call."""


class MlflowTracker:
    """Makes an experiment of each table, a parameter of each axis, metrics of curve and scores."""

    def __init__(self, suite: Mapping[str, Any], uri: str) -> None:
        """Connect to MLflow, or to its database.

        Args:
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
        self._suite, self._uri = suite, uri
        self._experiments: dict[str, str] = {}
        self._known: set[str] = set()
        with _refusals(uri):
            self._client = mlflow.MlflowClient(checked)

    def has(self, record: Record) -> bool:
        """Return whether it has a run whole."""
        with _refusals(self._uri):
            self._experiment(record)
        return record.id in self._known

    def begin(self, record: Record) -> MlflowRun:
        """Begin a run, with its axes as parameters."""
        from mlflow.entities import Param

        with _refusals(self._uri):
            experiment, began = self._experiment(record), milliseconds(record, 0.0)
            name = run_name(record, self._suite)
            run = self._client.create_run(experiment, began, run_name=name).info.run_id
            params = [
                Param(axis, one_line(naming.text(value))) for axis, value in record.variant.items()
            ]
            self._client.log_batch(run, params=[*params, Param("seed", str(record.seed))])
        return MlflowRun(self._client, run, began, self._uri)

    def _experiment(self, record: Record) -> str:
        """Return the id of a run's experiment, whose runs are known from then on."""
        name = table_name(record)
        if name not in self._experiments:
            found = self._client.get_experiment_by_name(name)
            number = found.experiment_id if found else self._client.create_experiment(name)
            self._experiments[name] = str(number)
            self._known |= self._known_runs(self._experiments[name])
        return self._experiments[name]

    def _known_runs(self, experiment: str) -> set[str]:
        """Return the ids of our runs in an experiment."""
        found: set[str] = set()
        token = None
        while True:
            page = self._client.search_runs(
                [experiment], max_results=BATCH_OF_VALUES, page_token=token
            )
            found |= {run.data.tags[RUN_TAG] for run in page if RUN_TAG in run.data.tags}
            token = page.token
            if not token:
                return found


class MlflowRun:
    """Is a run of MLflow's that has not ended; see `TrackedRun`."""

    def __init__(self, client: Any, run: str, began: int, uri: str) -> None:
        """Hold MLflow's id of a run, and when it began in milliseconds since the epoch."""
        self._client, self._run, self._began, self._uri = client, run, began, uri

    def log(self, values: Sequence[Logged]) -> None:
        """Tell further values of the run."""
        from mlflow.entities import Metric

        metrics = [
            Metric(key, value, self._began + round(1000 * seconds), step)
            for step, seconds, key, value in values
        ]
        with _refusals(self._uri):
            for first in range(0, len(metrics), BATCH_OF_VALUES):
                self._client.log_batch(self._run, metrics[first : first + BATCH_OF_VALUES])

    def end(self, record: Record) -> None:
        """Tell what came of the run."""
        from mlflow.entities import RunTag

        seconds = float(record.measured.get("run_seconds") or 0.0)
        status = "FAILED" if record.status == "failed" else "FINISHED"
        with _refusals(self._uri):
            self._client.log_batch(self._run, tags=[RunTag("status", record.status)])
            self._client.set_terminated(self._run, status, self._began + round(1000 * seconds))
            # the id comes last: a run that was exported in part has none, and is exported again
            self._client.set_tag(self._run, RUN_TAG, record.id)


@contextmanager
def _refusals(uri: str) -> Iterator[None]:
    """Raise what MLflow and its database raise as a TrackerError of one sentence."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        said = (str(error).splitlines() or ["nothing"])[0]
        raise TrackerError(without_passwords(f"MLflow at {uri} says: {said}")) from error
