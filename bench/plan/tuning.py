"""Plans tuning: which runs choose a value for each variant, and then those that are reported.

Every variant of a task in a block gets the same candidates, on the same seeds and for the same
budget. These runs choose by validation alone (`results.tuning`). Where the choice of some variant
lies at an edge of the candidates, the grid grows by one value there, once, for all variants. Then
each variant is run with what was chosen for it, on the block's own seeds. The sides of a claim
are tuned as the variants of one block are (`tune_sides`).

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
        _contest((replace(block, tasks=(label,)),), known, plan_of)
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


class TunedSides(NamedTuple):
    """Holds the runs that tune the sides of a claim, and what they chose once all are done.

    blocks: each side with the values that were chosen for it; empty until then.
    """

    plan: Plan
    blocks: Mapping[str, Block]
    choices: tuple[TunedChoice, ...] = ()


def tune_sides(sides: Mapping[str, Block], known: Sequence[Record], plan_of: PlanOf) -> TunedSides:
    """Return the runs that choose for sides of one variant each, or what they chose.

    All sides get the candidates that the first one has, and where the choice of one lies at an
    edge, the grid grows for all.

    Raises:
        ValueError: Candidates of one side cannot be compared.
    """
    found = _contest(tuple(sides.values()), known, plan_of)
    return TunedSides(found.plan, dict(zip(sides, found.blocks, strict=False)), found.choices)


@dataclass(frozen=True)
class _Contest:
    """Holds the tuning runs of blocks on one task, and what they chose if all are done."""

    plan: Plan
    final: bool = False
    blocks: tuple[Block, ...] = ()
    choices: tuple[TunedChoice, ...] = ()


def _contest(blocks: Sequence[Block], known: Sequence[Record], plan_of: PlanOf) -> _Contest:
    """Return how far the tuning of blocks is that have one task and the same candidates."""
    tune = blocks[0].tune
    given = _Tried(blocks, tune, known, plan_of)
    if not given.done:
        return _Contest(given.plan)
    grown = _grown(tune, (choice for _, choice in given.made))
    # what another command tried of one of these variants is tried of all of them
    more = [given.stored(axis) for axis in tune]
    together = {
        axis: tuple(dict.fromkeys([*values, *grown[axis], *others]))
        for (axis, values), others in zip(tune.items(), more, strict=True)
    }
    whole = _Tried(blocks, together, known, plan_of)
    if not whole.done:
        return _Contest(whole.plan)
    chosen = tuple(
        replace(block, base=axes.from_record(choice.variant), star={}, grid={}, tune={})
        for block, choice in whole.made
    )
    return _Contest(whole.plan, True, chosen, tuple(choice for _, choice in whole.made))


class _Tried:
    """Holds the runs of some candidates for all variants of blocks.

    Attributes:
        plan: these runs.
        done: all of them are known.
        made: what they choose for each variant, beside its block, if done.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        candidates: Candidates,
        known: Sequence[Record],
        plan_of: PlanOf,
    ) -> None:
        self._axes = tuple(sorted(candidates))
        plans = [plan_of(Matrix("tuning", _tuning_blocks(each, candidates))) for each in blocks]
        specs = {spec.id: spec for each in plans for spec in each.specs}
        left_out = dict.fromkeys(row for each in plans for row in each.inapplicable)
        self.plan = Plan(tuple(specs.values()), tuple(left_out))
        # in the order of the blocks' variants
        asked = [
            (block, key)
            for block, each in zip(blocks, plans, strict=True)
            for key in dict.fromkeys(question(spec.plain(), self._axes) for spec in each.specs)
        ]
        keys = {key for _, key in asked}
        self._check(len(keys))
        tasks = {task for block in blocks for task in block.tasks}
        self._of_these = [
            record
            for record in known
            if record.spec["task"] in tasks and question(record.spec, self._axes) in keys
        ]
        mine = [record for record in self._of_these if record.id in specs]
        self.done = len(mine) == len(specs)
        made = choices(mine)
        self.made = [(block, made[key]) for block, key in asked] if self.done else []

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
    rest = (item for item in spec.variant.items() if item[0] not in tuned)
    return (*rest, ("fault", spec.fault))


def _tuning_blocks(block: Block, candidates: Candidates) -> tuple[Block, ...]:
    """Return the runs that choose for each variant: to the end of the budget, decoded greedily."""
    return tuple(
        replace(
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
        for variant in block.variants()
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
