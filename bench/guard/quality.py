"""The guard's small matrix, run by two versions of the code."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from os import environ
from pathlib import Path

from bench.guard.timing import GuardError
from results.guard import quality
from results.guard.verdict import GuardRow
from results.record import Record
from results.store import reading

MATRIX = Path(__file__).parent.parent / "matrices" / "guard.toml"


def guard(
    reference: Path,
    present: Path,
    known: Path,
    matrix: Path,
    workers: int,
    report: Callable[[str], None],
    plugins: Sequence[str] = (),
) -> list[GuardRow]:
    """One seed of each variant first: what comes out bit for bit as before needs no more. known:
    the store that the reference's runs are kept in for the next time."""
    with tempfile.TemporaryDirectory(prefix="bench-guard-") as name:
        store = Path(name)

        def both(seeds: int | None, tasks: Sequence[str]) -> tuple[list[Record], list[Record]]:
            for folder, where in ((reference, known), (present, store)):
                _run(folder, where, matrix, seeds, tasks, workers, plugins)
            return _read(store, tasks), _read(known, tasks)

        report("one seed of each variant, by both versions")
        now, before = both(1, ())
        firsts = [[r for r in side if r.seed == 0] for side in (now, before)]
        with reading(store) as opened:
            suite = opened.base()
        changed = quality.differing(firsts[0], firsts[1], suite)
        if not changed:
            return quality.rows(firsts[0], firsts[1], suite)
        tasks = sorted({task for task, _, _ in changed})
        report(f"{len(changed)} variants come out otherwise: all seeds of {', '.join(tasks)}")
        more, earlier = both(None, tasks)
        rest = [[r for r in side if r.task not in tasks] for side in firsts]
        return quality.rows([*rest[0], *more], [*rest[1], *earlier], suite)


def _read(store: Path, tasks: Sequence[str]) -> list[Record]:
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
) -> None:
    command = [sys.executable, "-m", "bench", "run", "--matrix", str(matrix), "--device", "cpu"]
    command += ["--store", str(store), "--workers", str(workers)]
    command += ["--seeds", str(seeds)] if seeds else []
    command += [part for task in tasks for part in ("--task", task)]
    command += [part for file in plugins for part in ("--plugin", str(folder / file))]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise GuardError(f"the code in {folder} does not run {matrix}: {last}")
