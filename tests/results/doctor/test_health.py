"""Proves that what examinations measured is stored and read in one form, typed, none of it unread.

`examinations.json` holds examinations as earlier versions stored them, with what was certain.
"""

from __future__ import annotations

import ast
import json
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from results.doctor import examined, rules
from results.doctor.examined import SURE, ExaminedRun
from results.doctor.health import Health, Losses, StepEffect

STORED: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("examinations.json").read_text("utf-8")
)
RECORDED_ONLY = {
    *("inputs", "target_mask", "padding", "target_padding"),
    *("after", "entropy", "repeated", "repeated_wanted", "right"),
    *("memory", "memory_mean", "gradients", "attention"),
}
"""Measured for a person who reads the record; no rule asks for them."""


@pytest.mark.parametrize("stored", STORED, ids=lambda stored: stored["variant"])
def test_what_is_stored_stays_the_same_byte_for_byte(stored: dict[str, Any]) -> None:
    read = Health.from_plain(stored["health"])
    assert json.dumps(read.plain(), allow_nan=False) == json.dumps(stored["health"])


@pytest.mark.parametrize("stored", STORED, ids=lambda stored: stored["variant"])
def test_findings_of_stored_examinations_stay_the_same(stored: dict[str, Any]) -> None:
    read = Health.from_plain(stored["health"])
    variant = dict(pair.split("=") for pair in stored["variant"].split(","))
    run = ExaminedRun(read, [], variant, stored["status"], stored["health"]["leak"] is None)
    certain = [one.cause for one in rules.findings(run) if one.sure == SURE]
    assert certain == stored["certain"]


def test_numbers_are_rounded_and_those_that_are_not_finite_are_null() -> None:
    losses = Losses(given=1.2345678, even=float("inf"), over_time=float("nan"))
    plain = losses.plain()
    # the wrong losses that were not measured have no key
    assert plain == {"given": 1.2346, "even": None, "proper": None, "over_time": None}
    assert Losses.from_plain(plain).plain() == plain


def test_an_earlier_record_is_read_as_far_as_it_goes() -> None:
    read = Health.from_plain({"loss": {"given": 2.0}, "leak": None, "step": {"norm": 1.0}})
    assert read == Health(loss=Losses(given=2.0), step=StepEffect(norm=1.0))
    assert rules.findings(ExaminedRun(read, [], {}, "finished", tagging=True)) == []


def test_what_a_newer_version_measured_is_ignored() -> None:
    stored = STORED[0]["health"]
    newer = {**stored, "temper": 1.0, "loss": {**stored["loss"], "upside_down": 1.0}}
    assert Health.from_plain(newer) == Health.from_plain(stored)


def test_a_misspelt_measurement_is_an_error() -> None:
    with pytest.raises(TypeError, match="aligment"):
        replace(StepEffect(), aligment=1.0)  # type: ignore[call-arg]
    with pytest.raises(AttributeError, match="aligment"):
        _ = StepEffect().aligment  # type: ignore[attr-defined]


def names(kind: Any) -> set[str]:
    """Return the names of all fields of a record and of the records within it."""
    found = set()
    for hint in (kind, *get_args(kind)):
        if is_dataclass(hint):
            hints = get_type_hints(hint)
            for one in fields(hint):
                found |= {one.name} | names(hints[one.name])
    return found


def test_every_measurement_is_read_by_a_rule_or_is_known_to_be_for_the_record() -> None:
    paths = [*Path(rules.__file__).parent.glob("*.py"), Path(examined.__file__)]
    nodes = [node for path in paths for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    read = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    measured = names(Health)
    assert {"loss", "alignment_nowhere", "saturated", "distinct"} <= measured
    assert measured - read == RECORDED_ONLY
