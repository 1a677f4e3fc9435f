"""Writes commands that do further runs like stored ones."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from results import naming
from results.record import Record

DEFAULT_BATCH = 32
"""Examples per step that options of bench run stand for; of others, `--batch` is written."""
DEFAULT_STOP = "budget"
"""Moment at which runs end whose options do not say when; of others, `--stop` is written."""


def in_store(command: str, folder: str) -> str:
    """Return a command that says which store it is for; folder: "" where that need not be said."""
    return f"{command} --store {shlex.quote(folder)}" if command and folder else command


def more_seeds_of_claim(given: str, seeds: int) -> str:
    """Return the command that does so many seeds of each side of a claim. given: its name."""
    return shlex.join(["bench", "claims", "run", given, "--seeds", str(seeds)])


def longer(record: Record, suite: Mapping[str, Any], steps: int) -> str:
    """Return the command that trains a run's variant and seed for so many steps."""
    name = naming.name(record.variant, suite)
    axis, value = next(iter(record.variant.items()))
    # a base without a variation would mean the quick matrix
    variant = ["--base", name] if name != "base" else ["--vary", f"{axis}={naming.text(value)}"]
    words = ["--task", record.task, *variant, "--budget", f"{steps}steps", *_settings(record)]
    words += ["--fault", str(record.spec["fault"])] if record.spec["fault"] else []
    return shlex.join(["bench", "run", *words, "--seeds", str(record.seed + 1)])


def until_decided(ours: Record, theirs: Record, suite: Mapping[str, Any]) -> str:
    """Return the command that adds seeds to two variants until a verdict stands.

    Empty for runs that options cannot describe: with a fault, evaluated as a matrix says, or
    stopped before the end of their budget.
    """
    spec = ours.spec
    if spec["fault"] or spec["budget"]["every"] or spec["budget"]["stop"] != DEFAULT_STOP:
        return ""
    names = [naming.name(record.variant, suite) for record in (ours, theirs)]
    words = ["--until-decided", *names, "--task", ours.task, "--budget", _budget(ours)]
    return shlex.join(["bench", "run", *words, *_settings(ours)])


def _budget(record: Record) -> str:
    budget = record.spec["budget"]
    if budget["steps"]:
        return f"{budget['steps']}steps"
    return f"{budget['tokens']}tokens" if budget["tokens"] else f"{budget['seconds']:g}s"


def _settings(record: Record) -> list[str]:
    """Return options for what is not the default: the batch, decoding and a plugin."""
    spec = record.spec
    batch = spec["budget"]["batch"]
    words = ["--batch", str(batch)] if batch != DEFAULT_BATCH else []
    words += ["--decoding", str(spec["decoding"])] if spec["decoding"] != "greedy" else []
    words += ["--stop", stop] if (stop := str(spec["budget"]["stop"])) != DEFAULT_STOP else []
    return words + (["--plugin", "FILE"] if spec.get("plugin") else [])
