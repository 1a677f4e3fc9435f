"""Chooses what is guarded: a variant on a task's batches, in training or in decoding."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

from bench.speed import timing
from bench.speed.cases import Case, task_workload
from bench.training.process import cached_task
from variants import axes, inapplicable
from variants.attention import ATTENTIONS
from variants.cells import CELLS
from variants.precision import missing

BATCH_SIZE = 32
COUNTED_TASKS = ("increment", "reversal", "opposites", "keyphrase", "en-zh")
COUNTED_VARIANTS = (
    "base",
    "cell=lstm",
    "cell=lstm,attention=general",
    "attention=additive,input_feeding=on",
    "depth=2,direction=bidirectional,dropout=0.2",
    "attention=additive,forcing=constant",
)
"""Variants whose work is counted on every task."""
SMALLEST_TASK = "opposites"
"""The task on which the work of every cell and attention is counted."""
TIMED_TASKS = ("reversal",)
TIMED_VARIANTS = ("base", "cell=lstm,attention=general", "attention=additive,input_feeding=on")


class Subject(NamedTuple):
    """A guarded piece of work: a task, a variant, and training or decoding."""

    task: str
    variant: str
    work: str

    @property
    def name(self) -> str:
        """The name of the subject in rows and baselines."""
        return f"{self.task} {self.variant} {self.work}"


def choose_subjects(
    variants: Sequence[str], tasks: Sequence[str], device: str, data: Path | None, timed: bool
) -> list[Subject]:
    """Return the subjects that were asked for, or the suite's own; what does not apply is left out.

    Without variants and tasks, these are every cell and attention on the smallest task and some
    variants on all tasks; to be timed, a few variants on one task.

    Raises:
        ValueError: A task or variant is unknown.
    """
    subjects = []
    for label, text in dict.fromkeys(_pairs(variants, tasks, timed)):
        tagging = cached_task(label, data).facts.tagging
        variant = axes.parse(text)
        if inapplicable(variant, tagging) or missing(variant.precision, device):
            continue
        works = ("training",) if tagging else ("training", "decoding")
        subjects += [Subject(label, text, work) for work in works]
    return subjects


def _pairs(variants: Sequence[str], tasks: Sequence[str], timed: bool) -> list[tuple[str, str]]:
    """Return pairs of a task and a variant."""
    if timed:
        return list(product(tasks or TIMED_TASKS, variants or TIMED_VARIANTS))
    pairs = list(product(tasks or COUNTED_TASKS, variants or COUNTED_VARIANTS))
    if not (variants or tasks):
        parts = [f"cell={name}" for name in CELLS] + [f"attention={name}" for name in ATTENTIONS]
        pairs += product([SMALLEST_TASK], parts)
    return pairs


def prepare_case(subject: Subject, device: str, data: Path | None) -> Case:
    """Return a case of one batch, after a first pass that warms it up."""
    task = cached_task(subject.task, data)
    workload = task_workload(task, subject.task, BATCH_SIZE, 1, device)
    variant = axes.parse(subject.variant)
    return timing.prepare(subject.name, variant, workload, subject.work, device, data)
