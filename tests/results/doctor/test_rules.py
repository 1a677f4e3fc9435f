"""Proves what each rule says of measurements made by hand, and how that is shown."""

from __future__ import annotations

import io
import json
import math
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from results.doctor.examined import ExaminedRun, examined_run
from results.doctor.health import (
    BatchContents,
    CellActivity,
    EvaluationLosses,
    Health,
    Losses,
    Measurements,
    OutputStatistics,
    Repetition,
    RowIndependence,
    SourceUse,
    StepEffect,
    TargetLeak,
    WeightNorms,
)
from results.doctor.rows import diagnose
from results.doctor.rules import findings
from results.doctor.show import show
from results.record import Record
from results.summary import summarise
from results.tables.summaries import summary_line, summary_notes
from tests.perf import doctor_score
from tests.records import SUITE, failed, record

HEALTHY = Health(
    data=BatchContents(
        sources=1.0,
        source_mask=1.0,
        inputs=1.0,
        inputs_are_targets=0.0,
        targets=1.0,
        target_mask=1.0,
    ),
    loss=Losses(
        given=1.0,
        proper=1.0,
        even=3.0,
        over_time=2.1,
        over_batch=2.2,
        with_padding=2.3,
        of_probabilities=2.4,
        transposed=2.5,
        without_eos=2.6,
    ),
    alone=RowIndependence(mixed=1e-6, alike=1e-6),
    again=Repetition(at_once=0.0, after_another=0.0),
    leak=TargetLeak(before=0.0, after=2.0),
    source=SourceUse(loss=1.0, shuffled=2.0, under_padding=0.0),
    outputs=OutputStatistics(ended=1.0, distinct=1.0, distinct_wanted=1.0, length=1.0),
    hidden={"encoder.cell": CellActivity(saturated=(0.0, 0.1), gates=(0.0, 0.1), memory=3.0)},
    profile=(0.2, 0.4, 1.0),
    embedded=0.1,
    weights=WeightNorms(first=10.0, last=20.0, decay=0.0),
    evaluation=EvaluationLosses(loss=1.0, proper=1.0),
    fed=0.5,
    step=StepEffect(
        norm=1.0,
        own_norm=1.0,
        applied=1.0,
        alignment=1.0,
        updates={"embedding.table": 1e-3, "encoder.w": 1e-3, "decoder.w": 1e-3},
    ),
)
CURVE = [
    {
        "step": step,
        "epoch": step,
        "loss": 3.0 / step,
        "update_ratio": 2e-3,
        "gradient_norm": 1.0,
        "forced_accuracy": 0.9,
        "token_accuracy": 0.8,
    }
    for step in (1, 2, 3)
]
VARIANT = {"clip": 1.0, "learning_rate": 0.001, "forcing": "constant", "embedding_trained": "tuned"}


def changed(**parts: Any) -> Health:
    """Return HEALTHY with changes: a dict changes fields of a part, anything else replaces it."""
    return replace(
        HEALTHY,
        **{
            part: replace(getattr(HEALTHY, part), **value) if isinstance(value, dict) else value
            for part, value in parts.items()
        },
    )


def causes(
    health: Health | None = None,
    curve: list[dict[str, Any]] | None = None,
    status: str = "finished",
    **variant: Any,
) -> list[str]:
    health = health or HEALTHY
    run = ExaminedRun(health, curve or CURVE, {**VARIANT, **variant}, status, health.leak is None)
    return [finding.cause for finding in findings(run)]


def curve(**values: Any) -> list[dict[str, Any]]:
    """CURVE with these at every point; a list gives one a point."""
    return [
        {**point, **{k: v[i] if isinstance(v, list) else v for k, v in values.items()}}
        for i, point in enumerate(CURVE)
    ]


def test_a_healthy_run_has_nothing() -> None:
    assert causes() == []
    assert causes(status="solved") == []


def test_low_precision_hides_no_carried_state() -> None:
    """A batch that repeats to the bit at once leaves rounding no part in what moves later."""
    carried = changed(again={"at_once": 0.0, "after_another": 0.03})
    assert causes(carried, precision="bf16") == ["state-carried"]
    noisy = changed(again={"at_once": 0.01, "after_another": 0.03})
    assert causes(noisy, precision="bf16") == []
    assert causes(noisy) == ["state-carried"]


def test_a_gradient_that_overflows_accuses_no_clearing() -> None:
    overflowed = changed(step={"alignment": None, "norm": math.inf, "own_norm": 1e25})
    assert "uncleared-gradients" not in causes(overflowed)


