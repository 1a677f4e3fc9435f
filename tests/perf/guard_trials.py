"""How often is bench guard wrong? Many guards of code that is known to be the same, or slower.

.venv/bin/python -m tests.perf.guard_trials --kind same --count 300 --minutes 1.2
.venv/bin/python -m tests.perf.guard_trials --kind same --count 20
.venv/bin/python -m tests.perf.guard_trials --kind slower-5 --count 20
.venv/bin/python -m tests.perf.guard_trials --kind slower-10 --count 20
.venv/bin/python -m tests.perf.guard_trials --kind same-busy --count 20 --minutes 1
.venv/bin/python -m tests.perf.guard_trials

The present code is a copy of this one; `slower` waits after every pass for that share of the
time it took. `busy` has a process beside that never rests. What was measured is kept in --file:
it can be stopped and gone on with, and several such commands share one file's guards. Without
--kind only the table is printed: with --file tests/perf/guard_trials.jsonl that in docs/guard.md,
whose `same` were two such commands, begun by `taskset -c 0` and `taskset -c 1`. Its last columns
are the guards' own proof, of single sets of processes: how often the reference seemed to differ
from itself, and +10 % planted was found.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.guard.processes import GuardSetup
from bench.guard.subjects import choose_subjects
from bench.guard.timing import time_versions
from results.guard.verdict import exit_code

ROOT = Path(__file__).parents[2]
KEPT = ("subject", "verdict", "rounds", "ratio", "low", "high", "trials", "false_alarms", "missed")
KINDS = ("same", "same-busy", "slower-5", "slower-10", "slower-10-busy")
THRESHOLD = 0.05
ONCE = '    def once(self) -> None:\n        """Train on, or decode, all batches once."""\n'
SLOWER = (
    '    def once(self) -> None:\n        """Slower."""\n'
    "        import time\n\n"
    "        since = time.perf_counter()\n        self.healthy()\n"
    "        until = since + {factor} * (time.perf_counter() - since)\n"
    "        while time.perf_counter() < until:\n            pass\n\n"
    "    def healthy(self) -> None:\n"
)


@contextmanager
def copied(share: float) -> Iterator[Path]:
    """A copy of the suite that is slower by a share."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        for part in ("bench", "tasks", "variants", "results"):
            shutil.copytree(ROOT / part, folder / part)
        if share:
            file = folder / "bench" / "speed" / "cases.py"
            text = file.read_text(encoding="utf-8")
            assert text.count(ONCE) == 1
            file.write_text(text.replace(ONCE, SLOWER.format(factor=1 + share)), encoding="utf-8")
        yield folder


def burn() -> None:
    """Never rests."""
    while True:
        pass


@contextmanager
def beside(busy: bool) -> Iterator[None]:
    """A process that burns a core, if busy."""
    process = multiprocessing.get_context("spawn").Process(target=burn, daemon=True)
    if busy:
        process.start()
    try:
        yield
    finally:
        if busy:
            process.kill()
            process.join()


def trial(kind: str, minutes: float) -> dict[str, Any]:
    """One guard."""
    share = next((int(part) / 100 for part in kind.split("-") if part.isdecimal()), 0.0)
    subjects = choose_subjects([], [], "cpu", None, timed=True)
    since = time.perf_counter()
    with copied(0.0) as reference, copied(share) as present, beside(kind.endswith("busy")):
        sides = GuardSetup(reference, present, "cpu", None, ())
        rows = time_versions(sides, subjects, THRESHOLD, minutes, lambda _: None)
    return {
        "kind": kind,
        "minutes": minutes,
        "code": exit_code(rows),
        "seconds": round(time.perf_counter() - since, 1),
        "load": round(os.getloadavg()[0], 2),
        "rows": [{name: _short(row[name]) for name in KEPT} for row in rows],
    }


def _short(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


def measured(file: Path) -> list[dict[str, Any]]:
    """All guards so far."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def table(told: list[dict[str, Any]]) -> str:
    """Of all that was measured, as Markdown."""
    lines = [
        "| present code | at most | guards | alarm | fine | cannot tell | subjects slower "
        "| subjects fine | took | unlike itself | planted found |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for kind in KINDS:
        for minutes in sorted({one["minutes"] for one in told if one["kind"] == kind}):
            some = [one for one in told if (one["kind"], one["minutes"]) == (kind, minutes)]
            codes = [one["code"] for one in some]
            rows = [row for one in some for row in one["rows"]]
            sets = sum(row["trials"] for row in rows)
            slower, fine = (
                sum(row["verdict"] == verdict for row in rows) / len(rows)
                for verdict in ("slower", "fine")
            )
            alarms = sum(row["false_alarms"] for row in rows) / sets
            found = 1 - sum(row["missed"] for row in rows) / sets
            seconds = statistics.median(one["seconds"] for one in some)
            counts = " | ".join(str(codes.count(code)) for code in (1, 0, 3))
            lines.append(
                f"| {kind} | {minutes:g} min | {len(some)} | {counts} | {slower:.1%} | {fine:.1%} "
                f"| {seconds:.0f} s | {alarms:.1%} | {found:.1%} |"
            )
    return "\n".join(lines)


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kind", choices=KINDS)
    parser.add_argument("--count", type=int, default=20, help="in all, those in the file included")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--file", type=Path, default=Path(".bench/guard-trials.jsonl"))
    given = parser.parse_args()
    given.file.parent.mkdir(parents=True, exist_ok=True)
    while given.kind:
        like = (given.kind, given.minutes)
        done = sum((one["kind"], one["minutes"]) == like for one in measured(given.file))
        if done >= given.count:
            break
        found = trial(*like)
        with given.file.open("a", encoding="utf-8") as opened:
            opened.write(json.dumps(found) + "\n")
        print(f"{given.kind} {done + 1}: {found['code']}, {found['seconds']:.0f} s", flush=True)
    print(table(measured(given.file)))


if __name__ == "__main__":
    main()
