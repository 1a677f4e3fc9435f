"""Collects everything that was seen of a training, for the rules to judge."""

from __future__ import annotations

from bench.watch.attention import attention_seen
from bench.watch.feeding import feeding_seen
from bench.watch.losses import losses_seen
from bench.watch.recording import Recording
from bench.watch.rows import rows_seen
from results.doctor.watched import Watched


def observe(recording: Recording) -> Watched:
    """Return what was seen of a training."""
    return Watched(
        steps=recording.steps,
        rows=rows_seen(recording),
        losses=losses_seen(recording),
        attention=attention_seen(recording),
        feeding=feeding_seen(recording),
    )