@pytest.mark.parametrize(
    ("health", "cause"),
    [
        (changed(data={"sources": 0.5}), "unsorted-sources"),
        (changed(data={"inputs_are_targets": 1.0}), "unshifted-targets"),
        (changed(leak={"before": 0.5}), "unshifted-targets"),
        (changed(data={"targets": 0.2}), "other-vocabulary"),
        (changed(data={"source_mask": 0.7}, alone={"mixed": 0.4}), "padding-attended"),
        (changed(source={"under_padding": 0.3}), "padding-attended"),
        (changed(loss={"given": 2.1}), "softmax-over-time"),
        (changed(loss={"given": 2.2}), "softmax-over-batch"),
        (changed(loss={"given": 2.3}), "padding-in-loss"),
        (changed(loss={"given": 2.4}), "probabilities-as-logits"),
        (changed(probabilities=1.0), "probabilities-as-logits"),
        (changed(loss={"given": 2.5}), "targets-transposed"),
        (changed(loss={"given": 2.6}), "no-eos-in-loss"),
        (changed(loss={"given": 7.0}), "another-loss"),
        (changed(loss={"given": 7.0}, leak=None, outputs={"commonest": 1.0}), "one-label"),
        (changed(evaluation={"loss": 1.2, "again": 1.3}), "dropout-stays"),
        (changed(evaluation={"loss": 1.2, "again": 1.2}), "dropout-stays"),
        (changed(again={"at_once": 0.0, "after_another": 0.4}), "state-carried"),
        (changed(again={"at_once": 0.01, "after_another": 0.4}), "state-carried"),
        (changed(alone={"alike": 0.4}), "axes-swapped"),
        (changed(step={"alignment": 0.5, "norm": 9.0}), "uncleared-gradients"),
        (changed(step={"alignment": 0.5, "alignment_everywhere": 1.0}), "always-forced"),
        (changed(step={"alignment": 0.5, "alignment_nowhere": 1.0}), "never-forced"),
        (changed(step={"without_update": ("embedding.table",)}), "embedding-left-out"),
        (
            changed(
                step={
                    "without_update": (
                        "encoder.w",
                        "encoder.b",
                    )
                }
            ),
            "encoder-left-out",
        ),
        (changed(step={"without_update": ("decoder.w",)}), "part-left-out"),
        (changed(frozen=("embedding.table",)), "embedding-frozen"),
        (
            changed(step={"without_gradient": ("encoder.w",), "without_update": ("encoder.w",)}),
            "source-cut",
        ),
        (changed(step={"applied": 1e4}), "unclipped"),
        (
            replace(
                HEALTHY,
                hidden={"encoder.cell": CellActivity((0.0, 0.0), (0.9, 0.0))},
                embedded=20.0,
            ),
            "saturating-embedding",
        ),
        (changed(weights={"last": 4.0, "decay": 0.01}), "decay-too-high"),
        (changed(profile=(1e-9, 0.1, 1.0)), "vanishing-memory"),
        (
            replace(HEALTHY, hidden={"encoder.cell": CellActivity((0.0, 0.0), (0.6, 0.5))}),
            "vanishing-memory",
        ),
        (changed(source={"shuffled": 1.0}), "source-ignored"),
        (changed(outputs={"distinct": 0.1}), "same-outputs"),
        (changed(outputs={"ended": 0.1}), "never-ends"),
        (
            changed(leak=None, outputs={"commonest": 1.0, "commonest_wanted": 0.8}),
            "one-label",
        ),
    ],
)
def test_one_cause_each(health: Health, cause: str) -> None:
    stalled = cause in ("source-ignored", "one-label", "same-outputs", "never-ends")
    assert causes(health, curve(loss=[1.0, 0.5, 0.49]) if stalled else CURVE) == [cause]


def test_nothing_is_found_in_a_run_that_still_learns() -> None:
    assert causes(changed(source={"shuffled": 1.0})) == []
    still = changed(source={"shuffled": 1.0})
    assert causes(still, curve(loss=[1.0, 0.5, 0.49], epoch=0)) == [], "not all data seen yet"
    assert causes(None, curve(update_ratio=0.3)) == [], "large steps that get somewhere"


