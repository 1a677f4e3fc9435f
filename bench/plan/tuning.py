"""Plans tuning: which runs choose a value for each variant, and then those that are reported.

Every variant of a task in a block gets the same candidates, on the same seeds and for the same
budget. These runs choose by validation alone (`results.tuning`). Where the choice of some variant
lies at an edge of the candidates, the grid grows by one value there, once, for all variants. Then
each variant is run with what was chosen for it, on the block's own seeds.

Each stage is planned from the tuning runs of a store alone. So a matrix that was stopped goes on,
and one that is done trains nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from bench.plan.matrix import TUNING_SEEDS, Block, Matrix, Plan
from bench.specs import RunSpec
from results.record import Record
from results.tuning import TunedChoice, choices, next_value, question
from variants import axes

Candidates = Mapping[str, tuple[axes.Value, ...]]
"""Values by axis, all combinations of which are tried."""
PlanOf = Callable[[Matrix], Plan]
"""Expands a matrix to its runs."""


class Stage(NamedTuple):
    """Holds the runs to do next.

    plan: these runs. final: they are the runs that are reported; else they tune, and the next
    stage is planned when they are done. choices: what tuning chose, as soon as it is final.
    """

    plan: Plan
    final: bool
    choices: tuple[TunedChoice, ...] = ()


def next_stage(matrix: Matrix, known: Sequence[Record], plan_of: PlanOf) -> Stage:
    """Return the runs of a matrix that come next, given the tuning runs of a store.

    Raises:
        ValueError: Candidates of one variant cannot be compared.
    """
    results = [
        _contest(replace(block, tasks=(label,)), known, plan_of)
        for block in matrix.blocks
        if block.tune
        for label in block.tasks
    ]
    left_out = tuple({row: None for each in results for row in each.plan.inapplicable})
    waiting = [each.plan for each in results if not each.final]
    if waiting:
        specs = {spec.id: spec for plan in waiting for spec in plan.specs}
        return Stage(Plan(tuple(specs.values()), left_out), False)
    plain = tuple(block for block in matrix.blocks if not block.tune)
    tuned = tuple(block for each in results for block in each.blocks)
    found = plan_of(replace(matrix, blocks=(*plain, *tuned)))
    made = tuple(choice for each in results for choice in each.choices)
    return Stage(replace(found, inapplicable=(*found.inapplicable, *left_out)), True, made)


@dataclass(frozen=True)
class _Contest:
    """Holds the tuning runs of a block on one task, and what they chose if all are done."""

    plan: Plan
    final: bool = False
    blocks: tuple[Block, ...] = ()
    choices: tuple[TunedChoice, ...] = ()


def _contest(block: Block, known: Sequence[Record], plan_of: PlanOf) -> _Contest:
    """Return how far the tuning of a block is, which has one task."""
    given = _Tried(block, block.tune, known, plan_of)
    if not given.done:
        return _Contest(given.plan)
    grown = _grown(block.tune, given.made)
    # what another command tried of one of these variants is tried of all of them
    more = [given.stored(axis) for axis in block.tune]
    together = {
        axis: tuple(dict.fromkeys([*values, *grown[axis], *others]))
        for (axis, values), others in zip(block.tune.items(), more, strict=True)
    }
    whole = _Tried(block, together, known, plan_of)
    if not whole.done:
        return _Contest(whole.plan)
    made = tuple(whole.made)
    blocks = tuple(
        replace(block, base=axes.from_record(choice.variant), star={}, grid={}, tune={})
        for choice in made
    )
    return _Contest(whole.plan, True, blocks, made)


class _Tried:
    """Holds the runs of some candidates for all variants of a block.

    Attributes:
        plan: these runs.
        done: all of them are known.
        made: what they choose for each variant, if done.
    """

    def __init__(
        self, block: Block, candidates: Candidates, known: Sequence[Record], plan_of: PlanOf
    ) -> None:
        self._axes = tuple(sorted(candidates))
        blocks = tuple(_tuning_block(block, variant, candidates) for variant in block.variants())
        self.plan = plan_of(Matrix("tuning", blocks))
        ids = {spec.id for spec in self.plan.specs}
        # in the order of the block's variants
        asked = dict.fromkeys(question(spec.plain(), self._axes) for spec in self.plan.specs)
        self._check(len(asked))
        self._of_these = [
            record
            for record in known
            if record.spec["task"] in block.tasks and question(record.spec, self._axes) in asked
        ]
        mine = [record for record in self._of_these if record.id in ids]
        self.done = len(mine) == len(ids)
        made = choices(mine)
        self.made = [made[key] for key in asked] if self.done else []

    def _check(self, asked: int) -> None:
        variants = {_without(spec, self._axes) for spec in self.plan.specs}
        if asked > len(variants):
            raise ValueError(
                f"the candidates of {' and '.join(self._axes)} differ in more than that, as in "
                "the code of a plugin; vary them instead"
            )

    def stored(self, axis: str) -> list[axes.Value]:
        """Return the values of an axis that were ever tried of one of these variants."""
        mark = ",".join(self._axes)
        return [r.variant[axis] for r in self._of_these if r.spec.get("tuning") == mark]


def _without(spec: RunSpec, tuned: Iterable[str]) -> tuple[tuple[str, object], ...]:
    return tuple(item for item in spec.variant.items() if item[0] not in tuned)


def _tuning_block(block: Block, variant: axes.Variant, candidates: Candidates) -> Block:
    """Return the runs that choose for one variant: to the end of the budget, decoded greedily."""
    return replace(
        block,
        base=variant,
        star={},
        grid=candidates,
        seeds=TUNING_SEEDS,
        budget=replace(block.budget, stop="budget"),
        decoding="greedy",
        with_base=False,
        tune={},
        tuning=",".join(sorted(candidates)),
    )


def _grown(given: Candidates, made: Iterable[TunedChoice]) -> dict[str, list[axes.Value]]:
    """Return the values by which the grid grows, where the choice of some variant is at an edge."""
    ends = {end for choice in made for end in choice.edges.items()}
    found: dict[str, list[axes.Value]] = {axis: [] for axis in given}
    for axis, upwards in sorted(ends):
        value = next_value(given[axis], upwards)
        if value is not None and _allowed(axis, value):
            found[axis].append(axes.read_value(axis, value))
    return found


def _allowed(axis: str, value: object) -> bool:
    try:
        axes.read_value(axis, value)
    except ValueError:
        return False
    return True
