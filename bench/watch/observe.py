"""Collects everything that was seen of a training, for the rules to judge."""

from __future__ import annotations

from bench.watch.recording import Recording
from results.doctor.watched import Watched


def observe(recording: Recording) -> Watched:
    """Return what was seen of a training."""
    return Watched(steps=recording.steps)
