"""Estimates how long runs will take and how much memory they need.

A rule of thumb counts multiply-adds and tensor operations; an `Estimate` scales it by what the
runs in the store took.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from typing import Any

from bench.specs import RunSpec
from results.record import Record
from tasks import Facts, Task

MULTIPLY_ADDS_PER_SECOND = 3e10
"""Throughput of one thread on small matrices; a rough guess."""
OPERATION_SECONDS = 1.2e-5
"""Seconds that one small tensor operation costs."""
PROCESS_BYTES = 700 * 2**20
"""Bytes of a process that has loaded torch and a task."""
LIVE_LOGITS = 4_000_000
"""Largest number of logits that are in memory at once."""
UNTESTED_SPLITS = ("train", "valid")
"""Splits that are not scored at the end of a run."""
SHARE_OF_BUDGET = 0.75
"""Share of its budget that a run uses if it may stop once its task is solved.

Measured: 0.76 over the runs of matrix `full`, weighted by their full cost.
"""


def seconds(spec: RunSpec, task: Task) -> float:
    """Return a rule-of-thumb estimate of a run's seconds, evaluations included."""
    budget = spec.budget
    if budget.seconds:
        return budget.seconds * 1.2
    source, target = _mean_lengths(task)
    per_step = _step_seconds(spec.variant, task.facts, budget.batch, source, target)
    steps = budget.steps or budget.tokens / (budget.batch * target)
    if budget.stop == "solved":
        steps *= SHARE_OF_BUDGET
    # decoding an example costs about half as much as training on it
    per_example = per_step / budget.batch / 2
    tested = sum(len(split) for name, split in task.splits.items() if name not in UNTESTED_SPLITS)
    evaluated = steps / budget.interval * len(task.splits["valid"]) + tested
    return steps * per_step + evaluated * per_example + 0.2


def share_done(spec: RunSpec, point: Mapping[str, Any]) -> float:
    """Return the share of its budget that a run has used up at a point of its curve.

    A budget in seconds counts by the clock alone.
    """
    budget = spec.budget
    share = 0.0
    if budget.steps:
        share = point["step"] / budget.steps
    elif budget.tokens:
        share = point["tokens"] / budget.tokens
    # a run that may stop early is expected to, and its cost is that of the steps till then
    return min(share / SHARE_OF_BUDGET if budget.stop == "solved" else share, 1.0)


def _mean_lengths(task: Task) -> tuple[float, float]:
    """Return the mean length of training sources and of targets with eos."""
    train = task.splits["train"]
    return train.source.mean_length, train.targets[0].mean_length + 1


def _step_seconds(
    variant: Mapping[str, Any], facts: Facts, batch: int, source: float, target: float
) -> float:
    """Return the estimated seconds of one training step."""
    hidden, embedding = variant["hidden"], variant["embedding"]
    gates = {"rnn": 1, "gru": 3, "lstm": 4}.get(variant["cell"], 4)
    directions = 2 if variant["direction"] == "bidirectional" else 1
    layers = variant["encoder_depth"] * directions * source + variant["decoder_depth"] * target
    multiply_adds = batch * layers * gates * hidden * (hidden + embedding)
    multiply_adds += batch * target * hidden * sum(facts.target_sizes)
    stepwise = variant["forcing"] != "always" or "context" in variant["decoder_input"]
    operations = layers * (60 if stepwise else 25) + 250
    # the backward pass costs about two forward passes
    total: float = 3 * multiply_adds / MULTIPLY_ADDS_PER_SECOND + operations * OPERATION_SECONDS
    return total


def memory(specs: Iterable[Mapping[str, Any]], task: Task) -> int:
    """Return a generous estimate of the bytes of a process that trains these runs together.

    It counts torch and the task, and for every replica its weights, gradients, the optimizer's
    two moments, the best weights, and what the steps of one pass keep.

    Args:
        specs: The runs' specs as plain values.
        task: The task that all of them train on.
    """
    total = PROCESS_BYTES
    source, target = _mean_lengths(task)
    for spec in specs:
        variant, batch = spec["variant"], spec["budget"]["batch"]
        hidden, embedding = variant["hidden"], variant["embedding"]
        symbols = task.facts.source_size + sum(task.facts.target_sizes)
        layers = 2 * variant["encoder_depth"] + variant["decoder_depth"]
        weights = symbols * (hidden + embedding) + 4 * layers * hidden * (hidden + embedding)
        kept = batch * layers * (source + target) * 8 * hidden
        logits = min(batch * target * sum(task.facts.target_sizes), LIVE_LOGITS)
        total += int(4 * (6 * weights + 3 * kept + 3 * logits))
    return total


class Estimate:
    """Estimates seconds of runs, scaled by what stored runs of the same task took.

    Attributes:
        measured: The number of stored runs that the scale rests on.
    """

    def __init__(self, tasks: Mapping[str, Task], stored: Iterable[Record]) -> None:
        self._tasks = tasks
        ratios: dict[str, list[float]] = {}
        for record in stored:
            took = _full_seconds(record)
            if took is None or record.task not in tasks:
                continue
            try:
                spec = RunSpec.read(dict(record.spec))
            except ValueError:  # stored by a version with other settings
                continue
            guess = seconds(spec, tasks[record.task])
            ratios.setdefault(record.task, []).append(took / guess)
        self.measured = sum(map(len, ratios.values()))
        self._scale = {task: statistics.fmean(values) for task, values in ratios.items()}

    def __call__(self, spec: RunSpec) -> float:
        """Return the seconds that a run will take."""
        return seconds(spec, self._tasks[spec.task]) * self._scale.get(spec.task, 1.0)


def _full_seconds(record: Record) -> float | None:
    """Return the seconds of a whole run; None if it tells nothing about the duration of others."""
    took: float | None = record.measured.get("run_seconds")
    # the clock of a resumed run started at its checkpoint
    if record.status == "failed" or record.measured.get("resumed"):
        return None
    if record.spec["budget"]["seconds"]:
        return None
    return took or None
