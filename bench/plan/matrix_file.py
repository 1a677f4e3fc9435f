"""Reads a matrix from a TOML file, with errors that name the line.

about = "what it shows"
seeds = 3                                      # seeds 0 to 2; "100:110" for 100 to 109

[[block]]
tasks = ["increment", "reversal:mode=symbols"]
base = { hidden = 50, learning_rate = 0.01 }   # changes to the suite's base variant
steps = 500                                    # or tokens, epochs, or seconds
batch = 32                        # also every, stop and batching: see bench.specs.Budget
seeds = 5                                      # of this block, instead of the file's
star.cell = ["rnn", "lstm"]                    # one axis changed at a time around the base
grid.attention = "all"                         # all combinations of the grid's axes
tune.learning_rate = [1e-3, 3e-3, 1e-2]        # chosen for each variant (bench.plan.tuning)
decoding = "beam=5,length_penalty=0.6"         # of test outputs; greedy if left out
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from bench.plan.matrix import Block, Matrix, axis_values, check_tuned
from bench.specs import Budget, Epochs, make_budget
from bench.training import decoding
from results.seeds import read_seeds
from tasks import canonical
from tasks.choices import one_of
from variants import BASE, axes

MATRICES = Path(__file__).parents[1] / "matrices"
"""Folder of the matrices that come with the suite."""
TOP_KEYS = ("about", "seeds", "block")
BUDGET_KEYS = ("epochs", *(field.name for field in fields(Budget)))
BLOCK_KEYS = ("tasks", "base", "star", "grid", "tune", "seeds", "decoding", *BUDGET_KEYS)


class MatrixError(ValueError):
    """A matrix file has a mistake; the message names file, line and near spellings."""


def read_matrix(name: str) -> Matrix:
    """Read a matrix of the suite by its name, or a TOML file by its path.

    Raises:
        MatrixError: There is no such file, or it has a mistake.
        ValueError: The suite has no matrix of that name.
    """
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
    """Return the names of the matrices that come with the suite."""
    return sorted(path.stem for path in MATRICES.glob("*.toml"))


def about(name: str) -> str:
    """Return the description that a matrix of the suite gives of itself."""
    text = (MATRICES / f"{name}.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text).get("about", ""))


def parse(text: str, file: str) -> Matrix:
    """Return the matrix that a TOML text describes.

    Args:
        text: The content of the file.
        file: The name of the file, for errors and for the matrix's own name.

    Raises:
        MatrixError: The text has a mistake.
    """
    try:
        read = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # RecursionError: nested too deep
        raise MatrixError(f"{file} is not TOML: {error}; correct that line") from None
    position = FilePosition(text, file)
    with position.enter(None):
        for key in read:
            position.key = key
            one_of("key of a matrix", key, TOP_KEYS)
        position.key = "seeds"
        seeds = read_seeds(read.get("seeds", 3))
    blocks = read.get("block", [])
    if not isinstance(blocks, list) or not blocks or not all(isinstance(b, dict) for b in blocks):
        raise MatrixError(f"{file} has no [[block]]; add one with tasks and steps")
    return Matrix(
        file.removesuffix(".toml"),
        tuple(_block(block, seeds, position, number) for number, block in enumerate(blocks)),
    )


def _block(raw: dict[str, Any], file_seeds: range, position: FilePosition, number: int) -> Block:
    """Read one block; `position` is set to each value before it is read."""
    with position.enter(number):
        for key in raw:
            position.key = key
            one_of("key of a block", key, BLOCK_KEYS)
        position.key = "tasks"
        tasks = _labels(raw.get("tasks"), position)
        base = BASE
        for axis, value in _table(raw, "base", position).items():
            position.part, position.key = "base", axis
            base = axes.change(base, {axis: value})
        position.part = None
        star, grid, tune = (_axes(part, raw, position) for part in ("star", "grid", "tune"))
        position.key = "tune"
        check_tuned(tune, (*star, *grid))
        position.key = "seeds"
        seeds = read_seeds(raw.get("seeds", file_seeds))
        position.key = "decoding"
        written = decoding.read_decoding(str(raw.get("decoding", "greedy"))).text
        position.key = next((key for key in BUDGET_KEYS if key in raw), None)
        budget = _budget({key: raw[key] for key in BUDGET_KEYS if key in raw}, position)
    return Block(tasks, base, star, grid, seeds, budget, written, tune=tune)


def _table(raw: dict[str, Any], part: str, position: FilePosition) -> dict[str, Any]:
    position.key = part
    table = raw.get(part, {})
    if not isinstance(table, dict):
        raise ValueError(f"{part}={table!r} is not a table; write {part} = {{ axis = ... }}")
    return table


def _labels(given: object, position: FilePosition) -> tuple[str, ...]:
    if not isinstance(given, list) or not given or not all(isinstance(t, str) for t in given):
        raise ValueError(f"tasks={given!r} is not a list of task names; give one or more")
    labels = []
    for label in given:
        position.value = label
        labels.append(canonical(label))
    position.value = None
    return tuple(labels)


def _axes(
    part: str, raw: dict[str, Any], position: FilePosition
) -> dict[str, tuple[axes.Value, ...]]:
    """Read the values of each axis of a star or grid, or those to choose from."""
    given = _table(raw, part, position)
    read: dict[str, tuple[axes.Value, ...]] = {}
    for axis, listed in given.items():
        position.part, position.key = part, axis
        read[axis] = axis_values(axis, listed)
    position.part = None
    return read


def _budget(given: dict[str, Any], position: FilePosition) -> Budget | Epochs:
    for key, value in given.items():
        position.key = key
        kind = int if key == "epochs" else type(getattr(Budget(steps=1), key))
        # True is an int in Python, and whole numbers serve as floats
        if not isinstance(value, (int, float) if kind is float else kind) or value is True:
            raise ValueError(f"{key}={value!r} is not of the kind {kind.__name__}; give one")
    return make_budget(**given)


class FilePosition:
    """Tracks what is being read in a file, so that an error can name its line.

    Attributes:
        block: The number of the block; None at the head of the file.
        part: The table base, star, grid or tune within the block, if one is being read.
        key: The key being read.
        value: The value being read, where it is one of a list.
    """

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.lines = [line.partition("#")[0] for line in text.split("\n")]
        self.enter(None)

    def enter(self, block: int | None) -> FilePosition:
        """Move to the start of a block; errors in its `with` block name the line."""
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
        """Return the line, counted from 1, of the present value or key, else of its block."""
        first, last = self._block_lines()
        begin = self._part_start(first, last)
        for wanted in filter(None, (self.value, self.key)):
            # within its part first: the same word may stand earlier in the block
            for start in (begin, first):
                number = self._find(wanted, start, last)
                if number is not None:
                    return number + 1
        return first + 1

    def _block_lines(self) -> tuple[int, int]:
        """Return the first line of the block and the one after its last, counted from 0."""
        starts = [n for n, line in enumerate(self.lines) if line.strip().startswith("[[")]
        # blocks may also be written in one line, block = [{...}, {...}], which has no [[
        first = 0 if self.block is None or self.block >= len(starts) else starts[self.block]
        later = [n for n in starts if n > first]
        return first, later[0] if later and self.block is not None else len(self.lines)

    def _part_start(self, first: int, last: int) -> int:
        """Return the line of `part.key`, else of the table `part`, else the first line."""
        if self.part is None:
            return first
        for wanted in (f"{self.part}.{self.key}", self.part):
            number = self._find(wanted, first, last)
            if number is not None:
                return number
        return first

    def _find(self, wanted: str, first: int, last: int) -> int | None:
        """Return the first of these lines that holds a word."""
        pattern = re.compile(rf"(?<![\w-]){re.escape(wanted)}(?![\w-])")
        matching = (n for n in range(first, last) if pattern.search(self.lines[n]))
        return next(matching, None)
