"""Chooses which outputs of a run a report shows: those of test, or the samples of its record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from results.mistakes import ExampleRow
from results.record import Record


class OutputsOfTest(NamedTuple):
    """Holds what a run put out for all examples of test.

    right: how many are right in full; None where that cannot be said. wrong: those that are not,
    the worst first.
    """

    examples: int
    right: int | None
    wrong: Sequence[ExampleRow]


ReadOutputs = Callable[[Record], OutputsOfTest | None]
"""Reads all outputs of a run on test; None if they were not kept or their texts are not here."""


def kept_outputs(record: Record) -> Sequence[Mapping[str, Any]]:
    """Return the samples that a record keeps, wrong ones before right ones.

    Each has a source and an output; most have a reference, and some attention.
    """
    samples: Sequence[Mapping[str, Any]] = record.outcome.get("samples") or []
    return sorted(samples, key=lambda sample: sample.get("reference") == sample["output"])


def tested(found: OutputsOfTest | None, most: int) -> dict[str, Any] | None:
    """Return the counts and the worst outputs of a run as plain values; None if there are none."""
    if found is None:
        return None
    keys = ("source", "output", "reference")
    return {
        "examples": found.examples,
        "right": found.right,
        "wrong": [
            {key: row[key] for key in keys}  # type: ignore[literal-required]
            for row in found.wrong[:most]
        ],
    }
