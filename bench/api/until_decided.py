"""Adds seeds to two variants until a verdict stands: which of them is better on each task?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from bench.api.run import DEFAULT_BATCH, DEFAULT_BUDGET, Execute, execute
from bench.engines.contract import Engine
from bench.plan.estimate import Estimate
from bench.plan.matrix import Block, Matrix, Plan, plan, read_budget
from bench.specs import make_budget
from bench.training.decoding import read_decoding
from bench.training.process import cached_task
from results.commands import DECIDING_SEEDS
from results.compare.judging import verdict_at, weigh
from results.compare.measures import MeasureReader, measure
from results.compare.pairs import by_seed, paired
from results.seeds import Seeds, read_seeds
from results.stats import families, sequential
from results.stats.sequential import Look
from results.stats.verdicts import Verdict
from results.store import Store, writing
from results.tables.effects import VERDICT_LABELS
from tasks import Task, canonical
from variants import axes

DEFAULT_SEEDS = range(DECIDING_SEEDS)
"""Seeds of each variant at most, if none are given."""
PHRASES = {
    "better": "is better than",
    "worse": "is worse than",
    "tie": "is as good as",
    "alike": "shows no difference that matters from",
    "undecided": "does not differ significantly from",
}
"""A verdict on the first variant as part of a sentence."""


@dataclass(frozen=True)
class VariantPair:
    """Two variants to compare on some tasks; blocks hold any seeds."""

    names: tuple[str, str]
    labels: tuple[str, ...]
    blocks: tuple[Block, Block]

    def plans(
        self, label: str, seeds: range, task: Task, device: str, execution: str, data: Path
    ) -> tuple[Plan, Plan]:
        """Return the runs of both variants on one task; ValueError if a variant does not apply."""

        def of(name: str, block: Block) -> Plan:
            matrix = Matrix("decide", (replace(block, tasks=(label,), seeds=seeds),))
            planned = plan(matrix, {label: task}, device, data, execution)
            if planned.inapplicable:
                reason = planned.inapplicable[0].reason
                raise ValueError(f"{name} on {label} does not apply: {reason}")
            return planned

        return of(self.names[0], self.blocks[0]), of(self.names[1], self.blocks[1])


class TakenLook(NamedTuple):
    """A look at the runs of one task: the effect so far, and the verdict.

    seeds: of each variant by now. most: seeds at most. final: no more seeds follow.
    """

    names: tuple[str, str]
    task: str
    seeds: int
    most: int
    effect: str
    verdict: str
    final: bool

    @property
    def line(self) -> str:
        """Return the look in one line."""
        word = VERDICT_LABELS.get(self.verdict, self.verdict)
        return f"{self.task}: {self.seeds} seeds, {self.effect}, {word}"

    @property
    def sentence(self) -> str:
        """Return the final verdict in one sentence."""
        first, second = self.names
        spent = f"after {self.seeds} of at most {self.most} seeds"
        return f"{self.task}: {first} {PHRASES[self.verdict]} {second} {spent}: {self.effect}"


def variant_pair(
    names: tuple[str, str],
    labels: list[str],
    base: str = "base",
    budget: str | None = None,
    batch: int | None = None,
    decoding: str | None = None,
    every: int | None = None,
) -> VariantPair:
    """Return the comparison of two variants that options describe.

    Args:
        names: The variants, as differences from the base.
        labels: Tasks to compare them on.
        base: A variant as text.
        budget: As text, `1000steps` by default.
        batch: Examples per training step, 32 by default.
        decoding: Of the test set, greedy by default.
        every: Steps between two evaluations; None for what the budget asks for.

    Raises:
        ValueError: An option is wrong, or both variants are the same.
    """
    tasks = tuple(dict.fromkeys(canonical(label) for label in labels))
    limits = make_budget(
        **read_budget(budget or DEFAULT_BUDGET),
        batch=DEFAULT_BATCH if batch is None else batch,
        every=every or 0,
    )
    how = read_decoding(decoding or "greedy").text
    first, second = (
        Block(tasks, axes.parse(name, axes.parse(base)), {}, {}, range(1), limits, how)
        for name in names
    )
    if first == second:
        raise ValueError(f"{names[0]} and {names[1]} are the same variant here; give two")
    return VariantPair(names, tasks, (first, second))


def most_seeds(asked: Seeds | None) -> range:
    """Return the seeds that may be used; ValueError for too few to decide, or too many."""
    most = DEFAULT_SEEDS if asked is None else read_seeds(asked)
    sequential.looks(len(most))
    return most


class _Progress(NamedTuple):
    """The looks taken at one task, and the further seeds it wants as far as that is known."""

    looks: int = 0
    wanted: int | None = None


def check(pair: VariantPair, device: str, execution: str, folder: Path) -> dict[str, Task]:
    """Build the tasks and return them; ValueError for a variant that does not apply."""
    data = folder / "data"
    tasks = {label: cached_task(label, data) for label in pair.labels}
    for label, task in tasks.items():
        pair.plans(label, range(1), task, device, execution, data)
    return tasks


def decide(
    pair: VariantPair,
    engine: Engine,
    device: str,
    execution: str,
    folder: Path,
    most: range = DEFAULT_SEEDS,
    run: Execute = execute,
) -> Iterator[TakenLook]:
    """Do runs until each task has a verdict, and yield every look at them.

    The task that wants the fewest further seeds is next, so that most verdicts come early.

    Args:
        pair: The variants and tasks.
        engine: Does the runs.
        device: `cpu` or `cuda`.
        execution: An execution mode, or `auto`.
        folder: The store, which keeps the runs.
        most: Seeds of each variant at most, of which the first are done first.
        run: Does the runs of a plan, perhaps showing progress.

    Raises:
        ValueError: A variant does not apply, or there are fewer seeds than the first look takes.
    """
    tasks = check(pair, device, execution, folder)
    looks = sequential.looks(len(most))
    undecided = dict.fromkeys(tasks, _Progress())
    with writing(folder) as store:
        cost = Estimate(tasks, store.all_runs())
        while undecided:
            label = _next(undecided)
            look = looks[undecided[label].looks]
            plans = pair.plans(
                label, most[: look.pairs], tasks[label], device, execution, folder / "data"
            )
            run(store, Plan((*plans[0].specs, *plans[1].specs), ()), cost, engine)
            verdict, effect = _judge(tasks[label].metric, store, plans, look)
            taken = undecided[label].looks + 1
            final = verdict.word != "undecided" or taken == len(looks)
            undecided[label] = _Progress(taken, verdict.more)
            if final:
                del undecided[label]
            yield TakenLook(pair.names, label, look.pairs, len(most), effect, verdict.word, final)


def _next(undecided: Mapping[str, _Progress]) -> str:
    """Return the task that is nearest to its verdict."""
    labels = list(undecided)
    return labels[sequential.closest_to_decided([undecided[label].wanted for label in labels])[0]]


def _judge(metric: str, store: Store, plans: tuple[Plan, Plan], look: Look) -> tuple[Verdict, str]:
    """Return the verdict on the task's score, and the effect with its interval as text."""
    sides = [list(store.records([spec.id for spec in plan.specs])) for plan in plans]
    known = measure(metric)
    reader = MeasureReader([record for side in sides for record in side])
    pairs = paired(known, reader, [by_seed(sides[0])], [by_seed(sides[1])])
    weighed = weigh(pairs, look.alpha)
    p_values = families.family_wise(weighed.evidence.tested)
    verdict = verdict_at(pairs, weighed, p_values, look.alpha, look.alpha)
    low, high = known.write(weighed.interval.low), known.write(weighed.interval.high)
    return verdict, f"{known.title} {known.write(weighed.interval.estimate)} ({low} to {high})"
