"""Tries bad command lines: each ends with a documented code and a sentence; none starts work."""

from __future__ import annotations

import itertools
import random
import shutil
from pathlib import Path

from tests.perf.break_it.calling import call
from tests.perf.break_it.trials import Attempt, Trial

VALUES = (
    "",
    " ",
    "0",
    "-1",
    "1e400",
    "nan",
    "99999999999999999999",
    "a,b",
    "=",
    "cell=",
    "cell=gruu",
    "hidden=-1",
    "base",
    "/dev/null",
    ".",
    "/proc/self/mem",
    "no/such/file",
    "x" * 5000,
    "[/red]",
    "\x1b[2J",
    "注意",
    "--",
    "opposites:pairs=1",
    "en-zh:pairs=999999999999",
)
"""Odd values of options and arguments."""
DRY = ["run", "--dry-run", "--task", "opposites", "--vary"]
TEMPLATES = (
    *(
        [*DRY, "cell=gru", option, "VALUE"]
        for option in (
            "--seeds",
            "--budget",
            "--batch",
            "--base",
            "--decoding",
            "--fault",
            "--device",
            "--execution",
            "--workers",
            "--engine",
            "--time-limit",
            "--memory-limit",
            "--plugin",
            "--rerun",
            "--matrix",
            "--task",
        )
    ),
    [*DRY, "VALUE"],
    ["run", "--dry-run", "--matrix", "VALUE"],
    ["run", "--until-decided", "VALUE", "base", "--task", "opposites"],
    ["claims", "run", "--workers", "VALUE", "VALUE"],
    ["claims", "show", "VALUE"],
    ["compare", "VALUE", "base"],
    ["compare", "--axis", "VALUE"],
    ["compare", "--dates", "VALUE"],
    ["show", "VALUE"],
    ["drop", "VALUE", "--yes"],
    ["undrop", "VALUE"],
    ["table", "--task", "VALUE"],
    ["curves", "--metric", "VALUE"],
    ["export", "--format", "VALUE"],
    ["try", "VALUE", "man"],
    ["check", "VALUE"],
    ["data", "get", "VALUE"],
    ["throughput", "--sweep", "VALUE"],
    ["throughput", "--replicas", "VALUE"],
    ["guard", "--threshold", "VALUE"],
    ["VALUE"],
)
"""Command lines, in which VALUE stands for an odd value."""


EVERY = random.Random(0).sample(
    list(itertools.product(TEMPLATES, VALUES)), len(TEMPLATES) * len(VALUES)
)
"""All of them with all values, in an order in which any number of them is a fair choice."""


def lines(folder: Path) -> Attempt:
    """Return what tries a command line with an odd value, on a store that is not there."""
    store = folder / "no"

    def attempt(place: int, chance: random.Random) -> list[Trial]:
        template, value = EVERY[place % len(EVERY)]
        line = [value if word == "VALUE" else word for word in template]
        rest = [] if template[0] in ("VALUE", "check", "guard") else ["--store", str(store)]
        wrong = call(*line, *rest).wrong
        if store.exists():
            shutil.rmtree(store)
            wrong = wrong or "store left behind"
        return [Trial(wrong, " ".join(line)[:200])]

    return attempt
