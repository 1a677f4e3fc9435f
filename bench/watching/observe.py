"""Collects everything that was seen of a training, for the rules to judge."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from bench.watching.measure.attention import attention_seen
from bench.watching.measure.data import data_seen
from bench.watching.measure.evaluation.summary import evaluations_seen
from bench.watching.measure.feeding import feeding_seen
from bench.watching.measure.losses import losses_seen
from bench.watching.measure.modes import modes_seen
from bench.watching.measure.rates import rates_seen
from bench.watching.measure.rows import rows_seen
from bench.watching.measure.symbol_weights import symbol_weights_seen
from bench.watching.measure.updates import updates_seen
from bench.watching.read.recording import Recording
from results.doctor.watched import Watched

Seen = TypeVar("Seen")
"""A group of facts."""


def observe(recording: Recording, errors: list[Exception] | None = None) -> Watched:
    """Return what was seen of a training.

    errors: takes the errors of measurements, whose facts are None then; None to let them pass.
    """

    def seen(measure: Callable[[Recording], Seen]) -> Seen | None:
        try:
            return measure(recording)
        except Exception as error:
            if errors is None:
                raise
            errors.append(error)
            return None

    return Watched(
        steps=recording.steps,
        rows=seen(rows_seen),
        losses=seen(losses_seen),
        symbol_weights=seen(symbol_weights_seen),
        attention=seen(attention_seen),
        feeding=seen(feeding_seen),
        data=seen(data_seen),
        modes=seen(modes_seen),
        updates=seen(updates_seen),
        rates=seen(rates_seen),
        evaluations=seen(evaluations_seen),
    )
