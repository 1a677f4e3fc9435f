"""Runs the scripts of a half and records their scores: `python -m tests.wild building`.

`--table` says which scripts are not sound, and which faults do no harm.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.wild.scripts import HERE, LAST_LINE, WildScript, scores, scripts

SEEDS = (0, 1)
MOST_SECONDS = 120
LEAST_SOUND = 0.85
"""Score that a sound script reaches."""
LEAST_HARM = 0.1
"""A fault lowers the score by this much at least."""


def run(script: WildScript, seed: int) -> float:
    """Run a script in a process of its own and return the score that it prints, NaN if none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.py"
        path.write_text(script.text, "utf-8")
        try:
            done = subprocess.run(
                [sys.executable, str(path), str(seed)],
                capture_output=True,
                text=True,
                timeout=MOST_SECONDS,
                cwd=folder,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                check=False,
            )
        except subprocess.TimeoutExpired:
            return math.nan
    lines = [line for line in done.stdout.splitlines() if line.startswith(LAST_LINE)]
    if not lines:
        print(done.stderr[-2000:], file=sys.stderr)
        return math.nan
    return float(lines[-1].removeprefix(LAST_LINE))


def record(half: str) -> None:
    """Run each script of a half that has no score yet, and append its scores to `scores.tsv`.

    A script that gave none, because it reached the limit of time or failed, is run again, unless
    it is meant to fail.
    """
    path = HERE / half / "scores.tsv"
    if not path.exists():
        path.write_text("script\tseed\tscore\tseconds\n", "utf-8")
    for script in scripts(half):
        for seed in SEEDS:
            before = scores(half).get((script.title, seed))
            if before is None or (math.isnan(before) and not script.crashes):
                _forget(path, script, seed)
                start = time.monotonic()
                score = run(script, seed)
                line = f"{script.title}\t{seed}\t{score:.4f}\t{time.monotonic() - start:.1f}"
                with path.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")
                print(line, flush=True)


def _forget(path: Path, script: WildScript, seed: int) -> None:
    """Take the line of a script and seed out of a file of scores."""
    lines = path.read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(f"{script.title}\t{seed}\t")]
    path.write_text("".join(kept), "utf-8")


def faulty(half: str) -> list[str]:
    """Return a line for each script that is neither sound nor harmed, as its kind demands."""
    lines, known = [], scores(half)
    for script in scripts(half):
        for seed in SEEDS:
            score = known.get((script.title, seed), math.nan)
            if not script.causes and not score >= LEAST_SOUND:
                lines.append(f"{script.title} seed {seed}: not sound, {score}")
            twin = known.get((f"{script.style}/train", seed), math.nan)
            unscored = script.told or script.crashes
            if script.causes and not unscored and not twin - score >= LEAST_HARM:
                lines.append(f"{script.title} seed {seed}: not harmed, {score} for {twin}")
    return lines


def main(arguments: list[str]) -> int:
    """Record the scores of a half, or print its table."""
    half = arguments[0]
    if "--table" not in arguments:
        record(half)
    lines = faulty(half)
    print("\n".join(lines) or "all as they must be")
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
