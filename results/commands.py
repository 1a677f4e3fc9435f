"""Writes commands that do further runs like stored ones."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from results import naming
from results.record import Record
from results.seeds import write_seeds

DEFAULT_BATCH = 32
"""Examples per step that options of bench run stand for; of others, `--batch` is written."""
DECIDING_SEEDS = 40
"""Seeds of each variant at most, until a verdict stands, if options do not say how many."""
DEFAULT_STOP = "budget"
"""Moment at which runs end whose options do not say when; of others, `--stop` is written."""


def in_store(command: str, folder: str) -> str:
    """Return a command that says which store it is for; folder: "" where that need not be said."""
    return f"{command} --store {shlex.quote(folder)}" if command and folder else command


def more_seeds_of_claim(given: str, seeds: range) -> str:
    """Return the command that does these seeds of each side of a claim. given: its name."""
    return shlex.join(["bench", "claims", "run", given, "--seeds", write_seeds(seeds)])


def longer(record: Record, suite: Mapping[str, Any], steps: int) -> str:
    """Return the command that trains a run's variant and seed for so many steps."""
    name = naming.name(record.variant, suite)
    axis, value = next(iter(record.variant.items()))
    # a base without a variation would mean the quick matrix
    variant = ["--base", name] if name != "base" else ["--vary", f"{axis}={naming.text(value)}"]
    words = ["--task", record.task, *variant, "--budget", f"{steps}steps", *_settings(record)]
    words += ["--fault", str(record.spec["fault"])] if record.spec["fault"] else []
    seeds = write_seeds(range(record.seed, record.seed + 1))
    return shlex.join(["bench", "run", *words, "--seeds", seeds])


def until_decided(
    ours: Record, theirs: Record, suite: Mapping[str, Any], first_seed: int = 0
) -> str:
    """Return the command that adds seeds to two variants until a verdict stands.

    first_seed: from which on they are counted, so that the runs there are count too.

    Empty for runs that options cannot describe: with a fault, with random batches, or stopped
    before the end of their budget.
    """
    spec = ours.spec
    if spec["fault"] or spec["budget"]["stop"] != DEFAULT_STOP or "batching" in spec["budget"]:
        return ""
    names = [naming.name(record.variant, suite) for record in (ours, theirs)]
    words = ["--until-decided", *names, "--task", ours.task, "--budget", _budget(ours)]
    words += _settings(ours)
    if first_seed:
        words += ["--seeds", write_seeds(range(first_seed, first_seed + DECIDING_SEEDS))]
    return shlex.join(["bench", "run", *words])


def _budget(record: Record) -> str:
    budget = record.spec["budget"]
    if budget["steps"]:
        return f"{budget['steps']}steps"
    return f"{budget['tokens']}tokens" if budget["tokens"] else f"{budget['seconds']:g}s"


def _settings(record: Record) -> list[str]:
    """Return options for what is not the default: batch, evaluations, decoding and a plugin."""
    spec = record.spec
    batch, every = spec["budget"]["batch"], spec["budget"]["every"]
    words = ["--batch", str(batch)] if batch != DEFAULT_BATCH else []
    words += ["--every", str(every)] if every else []
    words += ["--batching", kind] if (kind := spec["budget"].get("batching")) else []
    words += ["--decoding", str(spec["decoding"])] if spec["decoding"] != "greedy" else []
    words += ["--stop", stop] if (stop := str(spec["budget"]["stop"])) != DEFAULT_STOP else []
    return words + (["--plugin", "FILE"] if spec.get("plugin") else [])
