"""Says what experiment trackers are told of runs, whichever tracker it is.

A tracker begins a run, is told values as they come, and ends it. A run that it has whole is not
told again, and one that was begun and not ended is begun anew.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from results import naming
from results.escapes import one_line
from results.grouping import setting_text
from results.record import Record

LONGEST_NAME = 200
"""Bytes of a folder's name at most; file systems allow 255."""


class Logged(NamedTuple):
    """Holds one value of a run: its step, seconds since the start, name and number."""

    step: int
    seconds: float
    key: str
    value: float


class TrackedRun(Protocol):
    """Is a run that a tracker was told of and that has not ended."""

    def log(self, values: Sequence[Logged]) -> None:
        """Tell further values of the run."""

    def end(self, record: Record) -> None:
        """Tell what came of the run; from then on the tracker has it whole."""


class Tracker(Protocol):
    """Is told of runs, in an extra package or on a server."""

    def has(self, record: Record) -> bool:
        """Return whether it has a run whole."""

    def begin(self, record: Record) -> TrackedRun:
        """Begin a run, whose outcome need not be known; what it had of it is forgotten."""


def export(records: Iterable[Record], tracker: Tracker) -> int:
    """Tell a tracker of runs, with their curves, and return how many were new to it.

    Raises:
        TrackerError: the tracker refused.
    """
    added = 0
    for record in records:
        if not tracker.has(record):
            run = tracker.begin(record)
            run.log([*curve_values(record), *final_values(record)])
            run.end(record)
            added += 1
    return added


def run_name(record: Record, suite: Mapping[str, Any]) -> str:
    """Return the name of a run: its variant and seed."""
    return one_line(f"{naming.name(record.variant, suite)} seed {record.seed}")


def table_name(record: Record) -> str:
    """Return what a run is compared in: its task and setting."""
    return one_line(f"{record.task} ({setting_text(record)})")


def safe(text: str) -> str:
    """Return a file's name: without unsafe characters, no name of a folder above, not too long."""
    name = re.sub(r"[^\w=,.:+\- ]|^\.+", "_", text) or "_"
    return name.encode()[:LONGEST_NAME].decode(errors="ignore")


def milliseconds(record: Record, after: float) -> int:
    """Return the time so many seconds after a run began, in milliseconds since the epoch."""
    return round(1000 * (float(record.measured.get("began", 0.0)) + after))


def curve_values(record: Record) -> Iterator[Logged]:
    """Yield the numbers of a run's curve."""
    seconds = 0.0
    clock = record.measured.get("clock", [])
    for place, point in enumerate(record.outcome.get("curve", [])):
        if place < len(clock):
            seconds = float(clock[place].get("train_seconds", seconds))
        for key, value in point.items():
            if key != "step" and _is_number(value):
                yield Logged(int(point["step"]), seconds, key, float(value))


def final_values(record: Record) -> Iterator[Logged]:
    """Yield the scores of all splits and the costs, at the run's last step."""
    clock = record.measured.get("clock", [])
    seconds = float(clock[-1].get("train_seconds", 0.0)) if clock else 0.0
    last = int(record.outcome.get("steps", 0))
    for key, value in _scores_and_costs(record):
        yield Logged(last, seconds, key, value)


def _scores_and_costs(record: Record) -> Iterator[tuple[str, float]]:
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
