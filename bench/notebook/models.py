"""Gives the parts of a run: a task's data, a new model, and a trained model that translates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.api.translate import answer, loaded
from bench.notebook.stores import Names, RunName, folder_of, names, run_of, sentences
from bench.specs import RunSpec
from bench.training.batching import collate
from bench.training.process import cached_task
from bench.training.weights import first_model
from tasks import Split, Task
from tasks import canonical as label_of
from variants import Batch, Model, axes, inapplicable


@dataclass(frozen=True)
class TaskData:
    """Holds a task's examples: as arrays, as text, and as batches of tensors."""

    label: str
    task: Task

    def __repr__(self) -> str:
        """Return the task's name and the examples of each split: `reversal: train 10,000, ...`."""
        counts = ", ".join(f"{name} {len(split):,}" for name, split in self.task.splits.items())
        return f"{self.label}: {counts} examples"

    @property
    def splits(self) -> dict[str, Split]:
        """Return the splits by name; a split has `source` and `targets`, indexed by example."""
        return dict(self.task.splits)

    def texts(self, split: str = "test", count: int = 10) -> list[tuple[str, str]]:
        """Return the first sources and references of a split, as text."""
        examples = self._split(split)
        rows = []
        for index in range(min(count, len(examples))):
            source = examples.source[index]
            references = [stream[index] for stream in examples.targets]
            rows.append((self.task.source_text(source), self.task.target_text(references, source)))
        return rows

    def batch(self, split: str = "train", count: int = 8, device: str = "cpu") -> Batch:
        """Return the first examples of a split as the tensors that a model is given."""
        examples = self._split(split)
        first = examples.take(np.arange(min(count, len(examples)), dtype=np.int64))
        return collate(first, self.task.facts, device)

    def _split(self, name: str) -> Split:
        if name not in self.task.splits:
            raise ValueError(f"there is no split {name}; choose {', '.join(self.task.splits)}")
        return self.task.splits[name]


@sentences()
def task(label: str, *, store: str | Path | None = None) -> TaskData:
    """Return the data of a task.

    Args:
        label: A name, or a name with settings: `reversal:mode=symbols`.
        store: The store, which holds corpora; None for BENCH_STORE or `.bench`.

    Raises:
        ValueError: The label is wrong, or its corpus was not fetched.
    """
    return TaskData(label_of(label), _built(label, folder_of(store)))


def _built(label: str, folder: Path) -> Task:
    try:
        return cached_task(label_of(label), folder / "data")
    except FileNotFoundError as error:
        raise ValueError(str(error)) from error


@sentences()
def model(
    variant: str = "base", *, task: str, seed: int = 0, store: str | Path | None = None
) -> Model:
    """Return a variant's model for a task with its first weights, a `torch.nn.Module` on the CPU.

    Args:
        variant: `axis=value,axis=value`, or `base`.
        task: The task that says how large vocabularies are.
        seed: Seed of the weights, which are those that a run with this seed begins with.
        store: The store, which holds corpora and word vectors.

    Raises:
        ValueError: A name is wrong, or the variant does not apply to the task.
    """
    folder = folder_of(store)
    built, chosen = _built(task, folder), axes.parse(variant)
    reason = inapplicable(chosen, built.facts.tagging)
    if reason:
        raise ValueError(f"{variant} does not apply to {task}: {reason}")
    return first_model(chosen, built, seed, folder / "data")


@dataclass(frozen=True)
class Trained:
    """Holds a trained model together with the task that it learned."""

    run: str
    model: Model
    task: Task
    spec: RunSpec

    def translate(
        self, texts: str | Sequence[str], beam: int = 0
    ) -> dict[str, Any] | list[dict[str, Any]]:
        """Return what the model outputs for one source text, or a list of them.

        Args:
            texts: A text or several, written as `bench show` prints samples.
            beam: Width of the beam; 1 for greedy decoding, 0 for the run's own decoding.

        Returns:
            For each text a dict with `source`, `output`, `ended`, `unknown` (words that the model
            does not know), and where the model attends `attention`, a row of weights over the
            source's symbols for each output symbol.

        Raises:
            ValueError: A text is empty.
        """
        if isinstance(texts, str):
            return self._one(texts, beam)
        return [self._one(text, beam) for text in texts]

    def _one(self, text: str, beam: int) -> dict[str, Any]:
        how = {0: self.spec.decoding, 1: "greedy"}.get(beam, f"beam={beam}")
        return answer(self.model, self.task, text, how)


@sentences()
def load(run: RunName, *, task: Names = None, store: str | Path | None = None) -> Trained:
    """Return the trained model of a run that kept its weights.

    Args:
        run: A run's id or its first digits, the number of a row of `bench table`, or a variant, of
            whose runs the best is taken that kept its weights.
        task: Labels or names of tasks, for the runs of a variant.
        store: Folder of the store; None for BENCH_STORE or `.bench`.

    Raises:
        ValueError: There is no such run, it kept no weights, or its data or plugin changed.
    """
    trained, built, spec = loaded(folder_of(store), run_of(run), names(task))
    return Trained(spec.id, trained, built, spec)
