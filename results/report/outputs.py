"""Chooses which outputs of a run a report shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from results.record import Record


def kept_outputs(record: Record) -> Sequence[Mapping[str, Any]]:
    """Return the outputs that a record keeps, wrong ones before right ones.

    Each has a source and an output; most have a reference, and some attention.
    """
    samples: Sequence[Mapping[str, Any]] = record.outcome.get("samples") or []
    return sorted(samples, key=lambda sample: sample.get("reference") == sample["output"])
