"""Checks that a task keeps the contract: its splits, ids, texts and scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.plugins.contract import CheckResult, ContractError, run_checks
from bench.training.evaluation import plain_scores
from tasks import Split, Task
from tasks.sentences import UNKNOWN_MARK

ROUND_TRIPS = 50
"""Number of test sources that are written as text and read again."""


def check_task(make: Callable[[], Task]) -> list[CheckResult]:
    """Run all checks of a task. make: builds a new task at each call."""
    checks: list[tuple[str, Callable[[Callable[[], Task]], None]]] = [
        ("it has train, valid and test, and none is empty", _check_splits),
        ("ids are within the vocabulary, and lengths within bounds", _check_ids),
        ("it is the same every time it is built", _check_digest),
        ("test sources are not trained on, unless it says that it memorises", _check_disjoint),
        ("sources survive being written and read", _check_round_trip),
        ("its own references score as solved", _check_references),
    ]
    return list(run_checks(checks, make))


def _check_splits(make: Callable[[], Task]) -> None:
    splits = make().splits
    for name in ("train", "valid", "test"):
        if name not in splits or not len(splits[name]):
            raise ContractError(f"there is no split {name}, or it is empty")


def _check_ids(make: Callable[[], Task]) -> None:
    task = make()
    for name, split in task.splits.items():
        _check_vocabulary(task, name, split)
        if split.source.lengths.min() < 1:
            raise ContractError(f"a source of {name} is empty")
        longest = max(int(target.lengths.max()) for target in split.targets)
        # a tagger gives one label per source token and is never cut off
        if not task.facts.tagging and longest >= task.facts.length_limit:
            raise ContractError(
                f"a target of {name} has {longest} symbols and eos, and length_limit="
                f"{task.facts.length_limit} would cut it off"
            )


def _check_vocabulary(task: Task, name: str, split: Split) -> None:
    """Check that all ids of a split are within their vocabularies."""
    streams = [(split.source, task.facts.source_size, "source")]
    streams += [
        (target, size, "target")
        for target, size in zip(split.targets, task.facts.target_sizes, strict=True)
    ]
    for ragged, size, side in streams:
        if len(ragged.ids) and not 0 <= ragged.ids.min() <= ragged.ids.max() < size:
            raise ContractError(f"a {side} of {name} has an id beyond its {size} symbols")


def _check_digest(make: Callable[[], Task]) -> None:
    if make().digest() != make().digest():
        raise ContractError(
            "two builds differ: draw from a generator that is made from the settings"
        )


def _check_disjoint(make: Callable[[], Task]) -> None:
    task = make()
    if task.facts.memorisation:
        return
    trained = {row.tobytes() for row in task.splits["train"].source}
    for name in ("valid", "test"):
        shared = sum(row.tobytes() in trained for row in task.splits[name].source)
        if shared:
            raise ContractError(
                f"{shared} of {len(task.splits[name])} sources of {name} are trained on; keep "
                "them apart, or say memorisation=True in its facts"
            )


def _check_round_trip(make: Callable[[], Task]) -> None:
    task = make()
    source = task.splits["test"].source
    for index in range(min(len(source), ROUND_TRIPS)):
        text = task.source_text(source[index])
        # an unknown symbol cannot be read back
        if not np.array_equal(task.encode(text), source[index]) and UNKNOWN_MARK not in text:
            raise ContractError(f"{text!r}, written by source_text, is read as another source")


def _check_references(make: Callable[[], Task]) -> None:
    task = make()
    test = task.splits["test"]
    scores = plain_scores(task.score([list(s) for s in test.targets], test), task.metric)
    if task.solved_at is not None and scores[task.metric] < task.solved_at:
        raise ContractError(
            f"the references get {task.metric} {scores[task.metric]:.3f}, below solved_at="
            f"{task.solved_at}"
        )
