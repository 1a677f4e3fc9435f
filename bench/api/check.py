"""Runs the contract tests on one variant, value of an axis, or task."""

from __future__ import annotations

from pathlib import Path

from bench.collection import search_as_usual
from bench.plugins.contract import CheckResult
from bench.plugins.model_checks import check_variant
from bench.plugins.task_checks import check_task
from bench.training.process import cached_task
from tasks import TASKS, build
from tasks.choices import one_of
from variants import Variant, axes, inapplicable

SMALL_VARIANT = "hidden=32,embedding=16,learning_rate=0.01"
"""What a checked value of an axis is tried on: small enough to train in seconds."""


def check_part(name: str, tagging: bool, data: Path) -> list[CheckResult]:
    """Return what the contract tests say of a variant, a value alone, or a task.

    Args:
        name: `axis=value,...`, a value, or the label of a task.
        tagging: Check the variant as a tagger.
        data: Folder of corpora.

    Raises:
        ValueError: The name is unknown, ambiguous or does not apply.
    """
    search_as_usual()  # models are trained a little
    if name.partition(":")[0] in [task.name for task in TASKS]:
        if tagging:
            raise ValueError(f"--tagging is of a variant and {name} is a task; leave it out")
        cached_task(name, data)  # raises for settings that the task has not
        return check_task(lambda: build(name, data))
    variant = variant_of(name)
    reason = inapplicable(variant, tagging)
    if reason is not None:
        raise ValueError(f"{name} does not apply: {reason}")
    return check_variant(variant, tagging)


def variant_of(name: str) -> Variant:
    """Return a small variant with `axis=value,...`, or with a value that one axis has."""
    small = axes.parse(SMALL_VARIANT)
    if "=" in name:
        return axes.parse(name, small)
    found = [axis for axis in axes.AXES if name in axes.values(axis)]
    if not found:
        values = dict.fromkeys(value for axis in axes.AXES for value in axes.values(axis))
        one_of("part or task", name, [*values, *(task.name for task in TASKS)])
    if len(found) > 1:
        choices = " or ".join(f"{axis}={name}" for axis in found)
        raise ValueError(f"{name!r} is a value of {len(found)} axes; say which, {choices}")
    return axes.parse(f"{found[0]}={name}", small)
