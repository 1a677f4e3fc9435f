"""What is guarded: a variant on a task's batches, in training or in decoding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.speed import timing
from bench.speed.timing import Case, Workload
from bench.training.process import cached_task
from variants import axes, inapplicable
from variants.attention import ATTENTIONS
from variants.cells import CELLS
from variants.precision import missing

BATCH = 32
TASKS = ("increment", "reversal", "opposites", "keyphrase", "en-zh")
ON_ALL_TASKS = (
    "base",
    "cell=lstm",
    "cell=lstm,attention=general",
    "attention=additive,input_feeding=on",
    "depth=2,direction=bidirectional,dropout=0.2",
    "attention=additive,forcing=constant",
)
TIMED = ("base", "cell=lstm,attention=general", "attention=additive,input_feeding=on")
TIMED_TASK = "reversal"


class Subject(NamedTuple):
    """work: training or decoding."""

    task: str
    variant: str
    work: str

    @property
    def name(self) -> str:
        """As rows and baselines have it."""
        return f"{self.task} {self.variant} {self.work}"


def chosen(
    variants: Sequence[str], tasks: Sequence[str], device: str, data: Path | None, timed: bool
) -> list[Subject]:
    """Those asked for, or where nothing is asked for the suite's own: every cell and attention on
    the smallest task, some variants on all, fewer to be timed. What does not apply is left out.

    ValueError for an unknown task or variant.
    """
    pairs = [
        (task, variant)
        for task in tasks or ((TIMED_TASK,) if timed else TASKS)
        for variant in variants or (TIMED if timed else ON_ALL_TASKS)
    ]
    if not variants and not tasks and not timed:
        each = [f"cell={name}" for name in CELLS] + [f"attention={name}" for name in ATTENTIONS]
        pairs += [("opposites", variant) for variant in each]
    found = []
    for label, text in dict.fromkeys(pairs):
        tagging = cached_task(label, data).facts.tagging
        variant = axes.parse(text)
        if inapplicable(variant, tagging) or missing(variant.precision, device):
            continue
        works = ("training",) if tagging else ("training", "decoding")
        found += [Subject(label, text, work) for work in works]
    return found


def prepared(subject: Subject, device: str, data: Path | None) -> Case:
    """A case of one batch, warmed up."""
    variant = axes.parse(subject.variant)
    workload = _workload(subject.task, device, data)
    return timing.prepare(subject.name, variant, workload, subject.work, device, data)


def _workload(label: str, device: str, data: Path | None) -> Workload:
    return timing.of_task(cached_task(label, data), label, BATCH, 1, device)
