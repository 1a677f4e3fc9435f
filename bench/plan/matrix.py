"""Expands a matrix, tasks x variants x seeds with budgets, to a plan of runs."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.corpora import vectors
from bench.doctor.faults import inapplicable_fault, read_faults
from bench.plan.groups import execution
from bench.plugins import loading
from bench.specs import Budget, Epochs, RunSpec, make, make_budget
from bench.training.decoding import read_decoding
from results import naming
from results.seeds import TUNING_SEED, Seeds, read_seeds
from results.store import Planned
from tasks import Task, canonical
from tasks.choices import one_of
from variants import BASE, TOGETHER, Variant, axes, inapplicable
from variants.precision import missing

BUDGET_TEXT = re.compile(r"(\d+(?:\.\d+)?)\s*(steps|tokens|epochs?|s)?")
"""A budget as a user writes it: a number and a unit, steps if there is none."""
TUNING_SEEDS = range(TUNING_SEED, TUNING_SEED + 3)
"""Seeds of the runs of each candidate; no run that is reported has one of them."""
MOST_RUNS = 1_000_000
"""Largest number of runs of a plan, which takes about half a minute to make."""


@dataclass(frozen=True)
class Block:
    """A part of a matrix: tasks, a base variant, and what is varied around it.

    Attributes:
        tasks: Labels of the tasks.
        base: The variant that star and grid start from; it is also run itself.
        star: Values by axis; one axis is changed at a time.
        grid: Values by axis; all combinations are run.
        seeds: The seeds of each variant.
        decoding: How test outputs are made, as `bench.training.decoding` writes it.
        fault: The name of a fault that is planted in every run, or of several joined by +; empty
            for none.
        with_base: The base is run too, not only where it is in the star or the grid.
        tune: Candidates by axis; each variant is run with the ones that tuning chooses for it.
        tuning: Of runs that tune: the axes that they help to choose, separated by commas.
    """

    tasks: tuple[str, ...]
    base: Variant
    star: Mapping[str, tuple[axes.Value, ...]]
    grid: Mapping[str, tuple[axes.Value, ...]]
    seeds: range
    budget: Budget | Epochs
    decoding: str = "greedy"
    fault: str = ""
    with_base: bool = True
    tune: Mapping[str, tuple[axes.Value, ...]] = field(default_factory=dict)
    tuning: str = ""

    @property
    def runs(self) -> int:
        """Return the number of runs, without making them; repeated variants count twice.

        Tuning may add some more, where a choice lies at an edge.
        """
        variants = 1 + sum(map(len, self.star.values()))
        if self.grid:
            variants += math.prod(map(len, self.grid.values()))
        tried = math.prod(map(len, self.tune.values())) * len(TUNING_SEEDS) if self.tune else 0
        return len(self.tasks) * variants * (len(self.seeds) + tried)

    def variants(self) -> Iterator[Variant]:
        """Yield the base, if it is wanted, the star around it and the grid, each variant once."""
        star = ({axis: value} for axis, values in self.star.items() for value in values)
        crossed = itertools.product(*self.grid.values())
        grid = (dict(zip(self.grid, point, strict=True)) for point in crossed)
        itself: list[Mapping[str, object]] = [{}] if self.with_base else []
        changes: Iterator[Mapping[str, object]] = itertools.chain(itself, star, grid)
        yield from dict.fromkeys(axes.change(self.base, change) for change in changes)


@dataclass(frozen=True)
class Matrix:
    """A matrix is a named list of blocks."""

    name: str
    blocks: tuple[Block, ...]

    def narrowed(self, labels: list[str]) -> Matrix:
        """Return the matrix with only these tasks.

        Args:
            labels: Tasks as the matrix writes them, or names for all settings of a task.

        Raises:
            ValueError: A label is not in the matrix.
        """
        present = sorted({task for block in self.blocks for task in block.tasks})
        names = sorted({*present, *map(_name, present)})
        for label in labels:
            one_of(f"task of the matrix {self.name}", label, names)
        blocks = []
        for block in self.blocks:
            tasks = tuple(t for t in block.tasks if t in labels or _name(t) in labels)
            if tasks:
                blocks.append(replace(block, tasks=tasks))
        return replace(self, blocks=tuple(blocks))

    def changed(
        self,
        seeds: Seeds | None = None,
        budget: str | None = None,
        decoding: str | None = None,
        fault: str | None = None,
        stop: str | None = None,
        batching: str | None = None,
    ) -> Matrix:
        """Return the matrix with other seeds, budget, decoding, fault, end or batches throughout.

        None leaves a setting as it is.

        Raises:
            ValueError: One of the values is not allowed.
        """
        changes: dict[str, Any] = {}
        if fault is not None:
            changes["fault"] = read_faults(fault)
        if decoding is not None:
            changes["decoding"] = read_decoding(decoding).text
        if seeds is not None:
            changes["seeds"] = read_seeds(seeds)
        limit = None if budget is None else read_budget(budget)
        ways = {"stop": stop, "batching": batching}
        given = {key: value for key, value in ways.items() if value is not None}
        return replace(
            self,
            blocks=tuple(
                replace(block, budget=_changed_budget(block.budget, limit, given), **changes)
                for block in self.blocks
            ),
        )

    def tuned(self, tune: Mapping[str, tuple[axes.Value, ...]]) -> Matrix:
        """Return the matrix with these candidates tuned in every block, besides its own.

        Raises:
            ValueError: There is nothing to choose, or an axis varies too.
        """
        for block in self.blocks:
            check_tuned(tune, (*block.star, *block.grid))
        return replace(
            self, blocks=tuple(replace(block, tune={**block.tune, **tune}) for block in self.blocks)
        )


def _changed_budget(
    given: Budget | Epochs, limit: Mapping[str, Any] | None, changes: Mapping[str, Any]
) -> Budget | Epochs:
    """Return a budget with another limit, of `read_budget`, and other fields; None leaves it."""
    if limit is not None:
        kept = {key: getattr(given, key) for key in ("batch", "every", "stop", "batching")}
        given = make_budget(**limit, **kept)
    return replace(given, **changes)


def _name(label: str) -> str:
    """Return the name of a task without its settings."""
    return label.partition(":")[0]


@dataclass(frozen=True)
class Plan:
    """A plan lists what is to be run, each run once, and what does not apply.

    Attributes:
        specs: The runs.
        inapplicable: Variants that do not apply to a task or device, each with its reason.
        origins: For each run that goes on from a shorter one, its id and that of the shorter.
        anew: Number of runs that start at step 0, though a shorter one of theirs is stored.
    """

    specs: tuple[RunSpec, ...]
    inapplicable: tuple[Planned, ...]
    origins: Mapping[str, str] = field(default_factory=dict)
    anew: int = 0

    def rows(self) -> list[Planned]:
        """Return all of the plan as rows for the store."""
        runs = [
            Planned(spec.id, spec.task, naming.name(spec.variant, asdict(BASE)), spec.seed)
            for spec in self.specs
        ]
        return [*runs, *self.inapplicable]


def check_size(matrix: Matrix) -> None:
    """Raise ValueError for a matrix of more runs than can be planned; none of them is made."""
    if (runs := sum(block.runs for block in matrix.blocks)) > MOST_RUNS:
        raise ValueError(
            f"this would be {runs:,} runs, and a plan holds at most {MOST_RUNS:,}; give fewer "
            "seeds, values or tasks, or several commands"
        )


def plan(
    matrix: Matrix,
    tasks: Mapping[str, Task],
    device: str,
    data: Path | None = None,
    executed: str = "auto",
) -> Plan:
    """Expand a matrix to a plan.

    Args:
        tasks: The built task of every label that the matrix names.
        device: The device type, cpu or cuda.
        data: The folder of corpora and word vectors.
        executed: The execution mode that is asked for; see `groups.execution`.

    Raises:
        ValueError: Pretrained vectors do not fit the variant.
        FileNotFoundError: Pretrained vectors are not in the data folder.
    """
    check_size(matrix)
    specs: dict[str, RunSpec] = {}
    left_out: dict[tuple[str, str], Planned] = {}
    labels = dict.fromkeys(label for block in matrix.blocks for label in block.tasks)
    digests = {label: tasks[label].digest() for label in labels}
    for block in matrix.blocks:
        for label, variant in itertools.product(block.tasks, block.variants()):
            tagging = tasks[label].facts.tagging
            reason = _left_out_for(block, variant, tagging, device)
            plain = asdict(variant)
            if reason is not None:
                name = naming.name(plain, asdict(BASE))
                left_out[label, name] = Planned(None, label, name, None, reason)
                continue
            vectors.check(plain, data)
            digest = vectors.digest(digests[label], plain, data)
            budget = block.budget
            if isinstance(budget, Epochs):
                budget = budget.over(len(tasks[label].splits["train"]))
            timed = replace(block, budget=budget)
            for spec in _seeds(timed, label, plain, tagging, digest, device, executed):
                specs[spec.id] = spec
    return Plan(tuple(specs.values()), tuple(left_out.values()))


def _left_out_for(block: Block, variant: Variant, tagging: bool, device: str) -> str | None:
    """Return why a variant of a block is not run on a task; None or "" if it is."""
    return (
        inapplicable(variant, tagging)
        or missing(variant.precision, device)
        or inapplicable_fault(block.fault, variant, tagging)
    )


def _seeds(
    block: Block,
    label: str,
    variant: dict[str, Any],
    tagging: bool,
    digest: str,
    device: str,
    executed: str,
) -> Iterator[RunSpec]:
    """Yield the spec of one variant on one task for each seed of a block, not in epochs."""
    assert isinstance(block.budget, Budget)
    plugin = loading.digest_of(label, variant)
    # faults are planted in one model at a time
    mode = "eager"
    if not block.fault:
        mode = execution(executed, device, variant, block.budget, plugin)
    # a tagger labels its source and decodes nothing
    decoding = "greedy" if tagging else block.decoding
    for seed in block.seeds:
        yield make(
            label,
            digest,
            variant,
            block.budget,
            seed,
            device,
            decoding,
            plugin,
            mode,
            block.fault,
            block.tuning,
        )


def check_tuned(tune: Mapping[str, Sequence[axes.Value]], varied: Iterable[str]) -> None:
    """Raise ValueError for candidates that leave nothing to choose, or cannot be chosen from.

    varied: axes that vary in the same block.
    """
    for axis, values in tune.items():
        if axis in TOGETHER:
            several = " and ".join(TOGETHER[axis])
            raise ValueError(f"{axis} sets {several} together; tune one of them")
        if len(set(values)) < 2:
            raise ValueError(
                f"{axis} has one candidate, {naming.text(values[0])}, so there is nothing to "
                "choose; give two or more"
            )
        if axis in {name for each in varied for name in (each, *TOGETHER.get(each, ()))}:
            raise ValueError(f"{axis} cannot vary and be tuned at once; leave one of the two out")


def axis_values(axis: str, given: object) -> tuple[axes.Value, ...]:
    """Return the values of an axis that are to be varied.

    Args:
        given: A list of values, or "all" for every choice of the axis.

    Raises:
        ValueError: The axis or a value does not exist, or "all" was given for a number.
    """
    axes.check_axis(axis)
    if given == "all":
        given = axes.values(TOGETHER.get(axis, (axis,))[0])
        if not given:
            raise ValueError(
                f'{axis}="all" is not possible, as a number has no list of values; list the values'
            )
    if not isinstance(given, list) or not given:
        raise ValueError(f'{axis}={given!r} is not a list of values; give one, or "all"')
    return tuple(axes.read_value(axis, value) for value in given)


def read_budget(text: str) -> dict[str, Any]:
    """Return `500`, `500steps`, `2000000tokens`, `60s` or `3epochs` as `make_budget` takes it."""
    match = BUDGET_TEXT.fullmatch(text.strip())
    number = float(match[1]) if match else 0.0
    unit = (match and match[2]) or "steps"
    if number > 0 and unit == "s":
        return {"steps": 0, "tokens": 0, "seconds": number}
    if number > 0 and number.is_integer():
        if unit.startswith("epoch"):
            return {"epochs": int(number)}
        return {"steps": 0, "tokens": 0, "seconds": 0.0} | {unit: int(number)}
    raise ValueError(
        f"the budget {text!r} is not a number above 0 with a unit; write 500steps, 2000000tokens, "
        "3epochs or 60s"
    )


def from_options(
    tasks: list[str],
    base: str,
    vary: list[str],
    crossed: bool,
    budget: str,
    batch: int,
    every: int = 0,
) -> Matrix:
    """Return a matrix of one block from command-line options.

    Args:
        tasks: Task labels.
        base: Changes to the suite's base variant, `axis=value,...`.
        vary: What is varied, `axis=value,value` each.
        crossed: Whether all combinations are run, rather than one change at a time.
        budget: A limit as `read_budget` reads it.
        batch: The number of examples per step.
        every: Steps between two evaluations; 0 for as many as the budget asks for.

    Raises:
        ValueError: An option is not allowed; the message says what is.
    """
    varied = read_listed("--vary", vary)
    block = Block(
        tasks=tuple(canonical(task) for task in tasks),
        base=axes.parse(base),
        star={} if crossed else varied,
        grid=varied if crossed else {},
        seeds=range(3),
        budget=make_budget(**read_budget(budget), batch=batch, every=every),
        with_base=not (crossed and varied),
    )
    return Matrix("options", (block,))


def read_listed(option: str, given: Iterable[str]) -> dict[str, tuple[axes.Value, ...]]:
    """Return the values by axis of an option's texts, `axis=value,value` each.

    Raises:
        ValueError: A text is not of this form, or an axis is given twice.
    """
    found: dict[str, tuple[axes.Value, ...]] = {}
    for text in given:
        axis, values = _listed(option, text)
        if axis in found:
            raise ValueError(f"{option} {axis} is given twice; give all its values at once")
        found[axis] = values
    return found


def _listed(option: str, text: str) -> tuple[str, tuple[axes.Value, ...]]:
    axis, equals, listed = (part.strip() for part in text.partition("="))
    if not equals or not listed:
        raise ValueError(f"{option} {text!r} is not of the form axis=value,value; write it so")
    axes.check_axis(axis)
    given = listed if listed == "all" else [value.strip() for value in listed.split(",")]
    return axis, axis_values(axis, given)