@pytest.mark.parametrize(
    ("points", "status", "variant", "cause"),
    [
        (curve(update_ratio=0.3, loss=[3.0, 2.9, 2.8]), "finished", {}, "rate-too-high"),
        (curve(loss=4.0), "finished", {}, "rate-too-high"),
        (curve(), "diverged", {}, "rate-too-high"),
        (curve(), "diverged", {"clip": 0.0}, "unclipped"),
        (curve(update_ratio=1e-6, loss=[3.0, 2.99, 2.98]), "finished", {}, "rate-too-low"),
        (curve(forced_accuracy=1.0, token_accuracy=0.3), "finished", {}, "always-forced"),
        (curve(forced_accuracy=0.4), "finished", {"forcing": "never"}, "never-forced"),
    ],
)
def test_causes_seen_in_the_curve(
    points: list[dict[str, Any]], status: str, variant: dict[str, Any], cause: str
) -> None:
    health = changed(fed=1.0) if cause == "always-forced" else HEALTHY
    assert causes(health, points, status, **variant) == [cause]


def test_what_the_variant_asks_for_is_no_fault() -> None:
    frozen = changed(frozen=("embedding.table",))
    assert causes(frozen, embedding_trained="frozen") == []
    assert causes(changed(step={"applied": 1e4}), clip=0.0) == []
    assert causes(changed(alone={"alike": 0.02}), precision="bf16") == []
    assert causes(None, curve(update_ratio=0.3), "solved") == []
    assert causes(changed(weights={"last": 4.0, "decay": 0.01}), status="solved") == []
    assert causes(changed(weights={"last": 6.0, "decay": 0.01})) == [], "a decay that is outweighed"
    assert causes(changed(weights={"last": 4.0})) == [], "weights that shrink by themselves"


def test_causes_come_before_what_they_cause() -> None:
    wrong = changed(
        data={"sources": 0.5}, alone={"alike": 0.4}, loss={"given": 2.1}, profile=(0.0, 0.0, 1.0)
    )
    assert causes(wrong) == ["unsorted-sources"]
    # weights that decay get small, so that steps look large beside them
    decayed = changed(weights={"last": 4.0, "decay": 0.01})
    assert causes(decayed, curve(update_ratio=0.3, loss=[3.0, 2.9, 2.8])) == ["decay-too-high"]
    both = changed(step={"without_update": ("encoder.w",)}, profile=(1e-9, 0.1, 1.0))
    assert causes(both) == ["encoder-left-out"]
    two = changed(step={"without_update": ("encoder.w",), "applied": 1e4})
    assert causes(two) == ["encoder-left-out", "unclipped"]


NUMBERS = st.none() | st.floats(0, 10)


@given(st.data())
def test_missing_measurements_are_no_error(data: st.DataObject) -> None:
    """None stands for what could not be measured, as in a run that diverged."""

    def drawn(part: Measurements) -> Any:
        numbers = {
            one.name: data.draw(NUMBERS)
            for one in fields(part)
            if isinstance(getattr(part, one.name), float)
        }
        return replace(part, **numbers)

    health = drawn(HEALTHY)
    parts = {one.name: getattr(health, one.name) for one in fields(health)}
    changes = {name: drawn(part) for name, part in parts.items() if isinstance(part, Measurements)}
    health = replace(health, **changes)
    points = [{key: data.draw(NUMBERS) for key in point} for point in CURVE]
    found = causes(health, points, data.draw(st.sampled_from(["finished", "diverged", "solved"])))
    assert len(found) == len(set(found))


MEMORISED = {"epoch": 9, "loss": [1.0, 0.3, 0.1], "valid_loss": [1.0, 0.8, 0.9]}


def test_memorised_examples() -> None:
    assert causes(curve=curve(**MEMORISED)) == ["overfitting"]
    assert causes(curve=curve(**MEMORISED), status="solved") == []
    for other in (
        {"epoch": 3},  # not seen often
        {"valid_loss": [2.0, 1.0, 0.8]},  # still falling
        {"loss": [1.0, 0.9, 0.4]},
        {"loss": [0.1, 0.01, 0.001], "valid_loss": [0.1, 0.09, 0.1]},  # as good as solved
        {"valid_loss": None},
    ):
        assert causes(curve=curve(**{**MEMORISED, **other})) == [], other
    variant = {**VARIANT, "dropout": 0.3, "hidden": 64}
    (finding,) = findings(ExaminedRun(HEALTHY, curve(**MEMORISED), variant, "finished", False))
    assert finding.remedy == {"hidden": 32}
    assert finding.evidence == (
        "after 9 epochs the loss is 0.1 on training data and 0.9 on validation data, where its "
        "minimum was 0.8"
    )


