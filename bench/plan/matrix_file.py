"""Reading a matrix file, with errors that name the line.

about = "what it shows"
seeds = 3

[[block]]
tasks = ["increment", "reversal:mode=symbols"]
base = { hidden = 50, learning_rate = 0.01 }   # changes to the suite's base
steps = 500                                    # or tokens, or seconds
batch = 32                                     # every, stop, seeds: see bench.specs.Budget
star.cell = ["rnn", "lstm"]                    # one axis changed at a time around the base
grid.attention = "all"                         # full crossing of all grid axes
decoding = "beam=5,length_penalty=0.6"         # of test; greedy if left out
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from bench.plan.matrix import Block, Matrix, axis_values, seed_count
from bench.specs import Budget
from bench.training import decoding
from tasks import canonical
from tasks.choices import one_of
from variants import BASE, axes

MATRICES = Path(__file__).parents[1] / "matrices"
TOP_KEYS = ("about", "seeds", "block")
BUDGET_KEYS = tuple(field.name for field in fields(Budget))
BLOCK_KEYS = ("tasks", "base", "star", "grid", "seeds", "decoding", *BUDGET_KEYS)


class MatrixError(ValueError):
    """A sentence naming the file, the line and the near ones."""


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
    with found.at(None):
        for key in read:
            found.key = key
            one_of("key of a matrix", key, TOP_KEYS)
        found.key = "seeds"
        seeds = seed_count(read.get("seeds", 3))
    blocks = read.get("block", [])
    if not isinstance(blocks, list) or not blocks or not all(isinstance(b, dict) for b in blocks):
        raise MatrixError(f"{file} has no [[block]]; add one with tasks and steps")
    return Matrix(
        file.removesuffix(".toml"),
        tuple(_block(block, seeds, found, number) for number, block in enumerate(blocks)),
    )


def _block(raw: dict[str, Any], seeds: int, found: Where, number: int) -> Block:
    with found.at(number):
        for key in raw:
            found.key = key
            one_of("key of a block", key, BLOCK_KEYS)
        found.key = "tasks"
        tasks = _labels(raw.get("tasks"), found)
        base = BASE
        for axis, value in _table(raw, "base", found).items():
            found.part, found.key = "base", axis
            base = axes.change(base, {axis: value})
        found.part = None
        star, grid = (_axes(part, raw, found) for part in ("star", "grid"))
        found.key = "seeds"
        count = seed_count(raw.get("seeds", seeds))
        found.key = "decoding"
        how = decoding.read(str(raw.get("decoding", "greedy"))).text
        found.key = next((key for key in BUDGET_KEYS if key in raw), None)
        budget = _budget({key: raw[key] for key in BUDGET_KEYS if key in raw}, found)
    return Block(tasks, base, star, grid, count, budget, how)


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


def _axes(part: str, raw: dict[str, Any], found: Where) -> dict[str, tuple[axes.Value, ...]]:
    given = _table(raw, part, found)
    read: dict[str, tuple[axes.Value, ...]] = {}
    for axis, listed in given.items():
        found.part, found.key = part, axis
        read[axis] = axis_values(axis, listed)
    found.part = None
    return read


def _budget(given: dict[str, Any], found: Where) -> Budget:
    for key, value in given.items():
        found.key = key
        kind = type(getattr(Budget(steps=1), key))
        if not isinstance(value, (int, float) if kind is float else kind) or value is True:
            raise ValueError(f"{key}={value!r} is not of the kind {kind.__name__}; give such")
    return Budget(**given)


class Where:
    """Where in a file we are reading, so that an error can name the line.

    block: its number, None at the head of the file. part: base, star or grid, inside of one.
    """

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.lines = [line.partition("#")[0] for line in text.split("\n")]
        self.at(None)

    def at(self, block: int | None) -> Where:
        """Enter a block."""
        self.block = block
        self.part: str | None = None
        self.key: str | None = None
        self.value: str | None = None
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
        begin = self._part_begin(first, last)
        for wanted in filter(None, (self.value, self.key)):
            number = self._find(wanted, begin, last)
            if number is None:
                number = self._find(wanted, first, last)
            if number is not None:
                return number + 1
        return first + 1

    def _part_begin(self, first: int, last: int) -> int:
        """Where the part begins that holds the key: `part.key` itself, else `part`'s table."""
        if self.part is None:
            return first
        for wanted in (f"{self.part}.{self.key}", self.part):
            number = self._find(wanted, first, last)
            if number is not None:
                return number
        return first

    def _find(self, wanted: str, first: int, last: int) -> int | None:
        pattern = re.compile(rf"(?<![\w-]){re.escape(wanted)}(?![\w-])")
        found = (n for n in range(first, last) if pattern.search(self.lines[n]))
        return next(found, None)
