"""Tries to break the suite, and prints a table of what was tried and what went right.

    python -m tests.perf.break_it --kills 200 --stores 200 --lines 500 --names 20
    python -m tests.perf.break_it --engine ray --kills 200 --stores 0 --lines 0 --names 0

Exit code 1 if anything went wrong. Nothing outside a temporary folder is touched.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.perf.break_it.calling import Tally
from tests.perf.break_it.hostile_names import try_names
from tests.perf.break_it.kills import try_kills
from tests.perf.break_it.lines import try_lines
from tests.perf.break_it.stores import try_stores

HEADER = "| what | tried | right | wrong |\n| --- | ---: | ---: | --- |"


def main() -> int:
    """Try everything, print the table and an example of all that went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--stores", type=int, default=60)
    parser.add_argument("--lines", type=int, default=100)
    parser.add_argument("--names", type=int, default=3)
    parser.add_argument("--engine", default="local", choices=("local", "ray"))
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    with tempfile.TemporaryDirectory(prefix="break-it-") as place:
        tallies = list(_tried(asked, Path(place), chance))
    print(HEADER)
    for tally in tallies:
        print(tally.row())
    for tally in tallies:
        for wrong, example in tally.examples.items():
            print(f"{tally.what}: {wrong}: {example}", file=sys.stderr)
    return int(any(tally.wrong for tally in tallies))


def _tried(asked: argparse.Namespace, folder: Path, chance: random.Random) -> Iterator[Tally]:
    """Try each kind that was asked for, the quickest first, and say how it went."""
    tries: dict[Callable[[int, Path, random.Random], Tally], int] = {
        try_names: asked.names,
        try_lines: asked.lines,
        try_stores: asked.stores,
        partial(try_kills, asked.engine): asked.kills,
    }
    for make, count in tries.items():
        if count:
            tally = make(count, folder, chance)
            print(tally.row(), file=sys.stderr, flush=True)
            yield tally


if __name__ == "__main__":
    sys.exit(main())
