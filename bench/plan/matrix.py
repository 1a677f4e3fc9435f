"""A matrix: tasks x variants x seeds with budgets, and the plan that it expands to."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench.corpora import vectors
from bench.doctor.faults import FAULTS
from bench.plan.groups import execution
from bench.plugins import loading
from bench.specs import Budget, RunSpec, make
from bench.training.decoding import read as read_decoding
from results import naming
from results.store import Planned
from tasks import Task, canonical
from tasks.choices import one_of
from variants import BASE, TOGETHER, Variant, axes, inapplicable
from variants.precision import missing

BUDGET_TEXT = re.compile(r"(\d+(?:\.\d+)?)\s*(steps|tokens|s)?")


@dataclass(frozen=True)
class Block:
    """Some tasks, a base, and what is varied around it. fault: one that all its runs have."""

    tasks: tuple[str, ...]
    base: Variant
    star: Mapping[str, tuple[axes.Value, ...]]
    grid: Mapping[str, tuple[axes.Value, ...]]
    seeds: int
    budget: Budget
    decoding: str = "greedy"
    fault: str = ""

    def variants(self) -> Iterator[Variant]:
        """The base, the star around it, the grid; each once."""
        star = ({axis: value} for axis, values in self.star.items() for value in values)
        crossed = itertools.product(*self.grid.values())
        grid = (dict(zip(self.grid, point, strict=True)) for point in crossed)
        changes: Iterator[Mapping[str, object]] = itertools.chain([{}], star, grid)
        yield from dict.fromkeys(axes.change(self.base, change) for change in changes)


@dataclass(frozen=True)
class Matrix:
    """A named list of blocks."""

    name: str
    blocks: tuple[Block, ...]

    def narrowed(self, labels: list[str]) -> Matrix:
        """Only these tasks: a label as it stands in the matrix, or a name for all its forms."""
        present = sorted({task for block in self.blocks for task in block.tasks})
        names = sorted({*present, *(task.partition(":")[0] for task in present)})
        for label in labels:
            one_of(f"task of the matrix {self.name}", label, names)
        kept = (
            replace(
                block,
                tasks=tuple(
                    task
                    for task in block.tasks
                    if task in labels or task.partition(":")[0] in labels
                ),
            )
            for block in self.blocks
        )
        return replace(self, blocks=tuple(block for block in kept if block.tasks))

    def changed(
        self,
        seeds: int | None = None,
        budget: str | None = None,
        decoding: str | None = None,
        fault: str | None = None,
    ) -> Matrix:
        """With other seeds, another budget, another decoding or a fault throughout."""
        blocks = self.blocks
        if fault is not None:
            one_of("fault", fault, list(FAULTS))
            blocks = tuple(replace(block, fault=fault) for block in blocks)
        if decoding is not None:
            how = read_decoding(decoding).text
            blocks = tuple(replace(block, decoding=how) for block in blocks)
        if seeds is not None:
            blocks = tuple(replace(block, seeds=seed_count(seeds)) for block in blocks)
        if budget is not None:
            limit = read_budget(budget)
            blocks = tuple(
                replace(block, budget=replace(block.budget, **limit)) for block in blocks
            )
        return replace(self, blocks=blocks)


@dataclass(frozen=True)
class Plan:
    """What is to be run, each run once, and what does not apply."""

    specs: tuple[RunSpec, ...]
    inapplicable: tuple[Planned, ...]

    def rows(self) -> list[Planned]:
        """For the store."""
        runs = [
            Planned(spec.id, spec.task, naming.name(spec.variant, asdict(BASE)), spec.seed)
            for spec in self.specs
        ]
        return [*runs, *self.inapplicable]


def plan(
    matrix: Matrix,
    tasks: Mapping[str, Task],
    device: str,
    data: Path | None = None,
    executed: str = "auto",
) -> Plan:
    """Expand a matrix. tasks: every task that it names, built. data: the folder of corpora.
    executed: as groups.execution is asked.

    ValueError or FileNotFoundError for pretrained vectors that will not do.
    """
    specs: dict[str, RunSpec] = {}
    left_out: dict[tuple[str, str], Planned] = {}
    digests = {label: task.digest() for label, task in tasks.items()}
    for block in matrix.blocks:
        for label, variant in itertools.product(block.tasks, block.variants()):
            reason = inapplicable(variant, tasks[label].facts.tagging) or missing(
                variant.precision, device
            )
            if reason is not None:
                name = naming.name(asdict(variant), asdict(BASE))
                left_out[label, name] = Planned(None, label, name, None, reason)
                continue
            vectors.check(asdict(variant), data)
            digest = vectors.digest(digests[label], asdict(variant), data)
            plugin = loading.digest_of(label, asdict(variant))
            how = "eager"
            if not block.fault:
                how = execution(executed, device, asdict(variant), block.budget, plugin)
            for seed in range(block.seeds):
                spec = make(
                    label,
                    digest,
                    asdict(variant),
                    block.budget,
                    seed,
                    device,
                    # a tagger labels what it reads, and decodes nothing
                    "greedy" if tasks[label].facts.tagging else block.decoding,
                    plugin,
                    how,
                    block.fault,
                )
                specs[spec.id] = spec
    return Plan(tuple(specs.values()), tuple(left_out.values()))


def seed_count(given: object) -> int:
    """A number of seeds; ValueError if it is not one."""
    if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= 100_000:
        raise ValueError(f"seeds={given!r} is not a whole number from 1 to 100000; give one")
    return given


def axis_values(axis: str, given: object) -> tuple[axes.Value, ...]:
    """The values of an axis that are to be varied: a list of them, or "all" of its choices."""
    axes.check_axis(axis)
    if given == "all":
        given = axes.values(TOGETHER.get(axis, (axis,))[0])
        if not given:
            raise ValueError(f'{axis}="all" has no end for a number; list the values')
    if not isinstance(given, list) or not given:
        raise ValueError(f'{axis}={given!r} is not a list of values; give one, or "all"')
    return tuple(axes.read_value(axis, value) for value in given)


def read_budget(text: str) -> dict[str, Any]:
    """`500`, `500steps`, `2000000tokens` or `60s` as the three limits of a Budget."""
    match = BUDGET_TEXT.fullmatch(text.strip())
    limits: dict[str, Any] = {"steps": 0, "tokens": 0, "seconds": 0.0}
    if match:
        number, unit = float(match[1]), match[2] or "steps"
        if number > 0 and (unit == "s" or number.is_integer()):
            key = "seconds" if unit == "s" else unit
            return limits | {key: number if unit == "s" else int(number)}
    raise ValueError(
        f"the budget {text!r} is not above 0 with a unit; write 500steps, 2000000tokens or 60s"
    )


def from_options(
    tasks: list[str], base: str, vary: list[str], crossed: bool, budget: str, batch: int
) -> Matrix:
    """A matrix from command-line options. vary: `axis=a,b` each; crossed: as a grid."""
    varied: dict[str, tuple[axes.Value, ...]] = {}
    for text in vary:
        axis, equals, listed = (part.strip() for part in text.partition("="))
        if not equals or not listed:
            raise ValueError(f"--vary {text!r} is not axis=value,value; write it so")
        axes.check_axis(axis)
        if axis in varied:
            raise ValueError(f"--vary {axis} stands twice; give all its values at once")
        given = listed if listed == "all" else [value.strip() for value in listed.split(",")]
        varied[axis] = axis_values(axis, given)
    block = Block(
        tasks=tuple(canonical(task) for task in tasks),
        base=axes.parse(base),
        star={} if crossed else varied,
        grid=varied if crossed else {},
        seeds=3,
        budget=Budget(**read_budget(budget), batch=batch),
    )
    return Matrix("options", (block,))
