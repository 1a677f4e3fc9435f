"""Proves that tuning is fair, planned from the store alone, and never run twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from bench.plan.matrix import TUNING_SEEDS, Matrix, Plan, from_options, plan, read_listed
from bench.plan.matrix_file import MatrixError, parse, read_matrix
from bench.plan.tuning import Stage, next_stage
from bench.specs import RunSpec
from bench.training.process import cached_task
from results.record import Record
from results.seeds import TUNING_SEED
from variants import axes

Scored = Callable[[dict[str, Any]], float]
RATES = ("learning_rate=1e-3,3e-3,1e-2",)


def plan_of(matrix: Matrix) -> Plan:
    labels = {label for block in matrix.blocks for label in block.tasks}
    return plan(matrix, {label: cached_task(label, None) for label in labels}, "cpu")


def matrix_of(
    *vary: str, tune: Sequence[str] = RATES, seeds: object = "100:103", tasks: Sequence[str] = ()
) -> Matrix:
    labels = list(tasks or ["opposites"])
    made = from_options(labels, "base", list(vary), False, "20steps", 6).changed(str(seeds))
    return made.tuned(read_listed("--tune", tune))


def done(spec: RunSpec, scored: Scored) -> Record:
    """The record of a run whose score on validation is that of its variant."""
    outcome = {
        "status": "finished",
        "metric": "exact_match",
        "steps": 20,
        "valid": {"exact_match": scored(spec.variant)},
        "scores": {},
    }
    return Record(spec.id, spec.plain(), outcome, {"run_seconds": 1.0})


def stages_of(matrix: Matrix, scored: Scored, known: Sequence[Record] = ()) -> list[Stage]:
    """All stages of a matrix, as if the runs of each were done."""
    records = {record.id: record for record in known}
    found = [next_stage(matrix, list(records.values()), plan_of)]
    while not found[-1].final:
        records |= {spec.id: done(spec, scored) for spec in found[-1].plan.specs}
        found.append(next_stage(matrix, list(records.values()), plan_of))
        assert len(found) < 5
    return found


def records_of(stages: Sequence[Stage], scored: Scored) -> list[Record]:
    specs = {s.id: s for stage in stages if not stage.final for s in stage.plan.specs}
    return [done(spec, scored) for spec in specs.values()]


def middle(variant: dict[str, Any]) -> float:
    return 1.0 - abs(float(variant["learning_rate"]) - 0.003)


def large_for_lstm(variant: dict[str, Any]) -> float:
    """The larger the better for an LSTM; for all others 0.003 is best."""
    return 0.9 + float(variant["learning_rate"]) if variant["cell"] == "lstm" else middle(variant)


def of_both(*tried: float) -> dict[str, set[float]]:
    return {cell: set(tried) for cell in ("gru", "lstm")}


def rates(stage: Stage) -> dict[str, set[float]]:
    found: dict[str, set[float]] = {}
    for spec in stage.plan.specs:
        found.setdefault(spec.variant["cell"], set()).add(spec.variant["learning_rate"])
    return found


def test_every_variant_gets_the_same_candidates_on_seeds_of_their_own() -> None:
    tuning, final = stages_of(matrix_of("cell=gru,lstm"), middle)
    assert rates(tuning) == of_both(0.001, 0.003, 0.01)
    assert {spec.seed for spec in tuning.plan.specs} == set(TUNING_SEEDS)
    assert len(tuning.plan.specs) == 2 * 3 * len(TUNING_SEEDS)
    assert min(TUNING_SEEDS) >= TUNING_SEED
    assert {spec.tuning for spec in tuning.plan.specs} == {"learning_rate"}
    assert (final.final, rates(final)) == (True, {"gru": {0.003}, "lstm": {0.003}})
    assert {(spec.seed, spec.tuning) for spec in final.plan.specs} == {
        (seed, "") for seed in (100, 101, 102)
    }
    assert [choice.variant["cell"] for choice in final.choices] == ["gru", "lstm"]


def test_runs_that_are_reported_are_those_of_any_other_matrix() -> None:
    """Their ids are the ones that they have without tuning."""
    final = stages_of(matrix_of("cell=gru,lstm"), middle)[-1]
    plain = from_options(
        ["opposites"], "learning_rate=0.003", ["cell=gru,lstm"], False, "20steps", 6
    )
    specs = plan_of(plain.changed("100:103")).specs
    assert {spec.id for spec in final.plan.specs} == {spec.id for spec in specs}
    assert all("tuning" not in spec.plain() for spec in specs)


def test_a_spec_that_tunes_is_another_run_and_is_read_again() -> None:
    (spec, *_) = next_stage(matrix_of(), [], plan_of).plan.specs
    assert RunSpec.read(spec.plain()) == spec
    assert spec.plain()["tuning"] == "learning_rate"
    with pytest.raises(ValueError, match="tunning"):
        RunSpec.read({**spec.plain(), "tunning": ""})


def test_at_an_edge_the_grid_grows_once_for_all_variants() -> None:
    stages = stages_of(matrix_of("cell=gru,lstm"), large_for_lstm)
    first, grown, final = stages
    assert rates(grown) == of_both(0.001, 0.003, 0.01, 0.03)
    assert {spec.id for spec in first.plan.specs} < {spec.id for spec in grown.plan.specs}
    # there it is at the edge again, and that is said instead
    assert rates(final) == {"gru": {0.003}, "lstm": {0.03}}
    assert [choice.edges for choice in final.choices] == [{}, {"learning_rate": True}]
    assert [len(choice.candidates) for choice in final.choices] == [4, 4]


def test_it_grows_at_both_ends_where_variants_disagree() -> None:
    def scored(variant: dict[str, Any]) -> float:
        sign = 1 if variant["cell"] == "lstm" else -1
        return 0.5 + sign * float(variant["learning_rate"])

    grown = stages_of(matrix_of("cell=gru,lstm"), scored)[1]
    assert rates(grown) == of_both(0.0003, 0.001, 0.003, 0.01, 0.03)


def test_the_reference_matrix_tunes_wherever_tests_are_unseen() -> None:
    """But for blocks that vary the rate itself; whatever is tuned has a base that is tuned."""
    blocks = read_matrix("full").blocks
    assert {block.seeds for block in blocks} == {range(10)}
    tried: dict[str, set[object]] = {}
    for block in blocks:
        unseen = not {"increment", "opposites"}.intersection(block.tasks)
        assert ("learning_rate" in block.tune) == (unseen and "learning_rate" not in block.star)
        for task in block.tasks:
            tried.setdefault(task, set()).update(
                {block.base.optimizer, *block.star.get("optimizer", ())}
            )
    for task in ("increment:mode=fresh", "reversal", "keyphrase", "en-zh"):
        assert tried[task] == set(axes.values("optimizer")), task


def test_what_is_not_allowed_is_not_tried() -> None:
    """Dropout below 0.9 alone: what would come after 0.8 is no value of the axis."""
    tuned = matrix_of(tune=["dropout=0.2,0.8"])
    stages = stages_of(tuned, lambda variant: variant["dropout"])
    assert len(stages) == 2
    assert stages[-1].choices[0].edges == {"dropout": True}


def test_the_same_command_again_does_nothing_more() -> None:
    matrix = matrix_of("cell=gru,lstm")
    stages = stages_of(matrix, large_for_lstm)
    known = records_of(stages, large_for_lstm)
    (again,) = stages_of(matrix, large_for_lstm, known)
    assert again == stages[-1]


def test_it_goes_on_wherever_it_was_killed() -> None:
    matrix = matrix_of("cell=gru,lstm")
    stages = stages_of(matrix, large_for_lstm)
    known = records_of(stages, large_for_lstm)
    for count in range(0, len(known), 5):
        went_on = stages_of(matrix, large_for_lstm, known[:count])
        assert went_on[-1] == stages[-1]


def test_what_another_command_tried_is_tried_of_all_variants() -> None:
    """So that no variant has more candidates than another."""
    mine = matrix_of("cell=gru", tune=["learning_rate=3e-3,1e-2,3e-2"])
    known = records_of(stages_of(mine, middle), middle)
    final = stages_of(matrix_of("cell=gru,lstm"), middle, known)[-1]
    tried = [[each.values["learning_rate"] for each in c.candidates] for c in final.choices]
    # the smallest of the first was its best, so it went on below
    assert tried == [[0.001, 0.003, 0.01, 0.03]] * 2


def test_any_axis_can_be_tuned_and_several_together() -> None:
    tune = ["learning_rate=1e-3,3e-3", "optimizer=adam,sgd"]

    def scored(variant: dict[str, Any]) -> float:
        return 0.9 if (variant["optimizer"], variant["learning_rate"]) == ("sgd", 0.003) else 0.1

    stages = stages_of(matrix_of("cell=gru,lstm", tune=tune), scored)
    final = stages[-1]
    assert {(s.variant["optimizer"], s.variant["learning_rate"]) for s in final.plan.specs} == {
        ("sgd", 0.003)
    }
    # the grid of both grew by a larger rate, as 0.003 was the largest
    assert len(final.choices[0].candidates) == 2 * 3


def test_each_task_chooses_for_itself() -> None:
    final = stages_of(matrix_of("cell=gru", tasks=["opposites", "increment"]), middle)[-1]
    assert [choice.task for choice in final.choices] == ["opposites", "increment"]


def test_variants_that_do_not_apply_are_told() -> None:
    final = stages_of(matrix_of("input_feeding=on"), middle)[-1]
    assert final.plan.inapplicable
    assert all("input_feeding=on" in row.variant for row in final.plan.inapplicable)
    assert {spec.variant["input_feeding"] for spec in final.plan.specs} == {"off"}


FILE = """
seeds = "100:103"
[[block]]
tasks = ["opposites"]
steps = 20
star.cell = ["lstm"]
tune.learning_rate = [1e-3, 3e-3, 1e-2]
[[block]]
tasks = ["opposites"]
steps = 20
base = { hidden = 8, learning_rate = 0.02 }
"""


def test_a_matrix_file_says_what_is_tuned() -> None:
    matrix = parse(FILE, "m.toml")
    assert matrix.blocks[0].tune == {"learning_rate": (0.001, 0.003, 0.01)}
    tuning, final = stages_of(matrix, middle)
    assert {spec.variant["hidden"] for spec in tuning.plan.specs} == {64}
    # a block without tuning is run as it is
    assert {(s.variant["hidden"], s.variant["learning_rate"]) for s in final.plan.specs} == {
        (8, 0.02),
        (64, 0.003),
    }


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        ("tune.learning_rate = [1e-3]", 7, "one candidate, 0.001"),
        ("tune.learning_rate = [1e-3, 0.001]", 7, "one candidate"),
        ("tune.cell = ['gru', 'rnn']", 7, "cannot vary and be tuned"),
        ("tune.depth = [1, 2]", 7, "encoder_depth and decoder_depth"),
        ("tune.learning_rat = [1e-3, 2e-3]", 7, "learning_rate"),
        ("tune.learning_rate = 1e-3", 7, "not a list of values"),
        ("tuned.learning_rate = [1e-3, 2e-3]", 7, "tune"),
    ],
)
def test_mistakes_are_told_with_their_line(change: str, line: int, said: str) -> None:
    text = FILE.replace("tune.learning_rate = [1e-3, 3e-3, 1e-2]", change)
    with pytest.raises(MatrixError, match=f"line {line}: .*{said}"):
        parse(text, "m.toml")
