"""Runs a small matrix by two versions of the code and compares the outcomes."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from os import environ
from pathlib import Path

from bench.engines.contract import Counting, uncounted
from bench.guard.processes import GuardError
from results.guard import quality
from results.guard.verdict import GuardRow
from results.record import Record
from results.store import reading

QUALITY_MATRIX = Path(__file__).parent.parent / "matrices" / "guard.toml"
"""The matrix that is run if no other is named."""
RUNS_DONE = re.compile(r"(\d+) of (\d+) runs, ")
"""Lines by which `bench run` tells how far it is."""


def compare_quality(
    reference: Path,
    present: Path,
    known: Path,
    matrix: Path,
    workers: int,
    report: Callable[[str], None],
    plugins: Sequence[str] = (),
    count: Counting = uncounted,
) -> list[GuardRow]:
    """Compare the outcomes of two versions, and return a row per variant.

    One seed of each variant is run first. Where all outcomes are identical bit for bit, nothing
    more is run; otherwise all seeds of the tasks with a difference are.

    Args:
        reference: The folder with the older code.
        present: The folder with the present code.
        known: The store that keeps the reference's runs for the next time.
        report: Called with sentences about the progress.
        plugins: Paths of plugins within each folder.
        count: Called with how many runs of a version are done, and of how many.

    Raises:
        GuardError: One of the versions cannot run the matrix.
    """
    with tempfile.TemporaryDirectory(prefix="bench-guard-") as name:
        store = Path(name)

        def run_both(seeds: int | None, tasks: Sequence[str]) -> tuple[list[Record], list[Record]]:
            """Run both versions; return the records of the present code, then the reference's."""
            for folder, its_store in ((reference, known), (present, store)):
                _run(folder, its_store, matrix, seeds, tasks, workers, plugins, count)
            return _read(store, tasks), _read(known, tasks)

        report("one seed of each variant, by both versions")
        # the reference's store may hold more seeds, of an earlier comparison
        now, before = ([r for r in records if r.seed == 0] for records in run_both(1, ()))
        with reading(store) as opened:
            suite = opened.base()
        changed = quality.differing(now, before, suite)
        if not changed:
            return quality.rows(now, before, suite)
        tasks = sorted({task for task, _, _ in changed})
        report(f"{len(changed)} variants come out otherwise: all seeds of {', '.join(tasks)}")
        more_now, more_before = run_both(None, tasks)
        other_now, other_before = (
            [r for r in records if r.task not in tasks] for records in (now, before)
        )
        return quality.rows([*other_now, *more_now], [*other_before, *more_before], suite)


def _read(store: Path, tasks: Sequence[str]) -> list[Record]:
    """Return the records of a store, of all tasks if none is named."""
    with reading(store) as opened:
        return [r for r in opened.records(details=True) if not tasks or r.task in tasks]


def _run(
    folder: Path,
    store: Path,
    matrix: Path,
    seeds: int | None,
    tasks: Sequence[str],
    workers: int,
    plugins: Sequence[str],
    count: Counting,
) -> None:
    """Run the matrix by the code in a folder; its command line is the one stable interface."""
    command = [sys.executable, "-m", "bench", "run", "--matrix", str(matrix), "--device", "cpu"]
    command += ["--store", str(store), "--workers", str(workers)]
    command += ["--seeds", str(seeds)] if seeds else []
    command += _repeated("--task", tasks)
    command += _repeated("--plugin", [str(folder / file) for file in plugins])
    environment = {**environ, "PYTHONPATH": str(folder)}
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            if told := RUNS_DONE.match(line):
                count(int(told[1]), int(told[2]))
        if process.wait():
            errors.seek(0)
            last = (errors.read().strip().splitlines() or ["no reason given"])[-1]
            raise GuardError(f"the code in {folder} does not run {matrix}: {last}")


def _repeated(option: str, values: Iterable[str]) -> list[str]:
    return [part for value in values for part in (option, value)]
