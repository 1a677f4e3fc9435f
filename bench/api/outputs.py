"""Reads all outputs of runs, as text beside their sources and references. Loads no torch.

A store keeps ids and counts; the texts come from the task, which is built from the data that the
run had.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

import tasks
from bench.api.store import choose
from results.mistakes import (
    Difference,
    ExampleRow,
    Mistakes,
    TokensOfExample,
    agreement,
    by_length,
    by_token,
    differing,
    worst_first,
)
from results.outputs import SplitOutputs, decode
from results.record import Record
from results.stats import aggregates
from results.store import Store, reading
from tasks import Ids, Split, Task
from tasks.choices import one_of

RANKED_BY = ("chrf", "typed_f1", "span_f1", "token_accuracy", "exact_match")
"""Scores by which single examples are ranked: the first that there is. BLEU of one sentence says
little, for it has few sequences of four tokens."""


class RunOutputs(NamedTuple):
    """The outputs of a run on one split, with the task that they answer."""

    record: Record
    task: Task
    split: str
    kept: SplitOutputs

    @property
    def examples(self) -> Split:
        """The examples of the split."""
        return self.task.splits[self.split]

    @property
    def streams(self) -> list[list[Ids]]:
        """The outputs, as the task scores them."""
        return self.kept.streams

    def texts(self) -> list[str]:
        """Return the outputs as text."""
        return [
            self.task.target_text([stream[place] for stream in self.streams], source)
            for place, source in enumerate(self.examples.source)
        ]


def read_outputs(store: Store, record: Record, split: str | None = None) -> list[RunOutputs]:
    """Return the outputs of a run on a split, or on all that were kept.

    Args:
        store: Open for reading.
        record: The run.
        split: Its name; None for all.

    Raises:
        ValueError: No outputs were kept or they are damaged, there is no such split, or the data
            of the task are not those that the run had.
    """
    kept = kept_of(store, record)
    if split is not None:
        one_of("split with outputs", split, list(kept))
    task = _task_of(record, store.folder / "data")
    names = list(kept) if split is None else [split]
    found = [RunOutputs(record, task, name, kept[name]) for name in names]
    for one in found:
        if one.split not in task.splits or len(one.examples) != one.kept.examples:
            raise ValueError(f"the outputs of run {record.id} are not those of {record.task}")
    return found


def kept_of(store: Store, record: Record) -> dict[str, SplitOutputs]:
    """Return what is kept of a run's outputs by split; ValueError if that is nothing."""
    try:
        return decode(store.outputs.read(record))
    except FileNotFoundError:
        raise ValueError(_not_kept(record)) from None
    except (OSError, ValueError) as error:
        raise ValueError(
            f"the outputs of run {record.id} are damaged ({error}); give its bench run command "
            "again with --rerun"
        ) from error


def _not_kept(record: Record) -> str:
    """Return the sentence for a run without outputs, which has one of three reasons."""
    if record.outcome.get("outputs") is not None:
        return (
            f"the outputs of run {record.id} are gone from the store; give its bench run command "
            "again with --rerun"
        )
    if "scores" not in record.outcome or not record.outcome["scores"]:
        return f"run {record.id} {record.status} and was never tested, so it has no outputs"
    return (
        f"run {record.id} was done by an older version, which kept no outputs; give its bench run "
        "command again with --rerun"
    )


def _task_of(record: Record, data: Path) -> Task:
    """Return the task of a run; ValueError if its data are not here as the run had them."""
    # what pretrained vectors add to the digest is no part of the task
    wanted = str(record.spec["data"]).partition("+")[0]
    try:
        task = _built(record.task, data)
        if task.digest() != wanted:  # the data may have changed since it was built
            _built.cache_clear()
            task = _built(record.task, data)
    except FileNotFoundError as error:
        raise ValueError(f"the texts of {record.task} are needed, and {error}") from error
    if task.digest() != wanted:
        raise ValueError(
            f"the data of {record.task} here are not those that run {record.id} was tested on; "
            "fetch or add the same data again"
        )
    return task


@lru_cache(maxsize=4)
def _built(label: str, data: Path) -> Task:
    return tasks.build(label, data)


def forget_tasks() -> None:
    """Build tasks anew when they are read next: a caller's own was defined again."""
    _built.cache_clear()


