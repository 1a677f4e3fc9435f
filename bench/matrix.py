"""A matrix: tasks x variants x seeds with budgets, from a TOML file or from options.

about = "what it shows"
seeds = 3

[[block]]
tasks = ["increment", "reversal:mode=symbols"]
base = { hidden = 50, learning_rate = 0.01 }   # changes to the suite's base
steps = 500                                    # or tokens, or seconds
batch = 32                                     # every, stop, seeds: see bench.specs.Budget
star.cell = ["rnn", "lstm"]                    # one axis changed at a time around the base
grid.attention = "all"                         # full crossing of all grid axes
"""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from bench.specs import Budget, RunSpec, make
from results import naming
from results.store import Planned
from tasks import Task, canonical
from tasks.choices import one_of
from variants import BASE, TOGETHER, Variant, axes

MATRICES = Path(__file__).parent / "matrices"
TOP_KEYS = ("about", "seeds", "block")
BUDGET_KEYS = tuple(field.name for field in fields(Budget))
BLOCK_KEYS = ("tasks", "base", "star", "grid", "seeds", *BUDGET_KEYS)
BUDGET_TEXT = re.compile(r"(\d+(?:\.\d+)?)\s*(steps|tokens|s)?")


class MatrixError(ValueError):
    """A sentence naming the file, the line and the near ones."""


@dataclass(frozen=True)
class Block:
    """Some tasks, a base, and what is varied around it."""

    tasks: tuple[str, ...]
    base: Variant
    star: Mapping[str, tuple[axes.Value, ...]]
    grid: Mapping[str, tuple[axes.Value, ...]]
    seeds: int
    budget: Budget

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

    def changed(self, seeds: int | None, budget: str | None) -> Matrix:
        """With other seeds or another budget throughout."""
        blocks = self.blocks
        if seeds is not None:
            blocks = tuple(replace(block, seeds=_seeds(seeds)) for block in blocks)
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


def plan(matrix: Matrix, tasks: Mapping[str, Task], device: str) -> Plan:
    """Expand a matrix. tasks: every task that it names, built."""
    specs: dict[str, RunSpec] = {}
    inapplicable: dict[tuple[str, str], Planned] = {}
    digests = {label: task.digest() for label, task in tasks.items()}
    for block in matrix.blocks:
        for label, variant in itertools.product(block.tasks, block.variants()):
            reason = axes.inapplicable(variant, tasks[label].facts.tagging)
            if reason is not None:
                name = naming.name(asdict(variant), asdict(BASE))
                inapplicable[label, name] = Planned(None, label, name, None, reason)
                continue
            for seed in range(block.seeds):
                spec = make(label, digests[label], asdict(variant), block.budget, seed, device)
                specs[spec.id] = spec
    return Plan(tuple(specs.values()), tuple(inapplicable.values()))


def named(name: str) -> Matrix:
    """A matrix of bench/matrices by name, or a TOML file by path."""
    path = Path(name)
    if path.suffix == ".toml":
        if not path.is_file():
            raise MatrixError(f"there is no matrix file {path}; give the path of one")
    else:
        one_of("matrix", name, names())
        path = MATRICES / f"{name}.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise MatrixError(f"{path} is not UTF-8 at byte {error.start}; save it as such") from None
    return parse(text, path.name)


def names() -> list[str]:
    """The matrices that come with the suite."""
    return sorted(path.stem for path in MATRICES.glob("*.toml"))


