"""Scores kept outputs again, by another metric, without training or decoding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.api.outputs import RunOutputs, read_outputs
from bench.api.store import choose
from results.store import reading
from tasks.parallel.rescoring import METRICS, text_score

OwnMetric = Callable[[list[str], list[tuple[str, ...]]], float]
"""Is given outputs and the references of each, and returns a score."""


class Rescored(NamedTuple):
    """The score of one run on one split. signature: how it was computed, "" if nothing says."""

    run: str
    task: str
    seed: int
    split: str
    metric: str
    score: float
    signature: str


def rescore(
    folder: Path,
    run: str,
    metric: str | OwnMetric,
    labels: Sequence[str] | None = None,
    split: str | None = None,
) -> list[Rescored]:
    """Return the score of every run that is meant, on each split or on one.

    Args:
        folder: The store.
        run: A run's id; or the number of a row, or a variant, all of whose runs are scored.
        metric: One of METRICS, one of the task's own, or a function.
        labels: Labels or names of tasks, for the runs of a variant; None for all.
        split: One that is scored at the end; None for all.

    Raises:
        ValueError: The metric is unknown, outputs were not kept, or the task has no text.
        StoreError: There is no such run.
    """
    with reading(folder) as store:
        runs = sorted(choose(store, run, labels).runs, key=lambda one: (one.task, one.seed))
        found = [one for record in runs for one in read_outputs(store, record, split)]
    return [_rescored(one, metric) for one in found]


def _rescored(found: RunOutputs, metric: str | OwnMetric) -> Rescored:
    name = metric if isinstance(metric, str) else getattr(metric, "__name__", "own")
    score, signature = _score(found, metric)
    record = found.record
    return Rescored(record.id, record.task, record.seed, found.split, name, score, signature)


def _score(found: RunOutputs, metric: str | OwnMetric) -> tuple[float, str]:
    task = found.task
    if isinstance(metric, str) and metric not in METRICS:
        own = task.score(found.streams, found.examples)
        if metric not in own:
            raise ValueError(
                f"there is no metric {metric!r} for {found.record.task}; choose "
                f"{', '.join((*METRICS, *own))}"
            )
        return own[metric], dict(task.signatures).get(metric, "")
    if task.facts.tagging:
        raise ValueError(
            f"{found.record.task} tags words, so its outputs are no texts; choose one of its own "
            f"scores: {', '.join(task.score(found.streams, found.examples))}"
        )
    outputs, references = found.texts(), task.references(found.examples)
    if isinstance(metric, str):
        return text_score(metric, outputs, references, task.bleu_tokens)
    value: Any = metric(outputs, references)
    if not isinstance(value, int | float):
        raise ValueError(f"the metric returned {value!r}; return one number")
    return float(value), ""