def examined(seed: int, cause: bool = False, score: float = 0.5, **changes: Any) -> Record:
    one = record(seed, score, **changes)
    health = changed(data={"sources": 0.5}) if cause else HEALTHY
    points = [{**a, **b} for a, b in zip(CURVE, one.outcome["curve"], strict=True)]
    points = [{**point, **seen} for point, seen in zip(points, CURVE, strict=True)]
    found = {"findings": ["unsorted-sources"]} if cause else {"findings": []}
    outcome = {**one.outcome, "health": health.plain(), "curve": points, **found}
    return Record(one.id, one.spec, outcome, one.measured)


def test_rows_and_terminal() -> None:
    rows = diagnose([examined(0, True), examined(1), record(2), failed(3)], SUITE)
    json.dumps(rows, allow_nan=False)
    counts = [None if row["findings"] is None else len(row["findings"]) for row in rows]
    assert counts == [1, 0, None, None]
    out = io.StringIO()
    show(rows, Console(file=out, width=80))
    text = out.getvalue()
    assert "1. unsorted-sources (certain)" in text
    assert "50% of the sources" in text
    assert "--confirm" in text
    assert "nothing found in 1 of 4 runs" in text
    assert "not examined: 2 runs" in text
    out = io.StringIO()
    show(rows, Console(file=out, width=80), "my store")
    elsewhere = " ".join(out.getvalue().split())
    assert "--confirm --store 'my store'" in elsewhere
    assert f"bench doctor {rows[1]['run'][:8]} --store 'my store' says more" in elsewhere
    out = io.StringIO()
    show(rows[1:2], Console(file=out, width=80))
    assert "nothing found" in out.getvalue()


def test_tables_have_a_column_of_findings() -> None:
    (row,) = summarise([examined(0, True), examined(1, True), examined(2)], SUITE)
    assert row["findings"] == {"unsorted-sources": 2}
    assert summary_line(row)["findings"] == "unsorted-sources 2/3"
    assert not any("examined" in line for line in summary_notes([row]))
    (row,) = summarise([examined(0, True), record(1), record(2)], SUITE)
    assert summary_line(row)["findings"] == "unsorted-sources 1/1"
    assert "findings are of the 1 of 3 runs that were examined" in summary_notes([row])
    (row,) = summarise([examined(0)], SUITE)
    assert summary_line(row)["findings"] == ""
    (row,) = summarise([examined(0), record(1)], SUITE)
    assert not any("examined" in line for line in summary_notes([row]))


def test_a_run_that_was_not_examined_is_not_judged() -> None:
    assert examined_run(record(0)) is None
    one = record(0)
    broken = Record(one.id, one.spec, {**one.outcome, "health": {"error": "x"}}, {})
    assert examined_run(broken) is None


# how the doctor is scored


def test_harm_is_a_lower_score_or_a_later_target() -> None:
    twin = record(0, 0.9, 1000)
    assert not doctor_score.harmed(record(0, 0.86, 1400), twin)
    assert doctor_score.harmed(record(0, 0.84, 900), twin)
    assert doctor_score.harmed(record(0, 0.9, 1600), twin)
    assert doctor_score.harmed(record(0, 0.9), twin)
    assert not doctor_score.harmed(record(0, 0.5), record(0, 0.54))
    assert doctor_score.harmed(failed(0), twin)
    bleu = {"metric": "bleu"}
    assert not doctor_score.harmed(record(0, 26.0, **bleu), record(0, 30.0, **bleu))  # type: ignore[arg-type]
    assert doctor_score.harmed(record(0, 24.0, **bleu), record(0, 30.0, **bleu))  # type: ignore[arg-type]


def test_shares_and_confusion() -> None:
    twin = record(0, 0.9, 1000)
    cases = [
        doctor_score.case("unsorted-sources", examined(0, True, 0.1), twin),
        doctor_score.case("rate-too-low", examined(1, True, 0.1), twin),
        doctor_score.case("rate-too-low", examined(2, False, 0.1), twin),
        doctor_score.case("one-label", record(3, 0.9, 1000), twin),
    ]
    summary = doctor_score.summary(cases, [examined(4), examined(5, True)])
    assert (summary["runs"], summary["faults"], summary["harmless_runs"]) == (3, 2, 1)
    assert (summary["first"], summary["first_two"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert summary["false_findings"] == 0.5
    rows = {row["fault"]: row for row in doctor_score.confusion(cases)}
    assert rows["rate-too-low"]["otherwise"] == {"unsorted-sources": 1, "nothing found": 1}
    assert rows["one-label"]["harmed"] == 0
    out = io.StringIO()
    doctor_score.show(cases, [examined(4)], "tuned", Console(file=out, width=80))
    assert "no harm" in out.getvalue()
    assert max(map(len, out.getvalue().splitlines())) <= 80
