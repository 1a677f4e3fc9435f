"""Scores kept outputs again, by another metric, without training or decoding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from bench.api.outputs import RunOutputs, read_outputs
from bench.api.store import choose
from results.compare.sentences import TESTED, kept_counts
from results.record import Record
from results.stats import aggregates
from results.stats.sentences import CountsOfRun
from results.store import Store, reading
from tasks.parallel.rescoring import ERROR_RATES, METRICS, text_counts, text_score

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
            raise ValueError(_no_metric(metric, found.record.task, own))
        return own[metric], dict(task.signatures).get(metric, "")
    _check_text(found)
    outputs, references = found.texts(), task.references(found.examples)
    if isinstance(metric, str):
        return text_score(metric, outputs, references, task.bleu_tokens)
    value: Any = metric(outputs, references)
    if not isinstance(value, int | float):
        raise ValueError(f"the metric returned {value!r}; return one number")
    return float(value), ""


def _no_metric(metric: str, task: str, own: Iterable[str]) -> str:
    return f"there is no metric {metric!r} for {task}; choose {', '.join((*METRICS, *own))}"


def _check_text(found: RunOutputs) -> None:
    """Raise ValueError for outputs that are no texts."""
    if found.task.facts.tagging:
        raise ValueError(
            f"{found.record.task} tags words, so its outputs are no texts; choose one of its own "
            f"scores: {', '.join(found.task.score(found.streams, found.examples))}"
        )


class AnotherScore:
    """Gives runs another score on test than the one that they were selected by.

    A score that a run has is taken as it is; else the texts are scored again, once.
    """

    def __init__(self, store: Store, metric: str) -> None:
        """Score the outputs that a store keeps by one of METRICS or of a task's own scores."""
        self.key = ERROR_RATES.get(metric, metric)
        """The name of the score in records."""
        self._metric = metric
        self._store = store
        self._counts: dict[str, CountsOfRun] = {}

    def scored(self, record: Record) -> Record:
        """Return a run that has the score, if it was tested.

        Raises:
            ValueError: The metric is unknown, outputs were not kept, or the task has no text.
        """
        tested = record.outcome.get("scores", {}).get(TESTED)
        if not tested or self.key in tested:
            return record
        if self._metric not in METRICS:
            raise ValueError(_no_metric(self._metric, record.task, tested))
        (found,) = read_outputs(self._store, record, TESTED)
        _check_text(found)
        counts = text_counts(
            self._metric,
            found.texts(),
            found.task.references(found.examples),
            found.task.bleu_tokens,
        )
        self._counts[record.id] = counts
        score = float(aggregates.scores(self.key, counts.sum(axis=0, keepdims=True))[0])
        scores = {**record.outcome["scores"], TESTED: {**tested, self.key: score}}
        return replace(record, outcome={**record.outcome, "scores": scores})

    def counts(self, record: Record, measure: str) -> CountsOfRun | None:
        """Return the counts of a run's outputs, counted here or kept; None where there are none."""
        if measure == self.key and record.id in self._counts:
            return self._counts[record.id]
        return kept_counts(self._store, record, measure)
