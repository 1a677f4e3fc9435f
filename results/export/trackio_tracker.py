"""Tells trackio of runs, in a folder of this machine; it is in the extra `trackers`.

`TRACKIO_DIR=FOLDER trackio show` then shows them.
"""

from __future__ import annotations

import contextlib
import contextvars
import io
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from results import naming
from results.escapes import one_line
from results.export.tracked import Logged, run_name, table_name
from results.export.tracker_target import TrackerError
from results.record import Record

ELSEWHERE = ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL", "TRACKIO_BUCKET_ID", "TRACKIO_DATASET_ID")
"""Environment variables by which trackio would send runs to a server: a folder was asked for."""
RUNNING = " (running)"
"""End of the name of a run that was begun and not ended."""


class TrackioTracker:
    """Makes a project of each table, and of each run one of trackio's, with its axes as config.

    trackio notes when it was told a value, not when the value was measured.
    """

    def __init__(self, suite: Mapping[str, Any], folder: Path) -> None:
        """Write to a folder.

        Args:
            suite: the suite's base variant.
            folder: where trackio keeps its projects.

        Raises:
            ImportError: trackio is not installed.
            TrackerError: trackio already writes to another folder in this process.
        """
        for name in ELSEWHERE:
            os.environ.pop(name, None)
        os.environ["TRACKIO_DIR"] = str(folder.absolute())
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # or it would ask who the user is
        import trackio
        from trackio.utils import TRACKIO_DIR

        if Path(TRACKIO_DIR) != folder.absolute():
            raise TrackerError(
                f"trackio writes to {TRACKIO_DIR} in this process; start another for {folder}"
            )
        folder.mkdir(parents=True, exist_ok=True)
        self._suite, self._trackio = suite, trackio
        self._names: dict[str, set[str]] = {}

    def has(self, record: Record) -> bool:
        """Return whether it has a run whole."""
        return self._name(record) in self._known(table_name(record))

    def begin(self, record: Record) -> TrackioRun:
        """Begin a run, whose name says that it is running; one that was cut short is deleted."""
        project, name = table_name(record), self._name(record) + RUNNING
        for unfinished in self._runs(project):
            if unfinished.name == name:
                unfinished.delete()
        axes = {axis: one_line(naming.text(value)) for axis, value in record.variant.items()}
        config = {**axes, "seed": record.seed, "task": record.task, "run": record.id}
        begin = partial(
            self._trackio.init,
            *(project, name),
            config=config,
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        with _silent():
            run = contextvars.Context().run(begin)  # in ours, the run before would end
        return TrackioRun(self._trackio, project, run, self._known(project))

    def _name(self, record: Record) -> str:
        return f"{run_name(record, self._suite)} {record.id}"

    def _known(self, project: str) -> set[str]:
        if project not in self._names:
            self._names[project] = {run.name for run in self._runs(project)}
        return self._names[project]

    def _runs(self, project: str) -> list[Any]:
        """Return the runs of a project, which need not exist."""
        try:
            return list(self._trackio.Api().runs(project))
        except ValueError:
            return []


class TrackioRun:
    """Is a run of trackio's that has not ended; see `TrackedRun`."""

    def __init__(self, trackio: Any, project: str, run: Any, known: set[str]) -> None:
        """Hold a run of trackio's, and the names of all runs of its project."""
        self._trackio, self._project, self._run, self._known = trackio, project, run, known

    def log(self, values: Sequence[Logged]) -> None:
        """Tell further values, those of a step together."""
        steps: dict[int, dict[str, float]] = {}
        for step, _, key, value in values:
            steps.setdefault(step, {})[key] = value
        for step, metrics in steps.items():
            self._run.log(metrics, step=step)

    def end(self, record: Record) -> None:
        """Tell what came of the run, and take from its name that it is running."""
        flags = {status: float(record.status == status) for status in ("solved", "failed")}
        self._run.log(flags, step=int(record.outcome.get("steps", 0)))
        with _silent():
            self._run.finish()
        name = self._run.name
        for run in self._trackio.Api().runs(self._project):
            if run.name == name:
                run.rename(name.removesuffix(RUNNING))
        self._known.add(name.removesuffix(RUNNING))


def _silent() -> contextlib.redirect_stdout[io.StringIO]:
    """Keep from standard output what trackio prints of each run."""
    return contextlib.redirect_stdout(io.StringIO())
