"""Tries bad command lines: each ends with a documented code and a sentence; none starts work."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

from tests.perf.break_it.calling import Tally, call

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


def try_lines(count: int, folder: Path, chance: random.Random) -> Tally:
    """Call so many command lines with odd values, on a store that is not there."""
    tally = Tally("command lines")
    every = list(itertools.product(TEMPLATES, VALUES))
    chance.shuffle(every)
    for template, value in itertools.islice(itertools.cycle(every), count):
        line = [value if word == "VALUE" else word for word in template]
        rest = [] if template[0] in ("VALUE", "check", "guard") else ["--store", str(folder / "no")]
        tally.add(call(*line, *rest).wrong, " ".join(line)[:200])
    if (folder / "no").exists():
        tally.add("store left behind", "any")
    return tally
