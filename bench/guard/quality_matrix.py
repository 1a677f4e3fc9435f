"""Makes the matrix that the guard of quality runs for variants and tasks of the user's choice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace

from bench.plan.matrix import Block, Matrix
from bench.specs import BATCHING, Budget
from results.seeds import write_seeds
from tasks import canonical
from variants import BASE, Variant, axes

GUARDED_STEPS = 150
"""Training steps on a task that the matrix has not."""
GUARDED_EVERY = 10
"""Steps between two evaluations there."""


def chosen_blocks(matrix: Matrix, variants: Sequence[str], tasks: Sequence[str]) -> Matrix:
    """Return a matrix of these variants on these tasks, each with the settings of its block.

    Args:
        matrix: What is run without choice; a task that it has not gets a short block.
        variants: Names relative to the base of each block; those of the blocks if there are none.
        tasks: Labels; those of the matrix if there are none.

    Raises:
        ValueError: A variant or task is unknown.
    """
    blocks = list(matrix.blocks)
    if tasks:
        blocks = _blocks_of_tasks(blocks, [canonical(task) for task in tasks])
    if variants:
        blocks = [
            replace(block, base=axes.parse(name, block.base), star={}, grid={})
            for block in blocks
            for name in variants
        ]
    return Matrix(matrix.name, tuple(blocks))


def _blocks_of_tasks(blocks: Sequence[Block], labels: Sequence[str]) -> list[Block]:
    """Return the blocks of these tasks alone, and a short one for those that no block has."""
    known = {task for block in blocks for task in block.tasks}
    kept = [replace(block, tasks=_only(block.tasks, labels)) for block in blocks]
    found = [block for block in kept if block.tasks]
    new = tuple(label for label in labels if label not in known)
    if new:
        budget = Budget(steps=GUARDED_STEPS, every=GUARDED_EVERY)
        seeds = max((block.seeds for block in blocks), key=len)
        found.append(Block(new, BASE, {}, {}, seeds, budget))
    return found


def _only(tasks: Sequence[str], labels: Sequence[str]) -> tuple[str, ...]:
    return tuple(task for task in tasks if task in labels)


def as_toml(matrix: Matrix) -> str:
    """Return a matrix as the text of a matrix file, which every version of the suite reads."""
    return "\n".join(_block_text(block) for block in matrix.blocks)


def _block_text(block: Block) -> str:
    budget = asdict(block.budget)
    if budget["batching"] == BATCHING[0]:
        del budget["batching"]  # versions of before do not know it
    limits = {key: value for key, value in budget.items() if value or key == "batch"}
    lines = [
        "[[block]]",
        f"tasks = {json.dumps(list(block.tasks))}",
        f"seeds = {_seeds_text(block)}",
    ]
    lines += [f"{key} = {json.dumps(value)}" for key, value in limits.items()]
    lines += [f"base = {{ {_base_text(block.base)} }}"]
    lines += [f"decoding = {json.dumps(block.decoding)}"] if block.decoding != "greedy" else []
    for part, varied in (("star", block.star), ("grid", block.grid)):
        lines += [f"{part}.{axis} = {json.dumps(list(values))}" for axis, values in varied.items()]
    return "\n".join(lines) + "\n"


def _seeds_text(block: Block) -> str:
    """Return the seeds as every version reads them: a number where they begin at 0."""
    return json.dumps(len(block.seeds) if block.seeds.start == 0 else write_seeds(block.seeds))


def _base_text(variant: Variant) -> str:
    base = asdict(BASE)
    changes = {axis: value for axis, value in asdict(variant).items() if value != base[axis]}
    return ", ".join(f"{axis} = {json.dumps(value)}" for axis, value in changes.items())
