"""How long runs will take: a rule of thumb, scaled by what this store has measured."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from typing import Any

from bench.specs import RunSpec
from results.record import Record
from tasks import Facts, Task

RATE = 3e10
"""Multiply-adds a second of one thread with small matrices, and about as bad as the next guess."""
PROCESS_BYTES = 700 * 2**20
"""Of a process that has loaded torch and a task."""
LOGITS = 4_000_000
"""That are there at once, at most."""
SEEN = ("train", "valid")
CALL = 1.2e-5
"""Seconds that one small tensor operation costs."""
SPENT = 0.75
"""Of its budget, by a run that may stop when it has solved its task: 0.76 over the runs of matrix
`full`, weighted by what they would have taken."""


def seconds(spec: RunSpec, task: Task) -> float:
    """The whole of a run by rule of thumb: its steps and its evaluations."""
    budget = spec.budget
    if budget.seconds:
        return budget.seconds * 1.2
    source, target = _lengths(task)
    per_step = _step(spec.variant, task.facts, budget.batch, source, target)
    steps = budget.steps or budget.tokens / (budget.batch * target)
    if budget.stop == "solved":
        steps *= SPENT
    # decoding an example costs about half of training on it
    example = per_step / budget.batch / 2
    tested = sum(len(split) for name, split in task.splits.items() if name not in SEEN)
    evaluated = steps / budget.interval * len(task.splits["valid"]) + tested
    return steps * per_step + evaluated * example + 0.2


def _lengths(task: Task) -> tuple[float, float]:
    train = task.splits["train"]
    return train.source.mean_length, train.targets[0].mean_length + 1


def _step(
    variant: Mapping[str, Any], facts: Facts, batch: int, source: float, target: float
) -> float:
    hidden, embedding = variant["hidden"], variant["embedding"]
    gates = {"rnn": 1, "gru": 3, "lstm": 4}.get(variant["cell"], 4)
    both = 2 if variant["direction"] == "bidirectional" else 1
    layers = variant["encoder_depth"] * both * source + variant["decoder_depth"] * target
    products = batch * layers * gates * hidden * (hidden + embedding)
    products += batch * target * hidden * sum(facts.target_sizes)
    # forward and backward are three products
    stepwise = variant["forcing"] != "always" or "context" in variant["decoder_input"]
    calls = layers * (60 if stepwise else 25) + 250
    total: float = 3 * products / RATE + calls * CALL
    return total


def memory(specs: Iterable[Mapping[str, Any]], task: Task) -> int:
    """Estimates, generously, the bytes of a process that trains these runs together.

    It counts torch and the task, and for every replica its weights, gradients, the optimizer's
    two moments, the best weights, and what the steps of one pass keep. specs: as plain values.
    """
    total = PROCESS_BYTES
    source, target = _lengths(task)
    for spec in specs:
        variant, batch = spec["variant"], spec["budget"]["batch"]
        hidden, embedding = variant["hidden"], variant["embedding"]
        symbols = task.facts.source_size + sum(task.facts.target_sizes)
        layers = 2 * variant["encoder_depth"] + variant["decoder_depth"]
        weights = symbols * (hidden + embedding) + 4 * layers * hidden * (hidden + embedding)
        kept = batch * layers * (source + target) * 8 * hidden
        logits = min(batch * target * sum(task.facts.target_sizes), LOGITS)
        total += int(4 * (6 * weights + 3 * kept + 3 * logits))
    return total


class Estimate:
    """Estimates scaled by the runs that a store holds of the same task."""

    def __init__(self, tasks: Mapping[str, Task], stored: Iterable[Record]) -> None:
        self._tasks = tasks
        ratios: dict[str, list[float]] = {}
        for record in stored:
            took = record.measured.get("run_seconds")
            # the clock of one that went on from a checkpoint began there
            done = record.status != "failed" and not record.measured.get("resumed")
            if took and done and record.task in tasks and not record.spec["budget"]["seconds"]:
                try:
                    spec = RunSpec.read(dict(record.spec))
                except ValueError:  # of a bench with other settings
                    continue
                guess = seconds(spec, tasks[record.task])
                ratios.setdefault(record.task, []).append(took / guess)
        self.measured = sum(map(len, ratios.values()))
        self._scale = {task: statistics.fmean(values) for task, values in ratios.items()}

    def __call__(self, spec: RunSpec) -> float:
        """Seconds that a run will take."""
        return seconds(spec, self._tasks[spec.task]) * self._scale.get(spec.task, 1.0)
