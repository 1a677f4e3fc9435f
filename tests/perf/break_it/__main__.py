"""Tries to break the suite, and prints a table of what was tried and what went right.

    python -m tests.perf.break_it --kills 200 --stores 200 --lines 500 --names 20
    python -m tests.perf.break_it --engine ray --kills 200 --stores 0 --lines 0 --names 0

With --keep FILE each trial is kept as it ends, and the same command again tries what is left.
Exit code 1 if anything went wrong. Nothing outside a temporary folder is touched.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

from tests.perf.break_it.hostile_names import names
from tests.perf.break_it.kills import KILLS_A_PLACE, kills
from tests.perf.break_it.lines import lines
from tests.perf.break_it.stores import stores
from tests.perf.break_it.trials import Kept, Kind, tally_of

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
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    kept, tallies = Kept(asked.keep), []
    with tempfile.TemporaryDirectory(prefix="break-it-") as place:
        for kind in _kinds(asked):
            tallies.append(tally_of(kind, kept, Path(place), asked.seed))
            print(tallies[-1].row(), file=sys.stderr, flush=True)
    print(HEADER)
    for tally in tallies:
        print(tally.row())
    for tally in tallies:
        for wrong, example in tally.examples.items():
            print(f"{tally.what}: {wrong}: {example}", file=sys.stderr)
    return int(any(tally.wrong for tally in tallies))


def _kinds(asked: argparse.Namespace) -> list[Kind]:
    """Return the kinds that were asked for, the quickest first."""
    kinds = [
        Kind("hostile names and texts, verbs", asked.names, names),
        Kind("command lines", asked.lines, lines),
        Kind("damaged stores", asked.stores, stores),
        Kind(
            f"kills, engine {asked.engine}",
            -(-asked.kills // KILLS_A_PLACE),
            partial(kills, asked.engine),
        ),
    ]
    return [kind for kind in kinds if kind.places]


if __name__ == "__main__":
    sys.exit(main())
