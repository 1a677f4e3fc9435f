"""Says how large a report is, of how many runs: made-up ones, whose numbers compress badly.

python -m tests.perf.report_size 300 10000
"""

from __future__ import annotations

import random
import string
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from results.record import Record
from results.report import write
from tests.records import SUITE, record

CURVE = (
    *("loss", "valid_loss", "forced_accuracy", "exact_match", "token_accuracy"),
    *("gradient_norm", "update_ratio", "saturation"),
)
"""Values of a curve's points."""
POINTS = 20
OUTPUTS = 6
LENGTH = 11
"""Symbols of a source and of an output."""


def made_up(count: int) -> list[Record]:
    """Return runs without details, of five tasks and ten seeds."""
    return [
        record(seed, (seed * 7 + number * 13) % 100 / 100, hidden=number, task=f"task{task}")
        for task in range(5)
        for number in range(count // 50)
        for seed in range(10)
    ]


def with_details(run: Record, draw: random.Random) -> Record:
    """Return a run with a curve, outputs and attention drawn at random."""
    curve = [
        {"step": 15 * point, "tokens": 4448 * point, **{key: draw.random() for key in CURVE}}
        for point in range(1, POINTS + 1)
    ]
    samples = [_output(draw) for _ in range(OUTPUTS)]
    outcome = {**run.outcome, "curve": curve, "samples": samples}
    measured = {**run.measured, "train_seconds": 9 * draw.random()}
    return Record(run.id, run.spec, outcome, measured)


def _output(draw: random.Random) -> dict[str, Any]:
    source, output = (draw.choices(string.ascii_lowercase, k=LENGTH) for _ in range(2))
    weights = [[draw.random() ** 6 for _ in source] for _ in range(LENGTH + 1)]
    return {
        "source": "".join(source),
        "reference": "".join(reversed(source)),
        "output": "".join(output),
        "ended": True,
        "attention": [[weight / sum(row) for weight in row] for row in weights],
        "source_symbols": source,
        "output_symbols": output,
    }


def main(counts: Sequence[int]) -> None:
    """Print the size of a report of so many runs, and the CPU time that it took."""
    for count in counts:
        draw, runs = random.Random(0), made_up(count)
        by_id = {run.id: run for run in runs}

        def details(
            ids: Sequence[str], by_id: dict[str, Record] = by_id, draw: random.Random = draw
        ) -> Iterator[Record]:
            return (with_details(by_id[run], draw) for run in ids)

        began = time.process_time()
        page = write(runs, SUITE, details, date(2026, 11, 29), lambda variant: variant["hidden"])
        seconds = time.process_time() - began
        print(f"{len(runs):,} runs: {len(page.encode()) / 1e6:.1f} MB, {seconds:.0f} s of CPU time")


if __name__ == "__main__":
    main([int(count) for count in sys.argv[1:]])