def example_rows(found: RunOutputs) -> list[ExampleRow]:
    """Return a row per example of a split, in its order."""
    task, split, kept = found.task, found.examples, found.kept
    right = aggregates.right_examples(kept.statistics, task.metric)
    scores = {
        name: aggregates.scores(name, counts)
        for name, counts in kept.statistics.items()
        if aggregates.is_known(name, counts.shape[1])
    }
    ranked = _ranked(found)
    references = task.references(split)
    rows: list[ExampleRow] = []
    for place in range(len(split)):
        source = split.source[place]
        own = {name: float(values[place]) for name, values in scores.items()}
        rows.append({
            "run": found.record.id,
            "split": found.split,
            "example": place,
            "length": len(source),
            "source": task.source_text(source),
            "reference": references[place][0],
            "output": task.target_text([stream[place] for stream in kept.streams], source),
            "ended": bool(kept.ended[place]),
            "right": None if right is None else bool(right[place]),
            "score": None if ranked is None else own[ranked],
            "scores": own,
        })  # fmt: skip
    return rows


def _ranked(found: RunOutputs) -> str | None:
    """Return the score that ranks examples; None if they have no score of their own."""
    return next((name for name in RANKED_BY if name in found.kept.statistics), None)


def mistakes(
    folder: Path, run: str, labels: Sequence[str] | None = None, split: str = "test"
) -> Mistakes:
    """Return what a run gets wrong on a split.

    Args:
        folder: The store.
        run: A run's id, the number of a row, or a variant, of whose runs the worst is taken.
        labels: Labels or names of tasks, for the runs of a variant; None for all.
        split: One that is scored at the end.

    Raises:
        ValueError: As `read_outputs`.
        StoreError: There is no such run.
    """
    with reading(folder) as store:
        (found,) = read_outputs(store, choose(store, run, labels).run, split)
    rows = example_rows(found)
    tokens = (_tokens(found, place) for place in range(len(rows)))
    return Mistakes(
        found.record,
        split,
        _ranked(found) or "",
        found.task.facts.tagging,
        rows,
        worst_first(rows),
        by_length(rows),
        by_token(tokens),
    )


def _tokens(found: RunOutputs, place: int) -> TokensOfExample:
    """Return the tokens of a reference and of its output; of a tagger, words and those right."""
    task, split = found.task, found.examples
    references = [stream[place] for stream in split.targets]
    outputs = [stream[place] for stream in found.streams]
    if not task.facts.tagging:
        return TokensOfExample(task.target.decode(references[0]), task.target.decode(outputs[0]))
    words = task.source.decode(split.source[place])
    equal = [np.equal(o, r) for o, r in zip(outputs, references, strict=True)]
    right = np.logical_and.reduce(equal)
    return TokensOfExample(words, [word for word, ok in zip(words, right, strict=True) if ok])


def difference(
    folder: Path, a: str, b: str, labels: Sequence[str] | None = None, split: str = "test"
) -> Difference:
    """Return where two runs differ on a split.

    Args:
        folder: The store.
        a: A run, as in `mistakes`.
        b: Another run; of several the one with the seed of the first, if there is one.
        labels: Labels or names of tasks, for the runs of a variant; None for all.
        split: One that is scored at the end.

    Raises:
        ValueError: As `read_outputs`; or the runs are not of one task with the same data.
        StoreError: There is no such run.
    """
    with reading(folder) as store:
        ours = choose(store, a, labels).run
        others = choose(store, b, labels)
        like = [one for one in others.runs if (one.task, one.seed) == (ours.task, ours.seed)]
        theirs = next(iter(like), others.run)
        _check_comparable(ours, theirs)
        (first,), (second,) = (read_outputs(store, one, split) for one in (ours, theirs))
    rows, other_rows = example_rows(first), example_rows(second)
    counts = agreement(rows, other_rows)
    return Difference(ours, theirs, split, counts, differing(rows, other_rows))


def _check_comparable(ours: Record, theirs: Record) -> None:
    """Raise ValueError for one run, or for runs of other sentences."""
    if ours.id == theirs.id:
        raise ValueError(f"both are run {ours.id}; give two runs")
    data = [str(one.spec["data"]).partition("+")[0] for one in (ours, theirs)]
    if ours.task != theirs.task or data[0] != data[1]:
        raise ValueError(
            f"run {ours.id[:8]} is of {ours.task} and run {theirs.id[:8]} of {theirs.task}, or "
            "their data differ; give two runs of one task and the same data"
        )