def about(name: str) -> str:
    """What a matrix of the suite says of itself."""
    text = (MATRICES / f"{name}.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text).get("about", ""))


def parse(text: str, file: str) -> Matrix:
    """A matrix from TOML; MatrixError names the line before anything runs."""
    try:
        read = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # numbers and nesting without end are no TOML
        raise MatrixError(f"{file} is not TOML: {error}; mend that line") from None
    found = Where(text, file)
    with found.at(None, None):
        for key in read:
            found.key = key
            one_of("the key of a matrix", key, TOP_KEYS)
        found.key = "seeds"
        seeds = _seeds(read.get("seeds", 3))
    blocks = read.get("block", [])
    if not isinstance(blocks, list) or not blocks or not all(isinstance(b, dict) for b in blocks):
        raise MatrixError(f"{file} has no [[block]]; add one with tasks and steps")
    return Matrix(
        file.removesuffix(".toml"),
        tuple(_block(block, seeds, found, number) for number, block in enumerate(blocks)),
    )


def _block(raw: dict[str, Any], seeds: int, found: Where, number: int) -> Block:
    with found.at(number, None):
        for key in raw:
            found.key = key
            one_of("the key of a block", key, BLOCK_KEYS)
        found.key = "tasks"
        tasks = _labels(raw.get("tasks"), found)
        base = BASE
        for axis, value in _table(raw, "base", found).items():
            found.key = axis
            base = axes.change(base, {axis: value})
        star, grid = (_axes(_table(raw, part, found), found) for part in ("star", "grid"))
        found.key = "seeds"
        count = _seeds(raw.get("seeds", seeds))
        found.key = next((key for key in BUDGET_KEYS if key in raw), None)
        budget = _budget({key: raw[key] for key in BUDGET_KEYS if key in raw}, found)
    return Block(tasks, base, star, grid, count, budget)


def _table(raw: dict[str, Any], part: str, found: Where) -> dict[str, Any]:
    found.key = part
    table = raw.get(part, {})
    if not isinstance(table, dict):
        raise ValueError(f"{part}={table!r} is not a table; write {part} = {{ axis = ... }}")
    return table


def _labels(given: object, found: Where) -> tuple[str, ...]:
    if not isinstance(given, list) or not given or not all(isinstance(t, str) for t in given):
        raise ValueError(f"tasks={given!r} is not a list of task names; give one or more")
    labels = []
    for label in given:
        found.value = label
        labels.append(canonical(label))
    found.value = None
    return tuple(labels)


def _axes(given: dict[str, Any], found: Where) -> dict[str, tuple[axes.Value, ...]]:
    read: dict[str, tuple[axes.Value, ...]] = {}
    for axis, raw in given.items():
        found.key = axis
        axes.check_axis(axis)
        every = axes.values(TOGETHER.get(axis, (axis,))[0])
        if raw == "all":
            if not every:
                raise ValueError(f'{axis}="all" has no end for a number; list the values')
            raw = every
        if not isinstance(raw, list) or not raw:
            raise ValueError(f'{axis}={raw!r} is not a list of values; give one, or "all"')
        read[axis] = tuple(axes.read_value(axis, value) for value in raw)
    return read


def _budget(given: dict[str, Any], found: Where) -> Budget:
    for key, value in given.items():
        found.key = key
        kind = type(getattr(Budget(steps=1), key))
        if not isinstance(value, (int, float) if kind is float else kind) or value is True:
            raise ValueError(f"{key}={value!r} is not of the kind {kind.__name__}; give such")
    return Budget(**given)


def _seeds(given: object) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= 100_000:
        raise ValueError(f"seeds={given!r} is not a whole number from 1 to 100000; give one")
    return given


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
        every = axes.values(TOGETHER.get(axis, (axis,))[0])
        given = every if listed == "all" and every else listed.split(",")
        varied[axis] = tuple(axes.read_value(axis, value.strip()) for value in given)
    block = Block(
        tasks=tuple(canonical(task) for task in tasks),
        base=axes.parse(base),
        star={} if crossed else varied,
        grid=varied if crossed else {},
        seeds=3,
        budget=Budget(**read_budget(budget), batch=batch),
    )
    return Matrix("options", (block,))


class Where:
    """Where in a file we are reading, so that an error can name the line."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.lines = text.split("\n")
        self.block: int | None = None
        self.key: str | None = None
        self.value: str | None = None

    def at(self, block: int | None, key: str | None) -> Where:
        """Enter a block; None is the head of the file."""
        self.block, self.key, self.value = block, key, None
        return self

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ValueError) and not isinstance(error, MatrixError):
            raise MatrixError(f"{self.file}, line {self.line()}: {error}") from None

    def line(self) -> int:
        """The line of the present key or value, counted from 1; else of its block."""
        starts = [n for n, line in enumerate(self.lines) if line.strip().startswith("[[")]
        # blocks may also be written in one line, block = [{...}, {...}]
        first = 0 if self.block is None or self.block >= len(starts) else starts[self.block]
        after = [n for n in starts if n > first]
        last = after[0] if after and self.block is not None else len(self.lines)
        for wanted in (self.value, self.key):
            if wanted is not None:
                pattern = re.compile(rf"(?<![\w-]){re.escape(wanted)}(?![\w-])")
                for number in range(first, last):
                    if pattern.search(self.lines[number].partition("#")[0]):
                        return number + 1
        return first + 1
