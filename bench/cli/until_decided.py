"""bench run --until-decided A B: seeds are added until the verdict stands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.execution import execute_with_progress
from bench.cli.shared import console, writing

if TYPE_CHECKING:
    from bench.engines.contract import Engine
    from bench.plan.matrix import Block, Plan
    from results.stats.inference import Verdict
    from results.stats.sequential import Look
    from results.store import Store

MOST = 40
"""Seeds at most, if nothing is said."""


@dataclass(frozen=True)
class Question:
    """Which of two variants is better, on these tasks? blocks: of both, with any seeds."""

    names: tuple[str, str]
    labels: tuple[str, ...]
    blocks: tuple[Block, Block]


def question(
    names: tuple[str, str],
    labels: list[str],
    base: str,
    budget: str | None,
    batch: int | None,
    decoding: str | None,
) -> Question:
    """From options of the command line; ValueError for what is wrong with them."""
    from bench.plan.matrix import Block, read_budget
    from bench.specs import Budget
    from bench.training.decoding import read as read_decoding
    from tasks import canonical
    from variants import axes

    tasks = tuple(dict.fromkeys(canonical(label) for label in labels))
    limits = Budget(**read_budget(budget or "1000steps"), batch=32 if batch is None else batch)
    how = read_decoding(decoding or "greedy").text
    one, other = (
        Block(tasks, axes.parse(name, axes.parse(base)), {}, {}, 1, limits, how) for name in names
    )
    if one == other:
        raise ValueError(f"{names[0]} and {names[1]} are the same variant here; give two")
    return Question(names, tasks, (one, other))


def decide(
    asked: Question, most: int, engine: Engine, device: str, executed: str, folder: Path
) -> None:
    """Do runs, a look at a time, what is nearest to a verdict first, and say how each task ends.

    ValueError for a variant that does not apply, before anything runs.
    """
    from bench.plan.estimate import Estimate
    from bench.plan.matrix import Matrix, Plan, plan
    from bench.training.process import cached_task
    from results.stats import sequential

    tasks = {label: cached_task(label, folder / "data") for label in asked.labels}

    def plans(label: str, pairs: int) -> list[Plan]:
        blocks = (replace(block, tasks=(label,), seeds=pairs) for block in asked.blocks)
        made = [
            plan(Matrix("decide", (block,)), tasks, device, folder / "data", executed)
            for block in blocks
        ]
        for name, one in zip(asked.names, made, strict=True):
            if one.inapplicable:
                raise ValueError(f"{name} on {label} does not apply: {one.inapplicable[0].reason}")
        return made

    for label in tasks:
        plans(label, 1)
    looks = sequential.looks(most)
    at = dict.fromkeys(tasks, 0)
    more: dict[str, int | None] = dict.fromkeys(tasks)
    ended: list[str] = []
    out = console()
    with writing(folder) as opened:
        cost = Estimate(tasks, opened.records())
        while more:
            label = list(more)[sequential.nearest(list(more.values()))[0]]
            look = looks[at[label]]
            both = plans(label, look.pairs)
            whole = Plan(tuple(spec for one in both for spec in one.specs), ())
            execute_with_progress(opened, whole, cost, engine)
            verdict, text = _look(tasks[label].metric, opened, both, look)
            out.print(f"{label}: {look.pairs} seeds, {text}, {verdict.word}", soft_wrap=True)
            at[label], more[label] = at[label] + 1, verdict.more
            if verdict.word != "undecided" or at[label] == len(looks):
                del more[label]
                ended.append(_sentence(asked.names, label, look, most, verdict, text))
        for line in ended:
            out.print(line, soft_wrap=True, style="bold")


def _look(metric: str, store: Store, plans: list[Plan], look: Look) -> tuple[Verdict, str]:
    """The verdict on the task's score, and the effect with its interval as text."""
    from results.compare.measures import MeasureReader, measure
    from results.compare.pairs import by_seed, paired
    from results.stats import sequential

    sides = [list(store.records([spec.id for spec in one.specs])) for one in plans]
    known = measure(metric)
    reader = MeasureReader([record for side in sides for record in side])
    pairs = paired({}, known, reader, [by_seed(sides[0])], [by_seed(sides[1])])
    interval, verdict = sequential.decide(pairs.differences, look, known.margin)
    low, high = known.write(interval.low), known.write(interval.high)
    return verdict, f"{known.title} {known.write(interval.estimate)} ({low} to {high})"


def _sentence(
    names: tuple[str, str], label: str, look: Look, most: int, verdict: Verdict, text: str
) -> str:
    said = {
        "better": "is better than",
        "worse": "is worse than",
        "tie": "is as good as",
        "undecided": "cannot be told from",
    }[verdict.word]
    spent = f"after {look.pairs} of at most {most} seeds"
    return f"{label}: {names[0]} {said} {names[1]} {spent}: {text}"
