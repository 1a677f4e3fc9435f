"""Tells TensorBoard of runs, in its event files; it is in the extra `trackers`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from results.escapes import one_line
from results.export.tracked import Logged, milliseconds, run_name, safe
from results.grouping import setting_text
from results.record import Record

UNFINISHED = "unfinished"
"""File in the folder of a run that was begun and not ended."""


class TensorboardTracker:
    """Makes a folder TASK/VARIANT/ID of each run, with scalars, and axes as hyperparameters."""

    def __init__(self, suite: Mapping[str, Any], folder: Path) -> None:
        """Write to a folder.

        Args:
            suite: the suite's base variant.
            folder: where the event files go.

        Raises:
            ImportError: tensorboard is not installed.
        """
        import tensorboard.summary.writer.event_file_writer  # noqa: F401

        self._suite, self._folder = suite, folder

    def _place(self, record: Record) -> Path:
        return self._folder / safe(record.task) / safe(run_name(record, self._suite)) / record.id

    def has(self, record: Record) -> bool:
        """Return whether it has a run whole."""
        place = self._place(record)
        return place.is_dir() and not (place / UNFINISHED).exists()

    def begin(self, record: Record) -> TensorboardRun:
        """Begin a run, in an empty folder."""
        place = self._place(record)
        if place.is_dir():
            shutil.rmtree(place)
        place.mkdir(parents=True)
        (place / UNFINISHED).touch()
        return TensorboardRun(place, record)


class TensorboardRun:
    """Is a run that is being written; see `TrackedRun`."""

    def __init__(self, place: Path, record: Record) -> None:
        """Begin an event file with the run's settings."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._place, self._began = place, milliseconds(record, 0.0) / 1000
        self._writer = EventFileWriter(str(place))
        settings = {
            **record.variant,
            "seed": record.seed,
            "task": record.task,
            "setting": setting_text(record),
        }
        settings = {k: one_line(v) if isinstance(v, str) else v for k, v in settings.items()}
        opening = hparams_pb(settings, trial_id=record.id, start_time_secs=self._began)
        self._writer.add_event(Event(wall_time=self._began, summary=opening))

    def log(self, values: Sequence[Logged]) -> None:
        """Tell further values of the run."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        for step, seconds, key, value in values:
            scalar = Summary(value=[Summary.Value(tag=key, simple_value=value)])
            event = Event(wall_time=self._began + seconds, step=step, summary=scalar)
            self._writer.add_event(event)
        self._writer.flush()

    def end(self, record: Record) -> None:
        """Close the file, from when on the run is whole."""
        self._writer.close()
        (self._place / UNFINISHED).unlink()
