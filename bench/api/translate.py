"""Gives a model with kept weights a source text of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from bench.api.store import choose
from bench.corpora import vectors
from bench.plugins import loading
from bench.specs import RunSpec
from bench.training.decoding import read_decoding
from bench.training.evaluation import run_one
from bench.training.process import cached_task
from bench.training.weights import load_trained
from results.store import reading
from tasks import Task
from variants import Model


def translate(folder: Path, run: str, text: str, decoding: str | None = None) -> dict[str, Any]:
    """Return what a kept model outputs for a source text.

    Args:
        folder: The store.
        run: A run's id or its first digits, or a row or variant, whose best run is taken.
        text: A source, written as `bench show` prints samples.
        decoding: `greedy` or `beam=5`; None for the run's own.

    Raises:
        ValueError: The run kept no weights or they are damaged, or its data or plugin changed.
        StoreError: There is no such run.
    """
    model, task, spec = loaded(folder, run)
    how = read_decoding(decoding or spec.decoding)
    ids = task.encode(text)
    if not len(ids):
        raise ValueError("the source is empty; type at least one symbol")
    return run_one(model, task, ids, "cpu", decoding=how) | {"unknown": unknown_words(task, text)}


def unknown_words(task: Task, text: str) -> list[str]:
    """Return the words of a source that a task's vocabulary lacks, which it reads as unknown."""
    known = set(task.source.symbols)
    return list(dict.fromkeys(word for word in task.tokenize(text) if word not in known))


def loaded(folder: Path, run: str) -> tuple[Model, Task, RunSpec]:
    """Return the trained model of a run, its task and its spec; arguments and errors as above."""
    with reading(folder) as store:
        record = choose(store, run, best=True).run
        found = record.id
        weights = store.weights(found)
    if not weights.is_file():
        raise ValueError(
            f"run {found} kept no weights; run its matrix with --keep-weights and --rerun"
        )
    spec = RunSpec.read(dict(record.spec))
    task = cached_task(spec.task, folder / "data")
    _check_unchanged(spec, task, found, folder)
    try:
        return load_trained(spec, task, folder / "data", weights), task, spec
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(
            f"{weights} is damaged; run its matrix with --keep-weights and --rerun"
        ) from error


def _check_unchanged(spec: RunSpec, task: Task, run: str, folder: Path) -> None:
    """Raise a ValueError if a run's data or plugin is not what it was trained with."""
    if vectors.digest(task.digest(), spec.variant, folder / "data") != spec.data:
        raise ValueError(f"the data of {spec.task} is not what run {run} learned from")
    if loading.digest_of(spec.task, spec.variant) != spec.plugin:
        raise ValueError(
            f"run {run} was made with a plugin that is not loaded as it was; give it with --plugin"
        )
