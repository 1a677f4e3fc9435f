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

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    contests = [_contest((block,), known, plan_of) for block in _blocks_to_tune(matrix)]
    left_out = tuple({row: None for each in contests for row in each.plan.inapplicable})
    waiting = [each.plan for each in contests if not each.final]
    if waiting:
        return Stage(Plan(_specs_of_all(waiting), left_out), False)
    found = plan_of(replace(matrix, blocks=_blocks_to_report(matrix, contests)))
    made = tuple(choice for each in contests for choice in each.choices)
    return Stage(replace(found, inapplicable=(*found.inapplicable, *left_out)), True, made)


def _blocks_to_tune(matrix: Matrix) -> Iterator[Block]:
    """Yield every block that tunes, once for each of its tasks."""
    for block in matrix.blocks:
        if block.tune:
            yield from (replace(block, tasks=(label,)) for label in block.tasks)


def _specs_of_all(plans: Iterable[Plan]) -> tuple[RunSpec, ...]:
    """Return the runs of several plans, each once."""
    return tuple({spec.id: spec for plan in plans for spec in plan.specs}.values())


def _blocks_to_report(matrix: Matrix, contests: Iterable[_Contest]) -> tuple[Block, ...]:
    """Return the blocks that do not tune, then those of the variants that tuning chose."""
    plain = tuple(block for block in matrix.blocks if not block.tune)
    return plain + tuple(block for each in contests for block in each.blocks)


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
        left_out = dict.fromkeys(row for each in plans for row in each.inapplicable)
        self.plan = Plan(_specs_of_all(plans), tuple(left_out))
        # in the order of the blocks' variants
        self._asked = [
            (block, key)
            for block, each in zip(blocks, plans, strict=True)
            for key in self._questions(each)
        ]
        self._check()
        self._of_these = self._on_these_questions(known)
        ids = {spec.id for spec in self.plan.specs}
        self._mine = [record for record in self._of_these if record.id in ids]
        self.done = len(self._mine) == len(ids)

    @property
    def made(self) -> list[tuple[Block, TunedChoice]]:
        """Return what these runs choose for each variant, beside its block, once all are done."""
        found = choices(self._mine)
        return [(block, found[key]) for block, key in self._asked]

    def _questions(self, plan: Plan) -> dict[str, None]:
        """Return what the runs of a plan ask, each question once."""
        return dict.fromkeys(question(spec.plain(), self._axes) for spec in plan.specs)

    def _on_these_questions(self, known: Sequence[Record]) -> list[Record]:
        """Return the stored runs that help to answer what is asked here, whatever they try."""
        tasks = {task for block, _ in self._asked for task in block.tasks}
        keys = {key for _, key in self._asked}
        of_tasks = [record for record in known if record.spec["task"] in tasks]
        return [record for record in of_tasks if question(record.spec, self._axes) in keys]

    def _check(self) -> None:
        asked = {key for _, key in self._asked}
        variants = {_without(spec, self._axes) for spec in self.plan.specs}
        if len(asked) > len(variants):
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
