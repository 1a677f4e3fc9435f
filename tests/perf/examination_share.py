"""What do examinations cost? Of the runs in a store, by how long they trained.

.venv/bin/python -m tests.perf.examination_share --store .bench
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from statistics import median

from results.record import Record
from results.store import reading

BANDS = {"1 to 100": 1, "101 to 200": 101, "201 to 400": 201, "401 or more": 401}
"""Fewest steps of the runs of a line."""


def line(name: str, records: Sequence[Record]) -> str:
    """Of these runs, as Markdown."""
    trained = sum(record.measured["train_seconds"] for record in records)
    examined = [record for record in records if record.outcome.get("findings") is not None]
    spent = sum(record.measured["examine_seconds"] for record in records)
    steps = [
        record.outcome["steps"]
        * record.measured["examine_seconds"]
        / record.measured["train_seconds"]
        for record in examined
    ]
    return (
        f"| {name} | {len(records):,} | {len(examined):,} "
        f"| {median(steps) if steps else 0:.1f} steps | {spent / trained:.1%} |"
    )


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--store", type=Path, default=Path(".bench"))
    with reading(parser.parse_args().store) as store:
        records = [r for r in store.records() if r.measured.get("train_seconds")]
    print("| steps | runs | examined | an examination | of the time of training |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, some in groupby(sorted(records, key=_steps), _band):
        print(line(name, list(some)))
    print(line("all", records))


def _steps(record: Record) -> int:
    return int(record.outcome["steps"])


def _band(record: Record) -> str:
    return [name for name, fewest in BANDS.items() if _steps(record) >= fewest][-1]


if __name__ == "__main__":
    main()
